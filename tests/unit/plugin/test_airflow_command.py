"""``airflow backup X`` is ``airflow-backup X``: every command, with every option, read by the one parser."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

import pytest
from airflow.cli import cli_parser

from airflow_backup.cli import main as cli_main
from airflow_backup.cli.main import main, parser


def commands() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command."""
    (group,) = (
        action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)
    )
    return dict(group.choices)


def value_of(action: argparse.Action) -> str:
    """Return something that the option takes."""
    if action.choices:
        return str(list(action.choices)[-1])
    for text in ("7", "1/7", "2026-11-21T00:00:00Z", "4h", "{daily: 7}", "wiki=x", "wiki"):
        try:
            kind = action.type or str
            kind(text)  # type: ignore[operator]
        except (argparse.ArgumentTypeError, ValueError):
            continue
        return text
    raise AssertionError(f"what does {action.dest} take?")


def given(action: argparse.Action, times: int = 1) -> list[str]:
    """Return the words that give one option or argument."""
    takes_none = action.nargs == 0
    words = [] if takes_none else [value_of(action)]
    if action.nargs in ("+", "*"):
        words *= 2
    return ([action.option_strings[-1], *words] if action.option_strings else words) * times


def lines() -> Iterator[list[str]]:
    """Yield command lines: each command with each option, once and twice, and with all of them."""
    for name, command in commands().items():
        actions = [action for action in command._actions if action.dest != "help"]
        needed = [
            word
            for action in actions
            if action.required or (not action.option_strings and action.nargs != "*")
            for word in given(action)
        ]
        yield [name]
        yield [name, "--help"]
        yield [name, *needed]
        yield [name, *needed, "--no-such-option"]
        for action in actions:
            for times in (1, 2):
                yield [name, *needed, *given(action, times)]
        yield [name, *(word for action in actions for word in given(action))]
    yield []
    yield ["--help"]
    yield ["--version"]
    yield ["no-such-command"]


def outcome(run: object, capsys: pytest.CaptureFixture[str]) -> tuple[object, str, str]:
    """Return what a command line came to: exit code, or arguments; what was printed."""
    try:
        result: object = run()  # type: ignore[operator]
    except SystemExit as end:
        result = end.code
    told = capsys.readouterr()
    return result, told.out, told.err


@pytest.mark.parametrize("line", list(lines()), ids=" ".join)
def test_both_commands_read_the_same(
    line: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    read: list[argparse.Namespace] = []

    def keep(command: object, arguments: argparse.Namespace) -> int:
        read.append(arguments)
        return 0

    monkeypatch.setattr(cli_main, "run_command", keep)
    monkeypatch.setattr(sys, "argv", ["airflow", "backup", *line])
    cli_parser.get_parser.cache_clear()

    def by_airflow() -> object:
        found = cli_parser.get_parser().parse_args(["backup", *line])
        return found.func(found)

    own = outcome(lambda: sys.exit(main(line)), capsys)
    theirs = outcome(by_airflow, capsys)
    assert theirs[0] == own[0]
    assert [text.replace("airflow backup", "airflow-backup").split() for text in theirs[1:]] == [
        text.split() for text in own[1:]
    ]
    assert read[:1] == read[1:]
