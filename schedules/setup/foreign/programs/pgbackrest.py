"""A command of pgBackRest, as a line of a crontab has it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_backup.schedules.setup.foreign.shell.follow import Command

_KINDS = {"full": "full", "diff": "differential", "incr": "incremental"}


@dataclass(frozen=True)
class Started:
    """Which stanza it backs up, and how much of it."""

    job: str
    kind: str


def start_of(command: Command) -> Started | None:
    """Return what ``pgbackrest ... backup`` starts; None for its other commands."""
    words = [each.text for each in command.arguments]
    if "backup" not in words:
        return None
    line = " ".join(words)
    stanza = re.search(r"--stanza[= ](\S+)", line)
    kind = re.search(r"--type[= ](\S+)", line)
    name = stanza[1] if stanza else ""
    return Started(f"pgbackrest:{name}", _KINDS.get(kind[1] if kind else "incr", "incremental"))
