"""What the DAG processor last read: the page's only source, for it may not see the files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Connection, RowMapping, func, select

from airflow_backup.catalog.database import Database
from airflow_backup.catalog.records import Deployed, DeployedState
from airflow_backup.catalog.tables import deployed, first_seen

SEEN_EVERY = timedelta(seconds=30)


class PlainProblem(Protocol):
    """A problem of a schedules file."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain data: file, line, column, path, message, hint."""
        ...


class Entry(Protocol):
    """One schedule as the loader compiled it."""

    @property
    def id(self) -> str: ...
    @property
    def definition(self) -> Mapping[str, Any] | None: ...
    @property
    def file(self) -> str: ...
    @property
    def line(self) -> int: ...
    @property
    def state(self) -> DeployedState: ...
    @property
    def problems(self) -> Iterable[PlainProblem]: ...
    @property
    def content_hash(self) -> str: ...


def _utc_now() -> datetime:
    return datetime.now(UTC)


class DeployedSchedules:
    """The deployed schedules of all origins; ``origin`` is a schedules path."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = _utc_now) -> None:
        self._database, self._clock = database, clock

    def replace(self, origin: str, entries: Iterable[Entry]) -> None:
        """
        Make ``entries`` all that is deployed from ``origin``; an id moves here from elsewhere.

        Parsing happens all the time: what has not changed is not written, but for being seen.
        """
        now = self._clock()
        wanted = {entry.id: _row(entry, origin) for entry in entries}
        with self._database.reading() as connection:
            if not _differs(connection, origin, wanted, now=now):
                return
        with self._database.writing() as connection:
            ids = list(wanted)
            before = set(
                connection.scalars(select(deployed.c.id).where(deployed.c.origin == origin))
            )
            connection.execute(deployed.delete().where(deployed.c.origin == origin))
            for begin in range(0, len(ids), 500):
                part = ids[begin : begin + 500]
                connection.execute(deployed.delete().where(deployed.c.id.in_(part)))
            _note_seen(connection, set(wanted), gone=before - set(wanted), at=now)
            if wanted:
                rows = [{**row, "seen_at": now} for row in wanted.values()]
                connection.execute(deployed.insert(), rows)

    def all(self) -> list[Deployed]:
        """Return every deployed schedule, in order of id."""
        with self._database.reading() as connection:
            rows = connection.execute(select(deployed).order_by(deployed.c.id)).mappings()
            return [_deployed(row) for row in rows]

    def get(self, schedule_id: str) -> Deployed | None:
        """Return one deployed schedule, or None."""
        with self._database.reading() as connection:
            found = connection.execute(select(deployed).where(deployed.c.id == schedule_id))
            row = found.mappings().first()
        return None if row is None else _deployed(row)

    def count(self, origin: str) -> int:
        """Return how many schedules are deployed from an origin."""
        query = select(func.count()).select_from(deployed).where(deployed.c.origin == origin)
        with self._database.reading() as connection:
            return int(connection.scalar(query) or 0)

    def definitions(self, origin: str) -> dict[str, dict[str, Any]]:
        """Return the definitions of an origin that were right once, by id."""
        query = select(deployed.c.id, deployed.c.definition).where(deployed.c.origin == origin)
        with self._database.reading() as connection:
            return {row.id: row.definition for row in connection.execute(query) if row.definition}


def _differs(
    connection: Connection, origin: str, wanted: Mapping[str, Mapping[str, Any]], *, now: datetime
) -> bool:
    query = select(deployed).where(deployed.c.origin == origin)
    known = {row["id"]: dict(row) for row in connection.execute(query).mappings()}
    seen = [row.pop("seen_at") for row in known.values()]
    return known != wanted or any(now - moment >= SEEN_EVERY for moment in seen)


def _note_seen(connection: Connection, ids: set[str], *, gone: set[str], at: datetime) -> None:
    """Remember since when schedules are there; one that is taken away and comes back is a new one."""
    known = set(connection.scalars(select(first_seen.c.schedule_id)))
    new = [{"schedule_id": each, "at": at} for each in sorted(ids - known)]
    if new:
        connection.execute(first_seen.insert(), new)
    for each in gone & known:
        connection.execute(first_seen.delete().where(first_seen.c.schedule_id == each))


def _row(entry: Entry, origin: str) -> dict[str, Any]:
    return {
        "id": entry.id,
        "origin": origin,
        "file": entry.file,
        "line": entry.line,
        "definition": dict(entry.definition or {}),
        "state": entry.state,
        "problems": [problem.as_dict() for problem in entry.problems],
        "content_hash": entry.content_hash,
    }


def _deployed(row: RowMapping) -> Deployed:
    return Deployed(**row)
