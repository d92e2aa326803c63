"""The command `airflow-backup`: reads the command line and hands over to one module per command."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from airflow_backup import __version__
from airflow_backup.cli import exit_codes
from airflow_backup.cli.commands import COMMANDS
from airflow_backup.core.errors import BackupError, FailureClass, NotFound, classify


def main(argv: Sequence[str] | None = None, *, program: str = "airflow-backup") -> int:
    """Run one command; return its exit code. ``program`` is what the user typed to get here."""
    # A task's process leaves this set; with it, tools of Airflow would see one DAG only.
    os.environ.pop("_AIRFLOW_PARSING_CONTEXT_DAG_ID", None)
    arguments = parser(program).parse_args(argv)
    return run_command(arguments.run, arguments)


def run_command(command: Callable[[argparse.Namespace], int], arguments: argparse.Namespace) -> int:
    """Run one command with its arguments; print what went wrong, and return the exit code."""
    try:
        return command(arguments)
    except BackupError as error:
        print(f"airflow-backup: {error}", file=sys.stderr)
        return _code_of(error)
    except BrokenPipeError:  # the reader has seen enough: airflow-backup list | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exit_codes.DONE
    except KeyboardInterrupt:
        print("airflow-backup: cancelled", file=sys.stderr)
        return 130


def parser(program: str = "airflow-backup") -> argparse.ArgumentParser:
    """Make the parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog=program,
        description="Backups as code on Apache Airflow. Works without a running Airflow.",
        epilog="exit codes: 0 done, 1 the answer is bad, 2 wrong usage, 3 not found, 4 worth trying again, "
        "5 could not be told",
    )
    top.add_argument("--version", action="version", version=f"airflow-backup {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_to(commands)
    return top


def _code_of(error: BackupError) -> int:
    if isinstance(error, NotFound):
        return exit_codes.NOT_FOUND
    failure = classify(error)
    worth_it = failure.retryable and failure is not FailureClass.UNKNOWN
    return exit_codes.TRY_AGAIN if worth_it else exit_codes.BAD


if __name__ == "__main__":
    sys.exit(main())
