"""What is said of commands of several programs in the same words."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_backup.schedules.setup.foreign.shell.arguments import Arguments
from airflow_backup.schedules.setup.foreign.shell.follow import Command

LOGIN_NOTE = "its password was not copied, wherever it stood: it belongs into the connection"
WHICH = "which database it saves cannot be told"


def left_out(
    given: Arguments, ignored: str, program: str, *, asked: Sequence[str] = ()
) -> list[str]:
    """Name the options that were not carried over, and those whose value only a shell can tell."""
    notes = []
    others = given.others(ignored)
    if others:
        notes.append(f"options of {program} that were not carried over: {', '.join(others)}")
    unknown = [name for name in asked if any(not each.is_known for each in given.all(name))]
    if unknown:
        notes.append(f"made by a shell, and to be filled in: {', '.join(unknown)}")
    return notes


def elsewhere(command: Command, must: str) -> list[str]:
    """Say that a command ran in a container or on another machine, and what must be true here."""
    return [f"it ran inside {command.inside}; here {must}"] if command.inside else []
