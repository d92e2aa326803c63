"""What people told runs that go on: wait, go on, stop; kept for good, with who and why."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, and_, func, select

from airflow_backup.catalog.database import Database
from airflow_backup.catalog.run_records import Order
from airflow_backup.catalog.stores.events import lock_events
from airflow_backup.catalog.stores.probe import is_one_of_pairs
from airflow_backup.catalog.tables import orders
from airflow_backup.core.errors import Refused


class Orders:
    """The orders to all runs, which are only ever added to."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        schedule_id: str,
        run_id: str,
        action: Literal["pause", "resume", "cancel"],
        *,
        by: str,
        at: datetime,
        reason: str | None = None,
        begun_at: datetime | None = None,
    ) -> Order:
        """
        Tell a run something; return the order that counts.

        The first cancel wins, for good: a second one changes nothing, and what comes between it and its effect is
        Refused. ``begun_at`` is when the run came into being, or was cleared: what it was told before is over.
        """
        with self._database.writing() as connection:
            lock_events(connection)  # of two orders at once one comes first
            cancel = _cancel_of(connection, schedule_id, run_id, since=begun_at)
            if cancel is not None and action == "cancel":
                return cancel
            if cancel is not None:
                raise Refused(f"the run was {cancel.text}", hint="it ends within seconds")
            number = connection.execute(
                orders.insert()
                .values(
                    schedule_id=schedule_id,
                    run_id=run_id,
                    action=action,
                    by=by,
                    at=at,
                    reason=reason,
                )
                .returning(orders.c.id)
            ).scalar_one()
            row = connection.execute(select(orders).where(orders.c.id == number)).mappings().one()
            return Order(**row)

    def last(self, schedule_id: str, run_id: str) -> Order | None:
        """Return what a run was told last, or None."""
        return self.newest([(schedule_id, run_id)]).get((schedule_id, run_id))

    def newest(self, runs: Collection[tuple[str, str]]) -> dict[tuple[str, str], Order]:
        """Return what each of these runs, given as (schedule id, run id), was told last."""
        if not runs:
            return {}
        columns = orders.c.schedule_id, orders.c.run_id
        with self._database.reading() as connection:
            given = is_one_of_pairs(columns, runs, dialect=connection.dialect.name)
            last = select(func.max(orders.c.id)).where(given).group_by(*columns)
            rows = connection.execute(select(orders).where(orders.c.id.in_(last))).mappings()
            found = [Order(**row) for row in rows]
        return {(order.schedule_id, order.run_id): order for order in found}

    def of_run(self, schedule_id: str, run_id: str) -> list[Order]:
        """Return all that a run was told, in order."""
        query = (
            select(orders)
            .where(orders.c.schedule_id == schedule_id, orders.c.run_id == run_id)
            .order_by(orders.c.id)
        )
        with self._database.reading() as connection:
            return [Order(**row) for row in connection.execute(query).mappings()]


def _cancel_of(
    connection: Connection, schedule_id: str, run_id: str, *, since: datetime | None
) -> Order | None:
    mine = and_(orders.c.schedule_id == schedule_id, orders.c.run_id == run_id)
    query = select(orders).where(mine, orders.c.action == "cancel").order_by(orders.c.id)
    if since is not None:
        query = query.where(orders.c.at >= since)
    row = connection.execute(query.limit(1)).mappings().first()
    return None if row is None else Order(**row)
