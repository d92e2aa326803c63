"""
What Prometheus reads: one gauge for each fact of each schedule. Pure.

Text format 0.0.4, https://prometheus.io/docs/instrumenting/exposition_formats/. Moments are Unix times, so that an
alert is ``airflow_backup_protected == 0`` or ``airflow_backup_seconds_until_late < 0``, for every schedule always.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain

from airflow_backup.catalog.rules.protection import Protection
from airflow_backup.catalog.sums import Sums
from airflow_backup.core.words import ExecutionStatus, ProtectionState
from airflow_backup.plugin.schemas.status import Component, CoverageCounts
from airflow_backup.plugin.views.briefs import Ended, Listed

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "airflow_backup"
_HELP = {
    "enabled": "Whether the schedule is enabled.",
    "protected": "Whether the newest set is good, young enough and proven as asked.",
    "protection_state": "1 for the one state that holds: broken, lost, late, at_risk, never or good.",
    "seconds_until_late": "Seconds until the newest good set is too old; negative when it is.",
    "failures_in_row": "How many runs failed since the last that completed.",
    "needs_attention": "Whether a person should look.",
    "running": "Whether a run is under way.",
    "alert_after_seconds": "The age of the last good set after which the schedule is late.",
    "next_run_timestamp_seconds": "When the next run is due.",
    "last_run_timestamp_seconds": "When the newest run ended.",
    "last_run_duration_seconds": "How long it took.",
    "last_run_success": "Whether it completed.",
    "last_run_bytes_read": "What the newest completed run read.",
    "last_run_bytes_stored": "What the newest completed run stored.",
    "last_good_timestamp_seconds": "The moment of the source that the newest good set restores.",
    "last_verified_timestamp_seconds": "When a set was last verified.",
    "last_restore_test_timestamp_seconds": "When a restore was last tried.",
    "last_restore_seconds": "How long the last restore took.",
    "sets": "How many sets are kept.",
    "chains": "How many chains can be restored.",
    "quarantined_sets": "How many sets failed a verification.",
    "stored_bytes": "What all sets of the schedule take.",
    "maintenance": "Whether nothing starts because of maintenance.",
    "connections": "How many connections an engine can back up, but for exceptions.",
    "unprotected_connections": "How many of them no enabled schedule protects.",
    "component_up": "Whether a process of Airflow is well.",
}

Sample = tuple[str, dict[str, str], float]


def metrics(
    schedules: Iterable[Listed],
    protections: Mapping[str, Protection],
    sums: Mapping[str, Sums],
    components: Iterable[Component],
    *,
    now: datetime,
    in_maintenance: bool = False,
    covered: CoverageCounts | None = None,
) -> str:
    """Return the page; a fact that is not known, or that the reader may not know, has no sample."""
    samples: dict[str, list[str]] = defaultdict(list)
    for name, labels, value in chain(
        [("maintenance", {}, float(in_maintenance))],
        _of_schedules(schedules, protections, sums, now),
        _of_components(components),
    ):
        shown = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        braces = f"{{{shown}}}" if shown else ""
        samples[name].append(f"{_PREFIX}_{name}{braces} {value:.17g}")
    for name, count in () if covered is None else _of_connections(covered):
        samples[name].append(f"{_PREFIX}_{name} {count}")
    lines: list[str] = []
    for name, text in _HELP.items():
        if name in samples:
            head = f"{_PREFIX}_{name}"
            lines += [f"# HELP {head} {text}", f"# TYPE {head} gauge", *samples[name]]
    return "\n".join(lines) + "\n"


def _of_schedules(
    schedules: Iterable[Listed],
    protections: Mapping[str, Protection],
    sums: Mapping[str, Sums],
    now: datetime,
) -> Iterator[Sample]:
    for schedule in schedules:
        own = {"schedule": schedule.id, "group": schedule.group or ""}
        judged = protections[schedule.id]
        for name, value in _of_schedule(schedule, judged, now).items():
            if value is not None:
                yield name, own, float(value)
        for state in ProtectionState:
            holds = schedule.protection.state is state
            yield "protection_state", {**own, "state": state}, float(holds)
        for name, value in _of_sets(judged, sums[schedule.id]).items():
            if value is not None:
                yield name, {"schedule": schedule.id}, float(value)


def _of_components(components: Iterable[Component]) -> Iterator[Sample]:
    for component in components:
        if component.healthy is not None:
            yield "component_up", {"component": component.name}, float(component.healthy)


def _of_connections(covered: CoverageCounts) -> Iterator[tuple[str, int]]:
    yield "connections", covered.total
    yield "unprotected_connections", covered.unprotected


def _of_schedule(schedule: Listed, judged: Protection, now: datetime) -> dict[str, float | None]:
    last, good, following = schedule.last_run, schedule.last_good, schedule.next_run
    return {
        "enabled": schedule.enabled,
        "protected": schedule.protection.state is ProtectionState.GOOD,
        "seconds_until_late": judged.seconds_until_late(now),
        "failures_in_row": judged.failures_in_row,
        "needs_attention": schedule.protection.needs_attention,
        "running": schedule.active_run is not None,
        "alert_after_seconds": schedule.protection.deadline,
        "next_run_timestamp_seconds": None if following is None else _unix(following.at),
        "last_run_timestamp_seconds": None if last is None else _unix(last.finished_at),
        "last_run_duration_seconds": None if last is None else _took(last),
        "last_run_success": None if last is None else last.status is ExecutionStatus.COMPLETED,
        "last_run_bytes_read": None if good is None else good.bytes_read,
        "last_run_bytes_stored": None if good is None else good.bytes_stored,
    }


def _of_sets(judged: Protection, sums: Sums) -> dict[str, float | None]:
    good, test = judged.last_good, judged.last_restore_test
    return {
        "last_good_timestamp_seconds": None if good is None else _unix(good.consistent_at),
        "last_verified_timestamp_seconds": _unix(sums.last_verified_at),
        "last_restore_test_timestamp_seconds": None if test is None else _unix(test.finished_at),
        "last_restore_seconds": None if test is None else test.details.get("restore_seconds"),
        "sets": sums.sets,
        "chains": sums.chains,
        "quarantined_sets": sums.quarantined,
        "stored_bytes": sums.bytes_stored,
    }


def _took(run: Ended) -> float | None:
    if run.started_at is None or run.finished_at is None:
        return None
    return max(0.0, (run.finished_at - run.started_at).total_seconds())


def _unix(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _escaped(text: str) -> str:
    r"""
    Escape a label's value.

    >>> print(_escaped('a"b\\c'))
    a\"b\\c
    """
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
