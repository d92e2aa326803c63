"""What is said of commands of several programs in the same words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from airflow_backup.schedules.setup.foreign.shell.arguments import Arguments
from airflow_backup.schedules.setup.foreign.shell.follow import Command

LOGIN_NOTE = "its password was not copied, wherever it stood: it belongs in the connection"
WHICH = "which database it saves cannot be told"


_DAY_RULE = re.compile(
    r"""(?:\[|\(\(|\b(?:test|expr|case|if)\b|(?:^|[\s;])\w+=["']?[$`])[^;&|\n]*"""
    r"""\bdate\b[^|;&)`\n]*\+["']?\\?%-?[aAudejVWUwmkHh]\b"""
)
_BY_THE_DAY = "what it does depends on the day or the hour, by `date`; here all of it runs each time: look when it runs"


def by_the_day(script: str) -> tuple[str, ...]:
    """
    Say that commands ask for the day of the week or the month, as a schedule's time does not.

    >>> len(by_the_day("[ $(date +%d) -le 7 ] && pg_dump shop")), by_the_day("pg_dump x > $(date +%u)")
    (1, ())
    """
    return (_BY_THE_DAY,) if _DAY_RULE.search(script) else ()


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
