"""
Who has something for himself at this moment: a source that no two schedules may read at once.

A lease ends by itself when its holder is heard of no more, so that a crash frees it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import IntegrityError

from airflow_backup.catalog.address import SQLITE
from airflow_backup.catalog.database import Database
from airflow_backup.catalog.run_records import Lease
from airflow_backup.catalog.tables import leases


class Leases:
    """The leases of all runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(
        self,
        name: str,
        *,
        schedule_id: str,
        run_id: str,
        host: str,
        at: datetime,
        lasts: timedelta,
    ) -> Lease:
        """
        Take the lease ``name``, or renew it; return who has it now, which may be another run.

        A lease that is over is taken from whoever had it. Between machines the clock of the database server counts;
        ``at`` counts where the catalog is a file of one machine.
        """
        with self._database.writing() as connection:
            at = _now(connection, at)
            wanted = Lease(
                name=name,
                schedule_id=schedule_id,
                run_id=run_id,
                host=host,
                taken_at=at,
                expires_at=at + lasts,
            )
            held = _held(connection, name)
            if held is None:
                return _insert(connection, wanted)
            is_ours = (held.schedule_id, held.run_id) == (schedule_id, run_id)
            if not is_ours and held.expires_at > at:
                _shorten(connection, held, until=wanted.expires_at)
                return held
            values = {
                "schedule_id": schedule_id,
                "run_id": run_id,
                "host": host,
                "expires_at": wanted.expires_at,
            }
            if not is_ours:
                values["taken_at"] = at
            connection.execute(leases.update().where(leases.c.name == name).values(**values))
        return wanted

    def give_back(self, name: str, *, schedule_id: str, run_id: str) -> None:
        """End a lease that this run has; nothing happens where it has none."""
        with self._database.writing() as connection:
            connection.execute(
                leases.delete().where(
                    leases.c.name == name,
                    leases.c.schedule_id == schedule_id,
                    leases.c.run_id == run_id,
                )
            )

    def active(self, *, now: datetime) -> list[Lease]:
        """Return the leases that count."""
        query = select(leases).where(leases.c.expires_at > now).order_by(leases.c.name)
        with self._database.reading() as connection:
            return [Lease(**row) for row in connection.execute(query).mappings()]


def _now(connection: Connection, at: datetime) -> datetime:
    if connection.dialect.name == SQLITE:
        return at
    moment: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return moment


def _shorten(connection: Connection, held: Lease, *, until: datetime) -> None:
    """Let no lease last for longer than one taken now, for its clock was wrong; who lives renews it."""
    if held.expires_at > until:
        connection.execute(
            leases.update().where(leases.c.name == held.name).values(expires_at=until)
        )


def _held(connection: Connection, name: str) -> Lease | None:
    query = select(leases).where(leases.c.name == name).with_for_update()
    row = connection.execute(query).mappings().first()
    return None if row is None else Lease(**row)


def _insert(connection: Connection, wanted: Lease) -> Lease:
    """Insert a lease; where another run was faster, that one has it."""
    try:
        with connection.begin_nested():
            connection.execute(
                leases.insert().values(
                    name=wanted.name,
                    schedule_id=wanted.schedule_id,
                    run_id=wanted.run_id,
                    host=wanted.host,
                    taken_at=wanted.taken_at,
                    expires_at=wanted.expires_at,
                )
            )
    except IntegrityError:
        held = _held(connection, wanted.name)
        assert held is not None
        return held
    return wanted
