"""Is what schedules protect safe? One answer for page, API, metrics, ``status``, ``report`` and monitor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.rules.known import Known
from airflow_backup.catalog.rules.protection import Protection, protection
from airflow_backup.catalog.stores.standings import Standing
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.times.deadlines import deadline_of

_UNKNOWN = timedelta(days=2)
"""The limit of a schedule that was never right: nobody knows its rhythm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A schedule as somebody knows it who asks."""

    id: str
    schedule: Schedule | None
    """What is in effect; None where nothing ever was right."""

    enabled: bool | None
    """None while it has no DAG."""

    rejected: str | None = None
    """Why what is written is wrong and nothing runs."""

    outdated: str | None = None
    """Why what is written is wrong, while the version before it runs on."""

    is_made: bool = False
    """Whether somebody made it on the page, and no file names it."""

    @classmethod
    def of(cls, schedule: Schedule) -> Subject:
        """Return a schedule as its file says it, where there is no Airflow to ask."""
        return cls(id=schedule.id, schedule=schedule, enabled=schedule.enabled)


def protections(
    subjects: Iterable[Subject],
    catalog: Catalog,
    *,
    now: datetime,
    others: Mapping[str, Schedule] | None = None,
) -> dict[str, Protection]:
    """
    Return how safe each is, by its id; a schedule that nobody saw before was first seen ``now``.

    ``others`` are all schedules, where not all are asked about: one that runs after another has its deadline.
    """
    asked = list(subjects)
    standings = catalog.standings.of((each.id for each in asked), now=now)
    if others is None:
        others = {each.id: each.schedule for each in asked if each.schedule is not None}
    found = {}
    for subject in asked:
        known = known_of(subject, standings[subject.id], others=others, now=now)
        found[subject.id] = protection(known, now=now)
    return found


def known_of(
    subject: Subject, standing: Standing, *, others: Mapping[str, Schedule], now: datetime
) -> Known:
    """Return what a schedule is judged by; ``others`` are the schedules that it may run after."""
    deadline = _UNKNOWN
    if subject.schedule is not None:
        deadline = deadline_of(
            subject.schedule, others=others, usual_duration=standing.usual_duration
        )
    verify = None if subject.schedule is None else subject.schedule.verify
    test = None if verify is None else verify.restore_test
    return Known(
        first_seen=standing.first_seen or now,
        enabled=subject.enabled,
        rejected=subject.rejected,
        outdated=subject.outdated,
        deadline=deadline,
        is_verified=verify is not None and verify.level != "none",
        verify_every=1 if verify is None else verify.every,
        restore_test=None if test == "never" else test,
        sets=standing.sets,
        last_passed=standing.last_passed,
        last_restore_test=standing.last_restore_test,
        failures_in_row=standing.failures_in_row,
        last_error=standing.last_error,
    )
