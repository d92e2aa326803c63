"""One look at everything: judge, compare with the look before, tell what changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from airflow_backup.actions.alerts.monitor.unserved import HINT, Overdue, overdue, silence
from airflow_backup.actions.report.protection import Subject, protections
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.notices.monitor_state import Observation
from airflow_backup.catalog.records import Event
from airflow_backup.catalog.rules.protection import Protection
from airflow_backup.catalog.run_records import Execution
from airflow_backup.core.words import ProtectionState
from airflow_backup.schedules.times.holds import AIRFLOW_ITSELF

Place = Literal["airflow", "shell"]
AIRFLOW: Final = "airflow"
SHELL: Final = "shell"
UNSERVED = "unserved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What one round of the monitor found, and which messages it queued."""

    at: datetime
    subjects: Sequence[Subject]
    protections: Mapping[str, Protection]
    overdue: Sequence[Overdue]
    unserved: str | None
    """Why Airflow seems to serve nothing; None where it seems well, and where Airflow itself looks."""

    changes: Sequence[Event]
    """What was told of it: stale, recovered."""

    @property
    def troubled(self) -> list[str]:
        """The schedules that a person should look at, the worst first."""
        found = [name for name, each in self.protections.items() if each.needs_attention]
        ranks = list(ProtectionState)
        return sorted(found, key=lambda name: (ranks.index(self.protections[name].state), name))

    @property
    def is_well(self) -> bool:
        """Whether nobody needs to look at anything."""
        return not self.troubled and self.unserved is None


def check(
    catalog: Catalog,
    subjects: Sequence[Subject],
    *,
    place: Place,
    now: datetime,
    every: timedelta | None = None,
) -> Checked:
    """
    Look at ``subjects`` and at Airflow, and tell what changed.

    ``place`` is where the look comes from, ``every`` how long after it the next one comes, where that is known.
    """
    up_to = catalog.events.last_id()
    ids = [each.id for each in subjects]
    catalog.standings.note_seen(ids, at=now)
    judged = protections(subjects, catalog, now=now)
    last = catalog.executions.last(ids)
    late = _overdue(catalog, subjects, last, now=now)
    unserved = None if place == AIRFLOW else _silence(catalog, late, last, now=now)
    observations = {name: observation_of(each, now=now) for name, each in judged.items()}
    observations[AIRFLOW_ITSELF] = _observation_of_airflow(unserved)
    changes = catalog.monitor_state.note(observations, at=now, up_to=up_to)
    catalog.monitor_state.note_check(place, at=now, every=every)
    return Checked(
        at=now,
        subjects=subjects,
        protections=judged,
        overdue=late,
        unserved=unserved,
        changes=changes,
    )


def observation_of(found: Protection, *, now: datetime) -> Observation:
    """Return what is remembered and told of how safe a schedule is."""
    stale = found.needs_attention and found.state is not ProtectionState.GOOD
    if found.state is ProtectionState.NEVER and now <= found.late_at:
        stale = False  # its runs fail, and tell that themselves
    detail: dict[str, Any] = {
        "state": found.state,
        "reason": found.reason,
        "since": found.since.isoformat(),
        "deadline": found.deadline.total_seconds(),
    }
    if found.last_good is not None:
        detail["last_good_at"] = found.last_good.consistent_at.isoformat()
        detail["set_id"] = found.last_good.set_id
    return Observation(
        state=found.state, is_stale=stale, needs_attention=found.needs_attention, detail=detail
    )


def _observation_of_airflow(unserved: str | None) -> Observation:
    if unserved is None:
        detail = {"state": "good", "reason": "Airflow serves backups"}
        return Observation(state="good", is_stale=False, needs_attention=False, detail=detail)
    detail = {"state": UNSERVED, "reason": unserved, "hint": HINT}
    return Observation(state=UNSERVED, is_stale=True, needs_attention=True, detail=detail)


def _overdue(
    catalog: Catalog,
    subjects: Sequence[Subject],
    last: Mapping[str, Execution],
    *,
    now: datetime,
) -> list[Overdue]:
    served = dict(catalog.standings.first_seen(each.id for each in subjects))
    served |= {name: max(each.run_at, each.since) for name, each in last.items()}
    for name, switched_at in catalog.monitor_state.enabled_since().items():
        served[name] = max(served.get(name, switched_at), switched_at)
    holds = catalog.holds.all_active(now=now)
    return overdue(subjects, served=served, since=now - timedelta(days=7), holds=holds, now=now)


def _silence(
    catalog: Catalog, late: Sequence[Overdue], last: Mapping[str, Execution], *, now: datetime
) -> str | None:
    begun = [each.since for each in last.values()]
    return silence(
        late,
        last_check=catalog.monitor_state.last_check(AIRFLOW),
        last_run=max(begun, default=None),
        now=now,
    )
