"""When a schedule's DAG runs: our fire times behind Airflow's timetable."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable
from pendulum import DateTime, instance

from airflow_backup.core.clock import utc_now
from airflow_backup.core.words import Kind
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.times.fire_times import FixedRhythm, rhythm_of, slot_to_run


class BackupTimetable(Timetable):
    """
    The union of a schedule's levels, or a steady rhythm; a pure function of its state and the clock.

    :param crons: a cron expression for each kind
    :param every: seconds between runs, instead of ``crons``
    :param kind: the kind of a steady rhythm
    :param timezone: the zone in which times are meant
    :param offset: seconds by which every run is shifted (jitter)
    :param made_up_for: seconds; the latest missed slot runs when it is not older than this
    """

    # Airflow rebuilds a timetable many times for each DAG and each sync, so building one must cost nothing.

    def __init__(
        self,
        *,
        crons: Mapping[str, str] | None = None,
        every: int | None = None,
        kind: str = Kind.FULL,
        timezone: str = "UTC",
        offset: int = 0,
        made_up_for: int = 0,
    ) -> None:
        self.rhythm = FixedRhythm(
            crons={Kind(name): cron for name, cron in (crons or {}).items()},
            every=None if every is None else timedelta(seconds=every),
            kind=Kind(kind),
            timezone=timezone,
            offset=timedelta(seconds=offset),
        )
        self.made_up_for = timedelta(seconds=made_up_for)
        self.description = self._describe()
        self.clock: Callable[[], datetime] = utc_now

    @classmethod
    def of(cls, schedule: Schedule) -> BackupTimetable:
        """Make the timetable of a schedule."""
        rhythm = rhythm_of(schedule)
        grace = schedule.missed_grace if schedule.missed == "run_once" else timedelta(0)
        return cls(
            crons={kind.value: cron for kind, cron in rhythm.crons.items()},
            every=None if rhythm.every is None else int(rhythm.every.total_seconds()),
            kind=rhythm.kind,
            timezone=rhythm.timezone,
            offset=int(rhythm.offset.total_seconds()),
            made_up_for=int(grace.total_seconds()),
        )

    def serialize(self) -> dict[str, Any]:
        """Return the state as plain data, always in the same order."""
        state: dict[str, Any] = {"timezone": self.rhythm.timezone}
        if self.rhythm.every is not None:
            state |= {
                "every": int(self.rhythm.every.total_seconds()),
                "kind": self.rhythm.kind.value,
            }
        else:
            state["crons"] = {kind.value: cron for kind, cron in self.rhythm.crons.items()}
        if self.rhythm.offset:
            state["offset"] = int(self.rhythm.offset.total_seconds())
        if self.made_up_for:
            state["made_up_for"] = int(self.made_up_for.total_seconds())
        return state

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> BackupTimetable:
        """Return the timetable with this state; the same object for the same state."""
        return _remembered(json.dumps(data, sort_keys=True))

    @property
    def summary(self) -> str:
        """What Airflow shows in its lists."""
        if self.rhythm.every is not None:
            return f"every {self.rhythm.every}"
        return ", ".join(self.rhythm.crons.values())

    def _describe(self) -> str:
        if self.rhythm.every is not None:
            return f"{self.rhythm.kind} every {self.rhythm.every}"
        kinds = ", ".join(f"{kind} at {cron}" for kind, cron in self.rhythm.crons.items())
        return f"{kinds} ({self.rhythm.timezone})"

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        """Give a manual run its own moment."""
        return DataInterval.exact(run_after)

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the slot that runs next; Airflow's catchup is not consulted, ``missed`` decides."""
        last = None if last_automated_data_interval is None else last_automated_data_interval.start
        occurrence = slot_to_run(
            self.rhythm, last=last, now=self.clock(), made_up_for=self.made_up_for
        )
        if occurrence is None or (
            restriction.latest is not None and occurrence.at > restriction.latest
        ):
            return None
        return DagRunInfo.exact(instance(occurrence.at))


@lru_cache(maxsize=20_000)
def _remembered(state: str) -> BackupTimetable:
    # Airflow leaves a method of this Protocol to asset partitions, which we have none of.
    return BackupTimetable(**json.loads(state))  # pyright: ignore[reportAbstractUsage]
