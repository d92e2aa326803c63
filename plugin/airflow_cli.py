"""Our commands inside Airflow's: ``airflow backup validate`` is ``airflow-backup validate``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand

GROUP = "backup"


def get_cli_commands() -> list[GroupCommand]:
    """
    Return the group ``backup``; called by every ``airflow`` command.

    Its commands are only looked up when one of them is asked for, because that imports the model.
    """
    asked_for = GROUP in sys.argv[1:2]
    commands = _commands() if asked_for else []
    return [
        GroupCommand(
            name=GROUP, help="Backups as code: the command airflow-backup", subcommands=commands
        )
    ]


def _commands() -> list[ActionCommand]:
    """Turn each command of our parser into one of Airflow's."""
    from airflow_backup.cli.main import parser

    (group,) = (
        action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)
    )
    helps = {choice.dest: choice.help or "" for choice in group._choices_actions}
    return [
        ActionCommand(
            name=name,
            help=helps[name],
            func=partial(_run, command.get_default("run")),
            args=[_argument(action) for action in command._actions if action.dest != "help"],
        )
        for name, command in group.choices.items()
    ]


def _argument(action: argparse.Action) -> Arg:
    facts: dict[str, Any] = {"help": action.help, "default": action.default}
    if isinstance(action, argparse._StoreTrueAction):
        facts["action"] = "store_true"
    else:
        facts |= {
            "type": action.type,
            "choices": action.choices,
            "metavar": action.metavar,
            "nargs": action.nargs,
        }
    given = {key: value for key, value in facts.items() if value is not None}
    flags = tuple(action.option_strings) or (action.dest,)
    return Arg(flags=flags, **given)  # type: ignore[no-untyped-call]  # untyped in Airflow


def _run(command: Callable[[argparse.Namespace], int], arguments: argparse.Namespace) -> None:
    from airflow_backup.cli.main import run_command

    sys.exit(run_command(command, arguments))
