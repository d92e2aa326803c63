"""Reads a shell script, most often one with restic: what it saves, and what it keeps."""

from __future__ import annotations

from dataclasses import replace

from airflow_backup.schedules.setup.draft import Reading
from airflow_backup.schedules.setup.foreign.programs.commands import Found, collect, name_of_script
from airflow_backup.schedules.setup.foreign.programs.notes import by_the_day
from airflow_backup.schedules.setup.foreign.shell.follow import Shell


def read(text: str, *, origin: str, path: str, home: str | None) -> Reading:
    """Read a script; ``path`` is the name by which a crontab may start it."""
    found = Found()
    shell = Shell({}, home=home)
    collect(shell.commands(text), found, origin=origin, says_all=False)
    said = by_the_day(text)
    drafts = tuple(
        replace(each, job=name_of_script(path), notes=(*each.notes, *said))
        for each in found.finished()
    )
    return Reading(drafts, tuple(found.notes))
