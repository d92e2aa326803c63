"""Completes a command line in the shell: commands, options, and the ids of schedules."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import argcomplete

from airflow_backup.cli.arguments import loaded
from airflow_backup.core.errors import BackupError


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer the shell that asks, and end the process."""
    for action in _actions(parser):
        if action.metavar == "SCHEDULE":
            vars(action)["completer"] = _schedule_ids
    argcomplete.autocomplete(parser)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:  # argparse has no public way
        yield action
        if isinstance(action.choices, dict):
            for below in action.choices.values():
                yield from _actions(below)


def _schedule_ids(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    try:
        return [
            each.schedule.id for each in loaded(getattr(parsed_args, "schedules", None)).schedules
        ]
    except BackupError:
        return []
