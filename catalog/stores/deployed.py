"""What the DAG processor last read: the page's only source, for it may not see the files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Connection, RowMapping, Text, cast, func, select

from airflow_backup.catalog.database import Database
from airflow_backup.catalog.definitions import Definitions
from airflow_backup.catalog.records import Deployed, DeployedState, Origin
from airflow_backup.catalog.tables import deployed, first_seen, origins
from airflow_backup.core.clock import utc_now

SEEN_EVERY = timedelta(seconds=30)

_AS_TEXT = select(
    *(column for column in deployed.c if column.name != "definition"),
    cast(deployed.c.definition, Text).label("definition"),
)


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


class DeployedSchedules:
    """The deployed schedules of all origins; ``origin`` is a schedules path."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._database, self._clock = database, clock
        self._definitions = Definitions()

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
        with self._database.writing(alone="deployed") as connection:
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
            rows = connection.execute(_AS_TEXT.order_by(deployed.c.id)).all()
        definitions = self._definitions.read(row.definition for row in rows)
        return [
            Deployed(**{**row._mapping, "definition": definition})
            for row, definition in zip(rows, definitions, strict=True)
        ]

    def mark(self) -> object:
        """Return what is equal as long as nothing was deployed: each time sets the moment of all of an origin."""
        seen = deployed.c.seen_at
        query = select(deployed.c.origin, func.count(), func.min(seen), func.max(seen))
        with self._database.reading() as connection:
            return connection.execute(query.group_by(deployed.c.origin)).all()

    def some(self, ids: Iterable[str]) -> list[Deployed]:
        """Return those of these that are deployed."""
        query = select(deployed).where(deployed.c.id.in_(list(ids)))
        with self._database.reading() as connection:
            return [_deployed(row) for row in connection.execute(query).mappings()]

    def get(self, schedule_id: str) -> Deployed | None:
        """Return one deployed schedule, or None."""
        with self._database.reading() as connection:
            found = connection.execute(select(deployed).where(deployed.c.id == schedule_id))
            row = found.mappings().first()
        return None if row is None else _deployed(row)

    def note_read(
        self,
        origin: str,
        *,
        also: Iterable[str],
        at: datetime,
        unprotected: Iterable[Mapping[str, str]] = (),
    ) -> None:
        """
        Note that what is deployed from ``origin`` is what its files said at ``at``, or later.

        ``also`` are further files that they name (calendars), ``unprotected`` their exceptions.
        """
        exceptions = [dict(each) for each in unprotected]
        facts = {"also": sorted(also), "read_at": at, "unprotected": exceptions}
        with self._database.writing(alone="deployed") as connection:
            mine = origins.c.origin == origin
            if not connection.execute(origins.update().where(mine).values(**facts)).rowcount:
                still = select(deployed.c.origin).distinct()
                connection.execute(origins.delete().where(origins.c.origin.not_in(still)))
                connection.execute(origins.insert().values(origin=origin, **facts))

    def origin(self, origin: str) -> Origin | None:
        """Return when the files of an origin were last read, or None."""
        with self._database.reading() as connection:
            query = select(origins).where(origins.c.origin == origin)
            row = connection.execute(query).mappings().first()
        return None if row is None else Origin(**row)

    def unprotected(
        self, *, told_by: Callable[[str], bool] = lambda origin: False
    ) -> dict[str, str]:
        """Return the exceptions of all origins but those that ``told_by`` names: the reason of each, by connection."""
        query = select(origins.c.origin, origins.c.unprotected).order_by(origins.c.read_at)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return {
            each["connection"]: each["reason"]
            for row in rows
            if not told_by(row.origin)
            for each in row.unprotected or ()
        }

    def count(self, origin: str) -> int:
        """Return how many schedules are deployed from an origin."""
        query = select(func.count()).select_from(deployed).where(deployed.c.origin == origin)
        with self._database.reading() as connection:
            return int(connection.scalar(query) or 0)

    def definitions(self, origin: str) -> list[Deployed]:
        """Return what is deployed from an origin and was right once."""
        query = select(deployed).where(deployed.c.origin == origin)
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings()
            return [_deployed(row) for row in rows if row["definition"]]


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
