"""The executions of many schedules in one order, page by page."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select

from airflow_backup.catalog.database import Database
from airflow_backup.catalog.run_records import Execution
from airflow_backup.catalog.stores.execution_reads import execution_of
from airflow_backup.catalog.stores.probe import Order, Place, given_ids
from airflow_backup.catalog.tables import executions
from airflow_backup.core.words import ExecutionStatus, Kind, Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which executions are wanted; an empty choice means all."""

    schedules: Collection[str]
    """The ids of the schedules, and here empty means none."""

    statuses: Collection[ExecutionStatus] = ()
    triggers: Collection[Trigger] = ()
    kinds: Collection[Kind] = ()
    not_before: datetime | None = None
    until: datetime | None = None
    """Of those that came into being from the one moment on, and before the other."""


class History:
    """Reads the executions of many schedules."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, wanted: Wanted, *, limit: int, below: Place | None = None) -> list[Execution]:
        """Return at most ``limit`` executions, the newest first, of those that come after ``below``."""
        if not wanted.schedules:
            return []
        columns = executions.c
        order = Order(
            (columns.since, columns.schedule_id, columns.run_id),
            self._database.url.get_backend_name(),
        )
        query = self._chosen(wanted).order_by(*order.newest_first()).limit(limit)
        if below is not None:
            query = query.where(order.below(below))
        with self._database.reading() as connection:
            return [execution_of(row) for row in connection.execute(query).mappings()]

    def _chosen(self, wanted: Wanted) -> Select[tuple[object, ...]]:
        columns = executions.c
        ids = given_ids(sorted(wanted.schedules), is_sqlite=self._database.is_sqlite)
        query = select(executions).where(columns.schedule_id.in_(select(ids.c.id)))
        choices = (
            (columns.status, wanted.statuses),
            (columns.trigger, wanted.triggers),
            (columns.kind, wanted.kinds),
        )
        for column, values in choices:
            if values:
                query = query.where(column.in_(sorted(map(str, values))))
        if wanted.not_before is not None:
            query = query.where(columns.since >= wanted.not_before)
        if wanted.until is not None:
            query = query.where(columns.since < wanted.until)
        return query
