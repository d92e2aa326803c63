"""
Two schedules never read one source at the same time: whoever reads it has it for himself, by a lease in the catalog.
And no more work on one repository or host than `limits` says.

The leases are renewed while the run goes on, and end by themselves a few minutes after a crash.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from airflow_backup.actions.backup.limits.limit_leases import LimitLeases, limited_places
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.run_records import Lease
from airflow_backup.core.connections import Connections
from airflow_backup.core.errors import BackupError, PlaceFull, SourceBusy
from airflow_backup.core.worker import this_host
from airflow_backup.schedules.model.limits import AtOnce
from airflow_backup.schedules.model.sources import EngineOptions

logger = logging.getLogger(__name__)

LASTS = timedelta(minutes=5)
"""After a crash; a catalog that is away for less costs nothing."""

RENEWED = timedelta(seconds=20)


class SourceLease:
    """
    The source of one run, for as long as the ``with`` block; SourceBusy where another schedule has it.

    PlaceFull where ``limits`` let no further backup work on ``repository``, or read from the host of the source.
    """

    def __init__(
        self,
        source: EngineOptions,
        connections: Connections,
        *,
        catalog: Catalog,
        clock: Callable[[], datetime],
        schedule_id: str,
        run_id: str,
        limits: AtOnce | None = None,
        repository: str = "",
    ) -> None:
        self._catalog, self._clock = catalog, clock
        places = limited_places(
            limits or AtOnce(), repository=repository, source=source, connections=connections
        )
        self._limits = LimitLeases(
            places, clock=clock, schedule_id=schedule_id, run_id=run_id, lasts=LASTS
        )
        self._schedule_id, self._run_id = schedule_id, run_id
        self._names = _names(source, connections)
        self._renewed_at: datetime | None = None
        self._is_over = False

    def __enter__(self) -> Self:
        if self._renewed_at is None:
            self.take()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over = True
        self._give_back()

    def renew(self) -> None:
        """
        Keep the source, a few times a minute; SourceBusy where another schedule took it meanwhile.

        For a thread that asks again anyway: it does not wait for a catalog that is away.
        """
        at = self._renewed_at
        if at is None or not at <= self._clock() < at + RENEWED:  # also when the clock was set back
            self._take(self._catalog.impatient())
            if self._is_over:  # the answer came after the run was over
                self._give_back()

    def take(self) -> None:
        """Take the source, or keep it; SourceBusy where another schedule has it, PlaceFull where there is no place."""
        self._take(self._catalog)

    def _take(self, catalog: Catalog) -> None:
        now = self._clock()
        for name in self._names:
            held = catalog.leases.take(
                name,
                schedule_id=self._schedule_id,
                run_id=self._run_id,
                host=this_host(),
                at=now,
                lasts=LASTS,
            )
            if (held.schedule_id, held.run_id) != (self._schedule_id, self._run_id):
                self._give_back()
                raise SourceBusy(busy_text(held), hint="it goes on when that has finished")
        try:
            self._limits.take(catalog)
        except PlaceFull:
            self._give_back()
            raise
        self._renewed_at = now

    def _give_back(self) -> None:
        try:
            self._limits.give_back(self._catalog)
        except BackupError as error:
            logger.warning("its places are free only in %s: %s", LASTS, error.message)
        for name in self._names:
            try:
                self._catalog.leases.give_back(
                    name, schedule_id=self._schedule_id, run_id=self._run_id
                )
            except BackupError as error:
                logger.warning("the source is free only in %s: %s", LASTS, error.message)


def busy_text(held: Lease) -> str:
    """Say who reads the source."""
    return (
        f"schedule '{held.schedule_id}' reads the same source since "
        f"{held.taken_at:%H:%M:%S} UTC, on {held.host}"
    )


def _names(source: EngineOptions, connections: Connections) -> list[str]:
    try:
        places = source.places(connections)
    except BackupError:
        return []  # the backup itself says what is wrong with it
    return sorted({f"source:{hashlib.sha256(place.encode()).hexdigest()[:32]}" for place in places})
