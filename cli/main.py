"""
The command `airflow-backup`: reads the command line and hands over to one module per command.

Only the module of the command that is named is imported: all of them are most of what a short command would wait for.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NoReturn

from airflow_backup import __version__
from airflow_backup.cli import exit_codes
from airflow_backup.cli.commands import MODULES, module_of
from airflow_backup.cli.terminal import say
from airflow_backup.core.classify import classify
from airflow_backup.core.errors import BackupError, ConfigError, NotFound, Refused
from airflow_backup.core.failure_class import FailureClass

TRACEBACK = "AIRFLOW_BACKUP_TRACEBACK"
"""The variable that shows where a fault of our own is."""

_PLAIN = (ConfigError, NotFound, Refused)
"""Of these the message and its hint say all; there are pages for what fails in storages, sources and programs."""

_INVALID = re.compile(
    r"argument (?P<name>\S+): invalid choice: '(?P<word>.*)' \(choose from (?P<known>.*)\)",
    re.DOTALL,
)


def main(argv: Sequence[str] | None = None, *, program: str = "airflow-backup") -> int:
    """Run one command; return its exit code. ``program`` is what the user typed to get here."""
    # A task's process leaves this set; with it, tools of Airflow would see one DAG only.
    os.environ.pop("_AIRFLOW_PARSING_CONTEXT_DAG_ID", None)
    words = sys.argv[1:] if argv is None else argv
    reader = parser(program, commands=_named(words))
    if "_ARGCOMPLETE" in os.environ:
        from airflow_backup.cli.completion import complete  # where a shell asks what may follow

        complete(reader)
    arguments = reader.parse_args(words)
    return run_command(getattr(arguments, "run", partial(_state_of_things, reader)), arguments)


def _named(words: Sequence[str]) -> Iterable[str]:
    """
    Return the command that a command line names; all of them where it names none, or somebody asks for all.

    >>> _named(["next", "--count", "3"]), _named(["--version"]), len(list(_named(["--help"]))) > 20
    (['next'], [], True)
    """
    if not words or words[0] == "help" or "_ARGCOMPLETE" in os.environ:
        return MODULES  # `help` shows how each is used
    if words[0] == "--version":
        return []
    return [words[0]] if words[0] in MODULES else MODULES


def run_command(command: Callable[[argparse.Namespace], int], arguments: argparse.Namespace) -> int:
    """Run one command with its arguments; print what went wrong, and return the exit code."""
    try:
        code = command(arguments)
        sys.stdout.flush()
        return code
    except BackupError as error:
        say(f"airflow-backup: {error}", to=sys.stderr)
        failure = classify(error)
        if failure is not FailureClass.UNKNOWN and not isinstance(error, _PLAIN):
            say(f"MORE: airflow-backup help {failure}", to=sys.stderr)
        return _code_of(error)
    except BrokenPipeError:  # the reader has seen enough: airflow-backup list | head
        _print_no_more()
        return exit_codes.DONE
    except KeyboardInterrupt:
        say("airflow-backup: cancelled", to=sys.stderr)
        return 130
    except OSError as error:
        _print_no_more()
        what = error if error.filename else f"the output cannot be written: {error.strerror}"
        say(f"airflow-backup: {what}", to=sys.stderr)
        return exit_codes.BAD
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        if _is_of_another_system(error):
            say("airflow-backup: this command does not work on this system", to=sys.stderr)
            say(
                "HINT: what reads configuration works everywhere; the rest needs Linux or macOS",
                to=sys.stderr,
            )
            return exit_codes.BAD
        say(f"airflow-backup: {type(error).__name__}: {error}", to=sys.stderr)
        say(f"HINT: this is a fault of airflow-backup; {TRACEBACK}=1 shows where", to=sys.stderr)
        return exit_codes.BAD


def _is_of_another_system(error: Exception) -> bool:
    """Whether something is missing that only Linux and macOS have."""
    if isinstance(error, ModuleNotFoundError):
        return error.name in ("fcntl", "grp", "pwd", "resource", "termios")
    return isinstance(error, AttributeError) and error.obj in (os, signal)


def _print_no_more() -> None:
    """Let what is still in the buffer go nowhere: Python writes it out at the end, and would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _state_of_things(reader: argparse.ArgumentParser, arguments: argparse.Namespace) -> int:
    """Show how safe everything is, for the command without a word; how it is used where there is nothing yet."""
    from airflow_backup.cli.commands.sets import status

    try:
        return status.run(reader.parse_args(["status"]))
    except NotFound as error:
        reader.print_help()
        say(f"\nairflow-backup: {error}", to=sys.stderr)
        return exit_codes.USAGE


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in a line, and which word is near, instead of listing all words there are."""

    def error(self, message: str) -> NoReturn:
        wrong = _INVALID.search(message)
        if wrong is None:
            super().error(message)
        word, known = wrong["word"], re.findall(r"'([^']+)'", wrong["known"])
        from airflow_backup.schedules.loading.problems import did_you_mean  # pydantic

        is_command = wrong["name"] == "COMMAND"
        what = f"no command {word!r}" if is_command else f"{word!r} is no {wrong['name']}"
        near = did_you_mean(word, known) or f"there are {', '.join(known)}"
        self.exit(exit_codes.USAGE, f"{self.prog}: {what}\nHINT: {near}\n")


def parser(
    program: str = "airflow-backup", *, commands: Iterable[str] = MODULES
) -> argparse.ArgumentParser:
    """Make the parser of the command line, with these commands."""
    top = _Parser(
        prog=program,
        description="Backups as code on Apache Airflow. Works without a running Airflow.",
        epilog="exit codes: 0 done, 1 the answer is bad, 2 wrong usage, 3 not found, 4 worth trying again, "
        "5 no answer was possible",
    )
    top.add_argument("--version", action="version", version=f"airflow-backup {__version__}")
    group = top.add_subparsers(title="commands", metavar="COMMAND")
    for name in commands:
        module_of(name).add_to(group)
    return top


def _code_of(error: BackupError) -> int:
    if isinstance(error, NotFound):
        return exit_codes.NOT_FOUND
    failure = classify(error)
    worth_it = failure.retryable and failure is not FailureClass.UNKNOWN
    return exit_codes.TRY_AGAIN if worth_it else exit_codes.BAD


if __name__ == "__main__":
    sys.exit(main())
