"""What is wrong with the schedules files, as the DAG processor last found it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from airflow_backup.catalog.database import Database
from airflow_backup.catalog.records import LoadError
from airflow_backup.catalog.stores.deployed import PlainProblem
from airflow_backup.catalog.tables import deployed, load_errors
from airflow_backup.core.clock import utc_now


class LoadErrors:
    """The problems of all origins; ``origin`` is a schedules path."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._database, self._clock = database, clock

    def replace(self, origin: str, problems: Iterable[PlainProblem]) -> None:
        """
        Make ``problems`` all that is wrong with ``origin``.

        A problem that a deployed schedule of the origin has, too, is known to belong to it; so
        the deployed schedules are replaced first.
        """
        now = self._clock()
        found = [problem.as_dict() for problem in problems]
        with self._database.reading() as connection:
            rows = [
                {**problem, "origin": origin, "schedule_id": owner}
                for problem, owner in _owned(connection, origin, found)
            ]
            if _known(connection, origin) == rows:
                return
        with self._database.writing(alone=f"load_errors {origin}") as connection:
            connection.execute(load_errors.delete().where(load_errors.c.origin == origin))
            if rows:
                connection.execute(load_errors.insert(), [{**row, "seen_at": now} for row in rows])

    def all(self) -> list[LoadError]:
        """Return every problem, by file and line."""
        order = (load_errors.c.file, load_errors.c.line, load_errors.c.column, load_errors.c.id)
        with self._database.reading() as connection:
            rows = connection.execute(select(load_errors).order_by(*order)).mappings()
            return [
                LoadError(**{name: value for name, value in row.items() if name != "id"})
                for row in rows
            ]


def _owned(
    connection: Connection, origin: str, problems: list[dict[str, Any]]
) -> list[tuple[dict[str, Any], str | None]]:
    if not problems:
        return []
    query = select(deployed.c.id, deployed.c.problems).where(deployed.c.origin == origin)
    owners = {
        _place(problem): row.id for row in connection.execute(query) for problem in row.problems
    }
    return [(problem, owners.get(_place(problem))) for problem in problems]


def _place(problem: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(problem[key] for key in ("file", "line", "column", "path", "message"))


def _known(connection: Connection, origin: str) -> list[dict[str, Any]]:
    query = select(load_errors).where(load_errors.c.origin == origin).order_by(load_errors.c.id)
    rows = connection.execute(query).mappings()
    return [{k: v for k, v in row.items() if k not in ("id", "seen_at")} for row in rows]
