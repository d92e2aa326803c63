"""``sqlite3`` where it copies a database."""

from __future__ import annotations

import re

from airflow_backup.schedules.setup.draft import Draft
from airflow_backup.schedules.setup.foreign.programs.notes import elsewhere
from airflow_backup.schedules.setup.foreign.shell.follow import Command

_COPIES = re.compile(r"\.(backup|dump|clone)|vacuum\s+into")


def read_command(command: Command, origin: str) -> list[Draft]:
    """Read ``sqlite3 FILE .backup`` or ``.dump``, or ``VACUUM INTO``; ValueError for all else."""
    words = [each for each in command.arguments if not each.text.startswith("-")]
    if not words or not _COPIES.search(" ".join(each.text for each in words[1:]).lower()):
        raise ValueError("it makes no backup")
    path = words[0]
    if not path.is_known or not path.text.startswith("/"):
        raise ValueError("the path of the database is not absolute, or cannot be told")
    file = path.text.rpartition("/")[2]
    source = {"engine": "sqlite", "path": path.text}
    notes = elsewhere(command, "the worker must have the file")
    return [Draft(file.rpartition(".")[0] or file, source, origin, notes=tuple(notes))]
