"""
How many backups work on one repository, or read from one host, at the same time: as many as `limits` says.

Each has one of so many leases in the catalog. Who finds none free waits in the order of coming, by a lease of its own
that is over soon after it is heard of no more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.run_records import Lease
from airflow_backup.core.connections import Connections
from airflow_backup.core.errors import BackupError, PlaceFull
from airflow_backup.core.worker import machine_of, this_host
from airflow_backup.schedules.model.limits import AtOnce
from airflow_backup.schedules.model.repository_url import same_address
from airflow_backup.schedules.model.sources import EngineOptions

_WAITS = timedelta(minutes=2)
"""Whoever waits looks again a few times in this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Something on which no more than ``most`` backups work at the same time."""

    name: str
    words: str
    most: int


def limited_places(
    limits: AtOnce, *, repository: str, source: EngineOptions, connections: Connections
) -> list[Place]:
    """Return the places of a run that have a limit."""
    found = []
    if limits.repository is not None:
        words = "its repository"
        found.append(_place("repository", same_address(repository), words, most=limits.repository))
    if limits.host is not None:
        host = _host_of(source, connections)
        found.append(_place("host", host, f"host '{host}'", most=limits.host))
    return found


def _place(kind: str, what: str, words: str, *, most: int) -> Place:
    name = f"{kind}:{hashlib.sha256(what.encode()).hexdigest()[:32]}"
    return Place(name=name, words=words, most=most)


def _host_of(source: EngineOptions, connections: Connections) -> str:
    """Return the server that is read; the worker itself where it reads its own disk, or a program does."""
    connection = getattr(source, "connection", None)
    try:
        host = None if connection is None else connections(connection).host
    except BackupError:
        host = None  # the backup itself says what is wrong with it
    return machine_of(host)


class LimitLeases:
    """What one run has of the places with a limit."""

    def __init__(
        self,
        places: Sequence[Place],
        *,
        clock: Callable[[], datetime],
        schedule_id: str,
        run_id: str,
        lasts: timedelta,
    ) -> None:
        self._places, self._clock, self._lasts = places, clock, lasts
        self._run = schedule_id, run_id
        self._held: dict[str, str] = {}

    def take(self, catalog: Catalog) -> None:
        """Take one lease of each place, or keep it; PlaceFull, with nothing kept, where there is none."""
        for place in self._places:
            held = self._held.get(place.name)
            if held is None or not self._is_ours(catalog, held, self._lasts):
                self._take_new(catalog, place)

    def give_back(self, catalog: Catalog) -> None:
        """Give back every place that the run holds in its repository and host."""
        schedule_id, run_id = self._run
        for name in [*self._held.values()]:
            catalog.leases.give_back(name, schedule_id=schedule_id, run_id=run_id)
        self._held.clear()

    def _take_new(self, catalog: Catalog, place: Place) -> None:
        waiting = f"wait:{place.name}:{self._run[0]}"
        self._is_ours(catalog, waiting, _WAITS)
        known = catalog.leases.active(now=self._clock())
        others = [each for each in known if not self._has(each)]
        works = [each for each in others if each.name.startswith(f"{place.name}:")]
        before = self._before(known, place, waiting)
        if len(works) + before < place.most:
            for number in range(place.most):
                name = f"{place.name}:{number}"
                if self._is_ours(catalog, name, self._lasts):
                    self._held[place.name] = name
                    schedule_id, run_id = self._run
                    catalog.leases.give_back(waiting, schedule_id=schedule_id, run_id=run_id)
                    return
        names = ", ".join(sorted(each.schedule_id for each in works)) or "others that came first"
        count = "1 backup" if place.most == 1 else f"{place.most} backups"
        raise PlaceFull(
            f"{place.words} takes {count} at once, and there are {names}; number {before + 1} in the queue",
            hint="it goes on when one of them has finished; `limits` says how many",
        )

    def _before(self, known: Sequence[Lease], place: Place, own: str) -> int:
        """Count who waits for longer."""
        queue = [each for each in known if each.name.startswith(f"wait:{place.name}:")]
        order = sorted(queue, key=lambda each: (each.taken_at, each.name))
        names = [each.name for each in order]
        return names.index(own) if own in names else len(names)

    def _has(self, lease: Lease) -> bool:
        return (lease.schedule_id, lease.run_id) == self._run

    def _is_ours(self, catalog: Catalog, name: str, lasts: timedelta) -> bool:
        schedule_id, run_id = self._run
        held = catalog.leases.take(
            name,
            schedule_id=schedule_id,
            run_id=run_id,
            host=this_host(),
            at=self._clock(),
            lasts=lasts,
        )
        return self._has(held)
