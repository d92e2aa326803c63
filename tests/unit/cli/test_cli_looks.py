"""What a person sees of the shell: near words, tables that fit, colours, and never a traceback."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from airflow_backup.cli import terminal
from airflow_backup.cli.commands.sets import list_
from airflow_backup.cli.main import main
from airflow_backup.cli.output import print_table

PROGRAM = Path(sys.executable).parent / "airflow-backup"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two schedules, which is also Airflow's home and the working folder."""
    (tmp_path / "schedules.yaml").write_text(
        "version: 1\ndefaults: {repository: 'file:///b', preset: daily}\nschedules:\n"
        "  - {id: wiki, source: {engine: files, path: /srv/wiki}}\n"
        "  - {id: orders, source: {engine: files, path: /srv/orders}}\n"
    )
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ended(argv: Sequence[str]) -> int | str | None:
    with pytest.raises(SystemExit) as end:
        main(argv)
    return end.value.code


def test_the_command_alone_shows_the_state_of_things(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["SCHEDULE", "PROTECTION"]
    assert [line.split()[:2] for line in lines[1:]] == [["wiki", "never"], ["orders", "never"]]


def test_the_command_alone_shows_how_it_is_used_where_there_is_nothing_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AIRFLOW__BACKUP__SCHEDULES_PATH", raising=False)
    assert main([]) == 2
    told = capsys.readouterr()
    assert told.out.startswith("usage: airflow-backup")
    assert "no schedules file at schedules.yaml" in told.err


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["lst"], "airflow-backup: no command 'lst'\nHINT: did you mean `list`?\n"),
        (
            ["list", "--format", "jsn"],
            "airflow-backup list: 'jsn' is no --format\nHINT: did you mean `json`?\n",
        ),
        (
            ["list", "--format", "x"],
            "airflow-backup list: 'x' is no --format\nHINT: there are text, json\n",
        ),
    ],
)
def test_a_wrong_word_gets_the_nearest_one(
    argv: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(argv) == 2
    assert capsys.readouterr().err == told


ROWS = (("wiki", "good", "a reason\nof two lines"), ("orders", "late, since noon", "x" * 60))


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, *, letters: int) -> None:
    monkeypatch.setattr(terminal, "is_terminal", lambda: True)
    monkeypatch.setattr(terminal, "width", lambda: letters)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_a_table_fits_the_terminal_and_says_what_it_cut(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on_a_terminal(monkeypatch, letters=50)
    monkeypatch.setenv("NO_COLOR", "1")
    print_table(("SCHEDULE", "PROTECTION", "WHY"), ROWS)
    *table, note = capsys.readouterr().out.splitlines()
    assert max(map(len, table)) <= 50
    assert table[2].startswith("orders    late, since noon  xxx")
    assert table[2].endswith("…")
    assert note == "(cut to fit the terminal: WHY; --format json has all)"


def test_states_have_colours_on_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    print_table(("SCHEDULE", "PROTECTION", "WHY"), ROWS)
    piped = capsys.readouterr().out
    assert "\033" not in piped
    assert "x" * 60 in piped
    on_a_terminal(monkeypatch, letters=200)
    print_table(("SCHEDULE", "PROTECTION", "WHY"), ROWS)
    shown = capsys.readouterr().out
    assert "\033[32mgood" in shown
    assert "\033[31mlate, since noon" in shown


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("way", ["text", "json"])
def test_output_that_cannot_be_written_is_an_error_and_no_traceback(folder: Path, way: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [PROGRAM, "list", "--format", way],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == (
        "airflow-backup: the output cannot be written: No space left on device\n"
    )


def test_a_fault_of_our_own_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*given: object) -> object:
        raise KeyError("surprise")

    monkeypatch.setattr(list_, "loaded", fail)
    assert main(["list"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("airflow-backup: KeyError: 'surprise'\nHINT: this is a fault of")
    monkeypatch.setenv("AIRFLOW_BACKUP_TRACEBACK", "1")
    with pytest.raises(KeyError):
        main(["list"])


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("li", {"list"}),
        ("run w", {"wiki"}),
        ("next ", {"wiki", "orders"}),
        ("list --for", {"--format"}),
    ],
)
def test_the_shell_completes_commands_options_and_schedules(
    folder: Path, line: str, wanted: set[str]
) -> None:
    typed = f"airflow-backup {line}"
    environment = {
        **os.environ,
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(folder / "answer"),
        "COMP_LINE": typed,
        "COMP_POINT": str(len(typed)),
    }
    subprocess.run([PROGRAM], env=environment, capture_output=True, check=False)
    found = {word.strip() for word in (folder / "answer").read_text().split("\n")}
    assert wanted <= found
    if line != "next ":
        assert found == wanted


def test_a_terminal_sees_how_far_a_run_is_and_then_only_its_result(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("hello")
    (tmp_path / "schedules.yaml").write_text(
        f"version: 1\nschedules:\n  - {{id: wiki, source: {{engine: files, path: {tmp_path}/data}},\n"
        f"     repository: 'file://{tmp_path}/repository', preset: daily}}\n"
    )
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [PROGRAM, "run", "wiki"],
        cwd=tmp_path,
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path), "COLUMNS": "80"},
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        check=True,
    )
    os.close(theirs)
    drawn = os.read(ours, 65536).decode()
    os.close(ours)
    assert done.stdout.startswith("wiki: set ")
    states = [state.strip() for state in drawn.split("\r")]
    assert any(state.startswith("reading 5 B  ") for state in states)
    assert states[-2:] == ["", ""]


def test_what_would_act_on_a_terminal_is_shown_and_not_obeyed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table(("NAME", "WHY"), [("\x1b[2Jorders", "a\rb\u202ec\x07"), ("größer", "文\ud800")])
    told = capsys.readouterr().out
    assert "\\x1b[2Jorders" in told
    assert "größer" in told
    assert not {"\x1b", "\r", "\u202e", "\x07"} & set(told)
