"""Reads a crontab: its times as they are, and those of its commands that are backups."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from airflow_backup.schedules.setup.draft import Reading, Start
from airflow_backup.schedules.setup.foreign.programs.borgmatic import job_of as borgmatic_job
from airflow_backup.schedules.setup.foreign.programs.commands import (
    Found,
    collect,
    is_known_program,
    name_of_script,
    script_of,
    shown_name,
)
from airflow_backup.schedules.setup.foreign.programs.notes import by_the_day
from airflow_backup.schedules.setup.foreign.programs.pgbackrest import start_of
from airflow_backup.schedules.setup.foreign.shell.follow import SECRET, Command, Shell
from airflow_backup.schedules.setup.times import TIME_IS_LOST, from_cron, is_zone

_VARIABLE = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*|\"[^\"]*\"|'[^']*')\s*=\s*(.*)")
_FIELD = r"[0-9a-zA-Z*?,/~#-]+"
_JOB = re.compile(rf"-?(@[A-Za-z_]+|{_FIELD}(?:[ \t]+{_FIELD}){{4}})[ \t]+(.+)")
_TIME_WORDS = {
    *("mon", "tue", "wed", "thu", "fri", "sat", "sun", "jan", "feb", "mar", "apr", "may", "jun"),
    *("jul", "aug", "sep", "oct", "nov", "dec", "h", "l", "w"),
}
_USER = re.compile(r"([a-z_][a-z0-9_-]*)[ \t]+(.+)")
_NO_SCRIPTS = {
    *("cd", "test", "true", "sleep", "exec", "export", "set", "sh", "bash", "su", "find", "cp"),
    *(".", "mv", "rm", "echo", "date", "python", "python3", "perl", "php"),
}
"""Programs that are often written with their folder, and are nobody's own script."""


@dataclass(frozen=True)
class _Line:
    """One job: when, as which user, and what."""

    number: int
    when: dict[str, Any]
    notes: tuple[str, ...]
    command: str


def read(text: str, *, origin: str, home: str | None, has_users: bool = False) -> Reading:
    """Read a crontab; ``has_users`` is for those of the system, where a user stands before the command."""
    found = Found()
    starts: list[Start] = []
    notes: list[str] = []
    variables: dict[str, str] = {}
    timezone: str | None = None
    for number, line in enumerate(text.split("\n"), start=1):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        assigned = _VARIABLE.fullmatch(bare)
        if assigned is not None:
            name, value = assigned[1].strip("\"'"), _unquoted(assigned[2])
            timezone = _zone(name, value, timezone, f"{origin}, line {number}", notes)
            if not SECRET.search(name):
                variables[name] = value
            continue
        job = _job(number, bare, has_users, origin, notes)
        if job is not None:
            starts += _commands(job, variables, timezone, found, origin=origin, home=home)
    return Reading(tuple(found.finished()), (*notes, *found.notes), tuple(starts))


def _zone(name: str, value: str, before: str | None, place: str, notes: list[str]) -> str | None:
    """Return the zone that counts from here on; say what of a variable is not carried over."""
    if name == "CRON_TZ" and is_zone(value):
        return value
    if name == "MAILTO" and value:
        notes.append(f"{place}: MAILTO is not carried over; whom to tell is written as `notify`")
    if name == "CRON_TZ" or (name == "TZ" and value):
        notes.append(f"{place}: {name} is not carried over; look at `timezone`")
    return before


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _job(number: int, line: str, has_users: bool, origin: str, notes: list[str]) -> _Line | None:
    """Read one line of a job; one that cannot be read is named."""
    place = f"{origin}, line {number}"
    found = _JOB.fullmatch(line)
    words = set() if found is None else set(re.findall(r"[a-z]+", found[1].lower()))
    if found is None or (not found[1].startswith("@") and words - _TIME_WORDS):
        notes.append(f"{place}: this line cannot be read")  # and may hold a password
        return None
    command = found[2].strip()
    if has_users or _names_a_user(command):
        user = _USER.fullmatch(command)
        if user is None:
            notes.append(f"{place}: this line cannot be read: no command after the user")
            return None
        command = user[2]
    try:
        when, said = from_cron(found[1])
    except ValueError as error:
        notes.append(f"{place}: its time was not carried over: {error}")
        when, said = {}, (TIME_IS_LOST,)
    return _Line(number, when, said, _before_percent(command))


def _names_a_user(command: str) -> bool:
    """Whether a line of somebody's own crontab begins with a user, because it was copied from the system's."""
    first = command.split(None, 1)[0]
    return first in ("root", "postgres", "mysql", "www-data", "backup", "nobody", "barman")


def _before_percent(command: str) -> str:
    r"""
    Return what cron runs: up to a percent sign, which ends it, unless there is a backslash before.

    >>> _before_percent(r"pg_dump shop > /b/$(date +\%F).sql"), _before_percent("mail root%hello")
    ('pg_dump shop > /b/$(date +%F).sql', 'mail root')
    """
    return re.split(r"(?<!\\)%", command, maxsplit=1)[0].replace("\\%", "%")


def _commands(
    job: _Line,
    variables: Mapping[str, str],
    timezone: str | None,
    found: Found,
    *,
    origin: str,
    home: str | None,
) -> list[Start]:
    """Add the schedules of one line; return what it starts that another file says."""
    commands = list(Shell(variables, home=home).commands(job.command, line=job.number))
    before = len(found.drafts)
    place = f"{origin}, line {job.number}"
    starts = [each for command in commands for each in _starts(command, job, timezone, place)]
    seen = collect(commands, found, origin=origin, says_all=True)
    notes = (*job.notes, *by_the_day(job.command))
    starts = [replace(each, notes=(*each.notes, *notes[len(job.notes) :])) for each in starts]
    found.drafts[before:] = [
        replace(each, when=job.when, timezone=timezone, notes=(*each.notes, *notes))
        for each in found.drafts[before:]
    ]
    if not seen and not starts:
        found.notes.append(f"{place}: not a backup that is known here; not carried over")
    return starts


def _starts(command: Command, job: _Line, timezone: str | None, place: str) -> list[Start]:
    """Return what a command starts: a script, borgmatic, or pgBackRest."""
    if command.program == "pgbackrest":
        started = start_of(command)
        if started is None:
            return []
        return [Start(started.job, job.when, place, started.kind, timezone, job.notes)]
    if command.program == "borgmatic":
        name = borgmatic_job(command)
        return (
            [Start(name, job.when, place, timezone=timezone, notes=job.notes)]
            if name is not None
            else []
        )
    is_own = command.program not in _NO_SCRIPTS and not is_known_program(command.program)
    script = script_of(command)
    if script is None and is_own and command.path.startswith(("/", "~", ".")):
        script = shown_name(command.program)
    if script is not None and not is_known_program(command.program):
        name = name_of_script(script)
        return [Start(name, job.when, place, timezone=timezone, notes=job.notes)]
    return []
