"""Reads the files of other tools, and joins what one says with the times of another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from airflow_backup.schedules.setup.draft import Draft, Reading, Start
from airflow_backup.schedules.setup.foreign import airflow, borgmatic, crontab, pgbackrest, script
from airflow_backup.schedules.setup.foreign.detect import has_users, tool_of

_INCREMENTAL = (
    "incremental and differential sets need PostgreSQL 17 with `summarize_wal = on`; "
    "before that write a `cron` in place of `levels`"
)


@dataclass(frozen=True)
class Given:
    """A file of another tool: its text, its path, and whose it is where somebody said so."""

    text: str
    path: Path
    tool: str | None = None

    @property
    def origin(self) -> str:
        """How it is called in messages."""
        return self.path.name


def read(given: Given, *, home: str | None) -> Reading:
    """Read one file."""
    tool = given.tool or tool_of(given.text, given.path.name)
    text, origin = given.text, given.origin
    if tool == "crontab":
        return crontab.read(text, origin=origin, home=home, has_users=has_users(given.path))
    if tool == "borgmatic":
        folder = given.path.parent if given.path.is_absolute() else None
        return borgmatic.read(text, origin=origin, folder=folder, home=home)
    if tool == "pgbackrest":
        return pgbackrest.read(text, origin=origin)
    if tool == "airflow":
        return airflow.read(text, origin=origin, path=given.path)
    return script.read(text, origin=origin, path=given.path.name, home=home)


def joined(readings: Sequence[Reading]) -> tuple[list[Draft], list[str]]:
    """Give what files say the times at which a crontab starts it; return also what is left to be said."""
    starts = [each for reading in readings for each in reading.starts]
    notes = [each for reading in readings for each in reading.notes]
    drafts: list[Draft] = []
    jobs = set()
    starts = _of_the_only_one(starts, [each.job for reading in readings for each in reading.drafts])
    for reading in readings:
        for draft in reading.drafts:
            mine = [each for each in starts if each.job == draft.job and draft.job]
            mine += [each for each in starts if _names_none(each, draft)]
            jobs |= {each.job for each in mine}
            drafts += _started(draft, mine)
    notes += [_missing(each) for each in starts if each.job not in jobs]
    return drafts, notes


def _names_none(start: Start, draft: Draft) -> bool:
    """Whether a command names no stanza and no configuration, and so starts them all."""
    return start.job in ("pgbackrest:", "borgmatic:") and draft.job.startswith(start.job)


def _of_the_only_one(starts: Iterable[Start], jobs: Sequence[str]) -> list[Start]:
    """Let borgmatic's only configuration be what is started, whatever its file is called there."""
    files = {each for each in jobs if each.startswith("borgmatic:")}
    return [
        replace(each, job="borgmatic:")
        if len(files) == 1 and each.job.startswith("borgmatic:")
        else each
        for each in starts
    ]


def _started(draft: Draft, starts: Sequence[Start]) -> list[Draft]:
    if not starts:
        return [draft]
    if draft.job.startswith("pgbackrest:"):
        return [_levels(draft, starts)]
    return [
        replace(
            draft,
            when=each.when,
            timezone=each.timezone,
            origin=f"{draft.origin}; started by {each.origin}",
            notes=(*draft.notes, *each.notes),
        )
        for each in starts
    ]


def _levels(draft: Draft, starts: Iterable[Start]) -> Draft:
    """Write the kinds of pgBackRest's backups as levels."""
    levels: dict[str, Any] = {}
    notes, origins = [*draft.notes], [draft.origin]
    timezone: str | None = None
    jitter: dict[str, Any] = {}
    for each in starts:
        if each.kind in levels or "cron" not in each.when:
            notes.append(
                f"{each.origin}: its time was not carried over; there is one for each kind"
            )
            continue
        levels[each.kind] = each.when["cron"]
        jitter = {key: value for key, value in each.when.items() if key == "jitter"} or jitter
        timezone = each.timezone or timezone
        notes += each.notes
        origins.append(each.origin)
    if levels.keys() - {"full"}:
        notes.append(_INCREMENTAL)
    when: dict[str, Any] = {"levels": levels, **jitter} if levels else {}
    return replace(
        draft, when=when, timezone=timezone, origin="; ".join(origins), notes=tuple(notes)
    )


def _missing(start: Start) -> str:
    tool, _, name = start.job.partition(":")
    if tool == "script":
        return f"{start.origin}: it starts {name}, which was not looked into: --from it, too"
    return f"{start.origin}: it starts {tool}: --from its configuration, too"
