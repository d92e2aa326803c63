"""Our commands inside Airflow's: ``airflow backup validate`` is ``airflow-backup validate``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from airflow.cli.cli_config import ActionCommand, Arg

NAME = "backup"


def get_cli_commands() -> list[ActionCommand]:
    """Return the command ``backup``; called by every ``airflow`` command, so it loads nothing."""
    return [
        ActionCommand(
            name=NAME,
            help="Backups as code: the command airflow-backup",
            func=_run,
            args=[_Everything(("arguments",), nargs="*")],  # type: ignore[no-untyped-call]  # untyped in Airflow
        )
    ]


class _Everything(Arg):
    """
    Takes all that follows as it is: one parser reads our command line, and that is our own.

    Airflow's parser would have to know each option of each command, and would read ``--help`` itself.
    """

    def add_to_parser(self, parser: argparse.ArgumentParser) -> None:
        """Let ``parser`` hand on what it is given instead of reading it."""

        def hand_on(
            arguments: Sequence[str] | None = None, namespace: Any = None
        ) -> tuple[argparse.Namespace, list[str]]:
            given = argparse.Namespace(
                func=parser.get_default("func"), arguments=list(arguments or ())
            )
            return given, []

        parser.parse_known_args = hand_on  # type: ignore[method-assign,assignment]


def _run(arguments: argparse.Namespace) -> None:
    from airflow_backup.cli.main import main

    sys.exit(main(arguments.arguments, program=f"airflow {NAME}"))
