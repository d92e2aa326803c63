"""What the monitor saw last of each schedule and of Airflow, so that a change is told once, whoever looks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, select

from airflow_backup.catalog.database import Database
from airflow_backup.catalog.notices.tables import checks, cursors, switches, watched
from airflow_backup.catalog.records import Event
from airflow_backup.catalog.stores.events import (
    SYSTEM,
    add_event,
    events_after,
    lock_events,
)
from airflow_backup.core.words import EventKind

_CURSOR = "monitor"
_AT_ONCE = 1000
SIDE_BY_SIDE = timedelta(hours=1)
"""How far ahead another monitor's look may be; one that is further ahead had a wrong clock, and counts for nothing."""

_TROUBLE = (EventKind.FAILED_FINAL, EventKind.STALE, EventKind.VERIFICATION_FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """How something stands at one look."""

    state: str
    """One word; a change of it is told while ``is_stale``."""

    is_stale: bool
    """Whether it is not safe, as a state that lasts: runs that failed tell that themselves."""

    needs_attention: bool
    detail: Mapping[str, Any] = field(default_factory=dict)
    """What an event says of it."""


class LastCheck(NamedTuple):
    """When the monitor looked, and how long after that it looks again, where that is known."""

    at: datetime
    every: timedelta | None


class MonitorState:
    """What the monitor saw and told the last time it looked."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(
        self, observations: Mapping[str, Observation], *, at: datetime, up_to: int
    ) -> list[Event]:
        """
        Remember a look, and tell what changed since the one before; return what was told.

        ``up_to`` is the last event that there was when the look began: what happened during it is for the next one.
        A look that began before one that is known already changes nothing: two monitors may look at once.
        """
        told: list[Event] = []
        with self._database.writing() as connection:
            lock_events(connection)
            troubled = _troubled_since(connection, up_to)
            before = {row.subject: row for row in connection.execute(select(watched))}
            rows = []
            for subject, observation in observations.items():
                last = before.get(subject)
                if last is not None and at < last.checked_at <= at + SIDE_BY_SIDE:
                    continue
                was_troubled = subject in troubled or (last is not None and last.is_troubled)
                kind = _change(observation, None if last is None else last.state, was_troubled)
                if kind is not None:
                    told.append(
                        add_event(
                            connection,
                            at=at,
                            action=kind,
                            subject=subject,
                            detail=observation.detail,
                        )
                    )
                rows.append(
                    {
                        "subject": subject,
                        "state": observation.state if observation.is_stale else "",
                        "is_troubled": observation.needs_attention
                        and (was_troubled or observation.is_stale),
                        "checked_at": at,
                    }
                )
            _put(connection, watched, "subject", rows)
            for subject in (
                troubled - observations.keys()
            ):  # not looked at now; remembered for whoever does
                _remember_trouble(connection, subject, before.get(subject), at=at)
            cursor = {"name": _CURSOR, "event_id": up_to}
            _put(connection, cursors, "name", [cursor])
        return told

    def note_switch(
        self, schedule_id: str, *, enabled: bool, at: datetime, actor: str, reason: str
    ) -> None:
        """Remember that a schedule is enabled or disabled, and tell it when it was enabled before."""
        with self._database.writing(alone=f"switch {schedule_id}") as connection:
            was = connection.scalar(
                select(switches.c.enabled).where(switches.c.schedule_id == schedule_id)
            )
            if was is enabled:
                return
            row = {"schedule_id": schedule_id, "enabled": enabled, "seen_at": at}
            _put(connection, switches, "schedule_id", [row])
            is_news = was is True or (was is None and actor != SYSTEM)
            if not enabled and is_news:
                add_event(
                    connection,
                    at=at,
                    actor=actor,
                    action=EventKind.DISABLED,
                    subject=schedule_id,
                    detail={"reason": reason},
                )

    def switches(self) -> dict[str, bool]:
        """Return which schedules are enabled, as far as anybody saw it."""
        with self._database.reading() as connection:
            return {row.schedule_id: row.enabled for row in connection.execute(select(switches))}

    def enabled_since(self) -> dict[str, datetime]:
        """Return since when schedules are enabled, of those that somebody saw being enabled."""
        with self._database.reading() as connection:
            query = select(switches).where(switches.c.enabled.is_(True))
            return {row.schedule_id: row.seen_at for row in connection.execute(query)}

    def note_check(self, place: str, *, at: datetime, every: timedelta | None = None) -> None:
        """Remember that the monitor looked, from where (``airflow`` or ``shell``), and when it will look again."""
        seconds = None if every is None else round(every.total_seconds())
        with self._database.writing(alone="monitor") as connection:
            _put(connection, checks, "place", [{"place": place, "at": at, "every": seconds}])

    def last_check(self, place: str) -> LastCheck | None:
        """Return when the monitor looked last from there."""
        with self._database.reading() as connection:
            row = connection.execute(select(checks).where(checks.c.place == place)).first()
        if row is None:
            return None
        return LastCheck(row.at, None if row.every is None else timedelta(seconds=row.every))

    def states(self) -> dict[str, str]:
        """Return the word for each subject that was not safe at the last look."""
        with self._database.reading() as connection:
            query = select(watched).where(watched.c.state != "")
            return {row.subject: row.state for row in connection.execute(query)}


def _change(observation: Observation, before: str | None, was_troubled: bool) -> EventKind | None:
    """
    Return what a look tells; None when it is as it was.

    >>> late = Observation(state="late", is_stale=True, needs_attention=True)
    >>> fine = Observation(state="good", is_stale=False, needs_attention=False)
    >>> [str(_change(*given)) for given in [(late, "", False), (late, "late", True), (fine, "late", True)]]
    ['stale', 'None', 'recovered']
    """
    if observation.is_stale:
        return None if before == observation.state else EventKind.STALE
    if was_troubled and not observation.needs_attention:
        return EventKind.RECOVERED
    return None


def _troubled_since(connection: Connection, up_to: int) -> set[str]:
    """Return what had trouble since the last look, also where all is well again."""
    cursor = connection.scalar(select(cursors.c.event_id).where(cursors.c.name == _CURSOR)) or 0
    troubled: set[str] = set()
    while found := events_after(connection, cursor, limit=_AT_ONCE):
        cursor = found[-1].id
        for event in found:
            if event.id > up_to:
                break
            if event.action == EventKind.RECOVERED:
                troubled.discard(event.subject)
            elif event.action in _TROUBLE and event.detail.get("is_newest", True):
                troubled.add(event.subject)
    return troubled


def _remember_trouble(connection: Connection, subject: str, last: Any, *, at: datetime) -> None:
    row = {
        "subject": subject,
        "state": "" if last is None else last.state,
        "is_troubled": True,
        "checked_at": at if last is None else last.checked_at,
    }
    _put(connection, watched, "subject", [row])


def _put(connection: Connection, table: Table, key: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows in place of those with their keys."""
    for row in rows:
        column = table.c[key]
        changed = connection.execute(table.update().where(column == row[key]).values(**row))
        if not changed.rowcount:
            connection.execute(table.insert().values(**row))
