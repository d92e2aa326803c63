"""`airflow-backup status`: how every schedule stands; exit 1 when asked to and one is stale."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_backup.cli import exit_codes
from airflow_backup.cli.arguments import (
    add_catalog,
    add_format,
    add_schedules,
    loaded,
    open_catalog,
)
from airflow_backup.cli.output import iso, local, print_json, print_table
from airflow_backup.core.durations import format_duration
from airflow_backup.schedules.model.schedule import Schedule

if TYPE_CHECKING:
    from airflow_backup.catalog.stores.executions import Execution


@dataclass(frozen=True)
class Standing:
    """How one schedule stands: its last execution, its last good one, and whether that is too old."""

    schedule: Schedule
    last: Execution | None
    good: Execution | None
    stale: str | None


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "status", help="show how every schedule stands, from the catalog"
    )
    parser.add_argument(
        "--fail-if-stale",
        action="store_true",
        help="exit 1 when a schedule is stale (see alert_after)",
    )
    add_schedules(parser)
    add_catalog(parser)
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print a line for each schedule."""
    schedules = list(loaded(arguments.schedules).by_id().values())
    now = datetime.now(UTC)
    with open_catalog(arguments.catalog) as catalog:
        ids = [schedule.id for schedule in schedules]
        last, good = catalog.executions.last(ids), catalog.executions.last_completed(ids)
    standings = [
        Standing(
            item,
            last.get(item.id),
            good.get(item.id),
            stale_reason(item, good.get(item.id), now=now),
        )
        for item in schedules
    ]
    if arguments.format == "json":
        print_json([_dict(standing) for standing in standings])
    else:
        print_table(
            ("SCHEDULE", "LAST", "STATUS", "LAST GOOD", "STALE"), [_row(item) for item in standings]
        )
    stale = any(standing.stale for standing in standings)
    return exit_codes.BAD if stale and arguments.fail_if_stale else exit_codes.DONE


def stale_reason(schedule: Schedule, good: Execution | None, *, now: datetime) -> str | None:
    """Say why the schedule is stale, or None; never without ``alert_after``."""
    if schedule.alert_after is None or not schedule.enabled:
        return None
    limit = format_duration(schedule.alert_after)
    if good is None or good.finished_at is None:
        return f"no good set yet, limit {limit}"
    age = now - good.finished_at
    return f"{format_duration(age)} old, limit {limit}" if age > schedule.alert_after else None


def _row(standing: Standing) -> tuple[str, ...]:
    last, good, zone = standing.last, standing.good, standing.schedule.timezone
    return (
        standing.schedule.id,
        local(last.started_at, zone) if last is not None else "-",
        last.status.value if last is not None else "never ran",
        local(good.finished_at, zone) if good is not None else "-",
        standing.stale or "no",
    )


def _dict(standing: Standing) -> dict[str, Any]:
    last, good = standing.last, standing.good
    return {
        "schedule": standing.schedule.id,
        "status": last.status.value if last is not None else None,
        "last_at": iso(last.started_at) if last is not None else None,
        "last_good_at": iso(good.finished_at) if good is not None else None,
        "last_good_set": good.set_id if good is not None else None,
        "stale": standing.stale,
        "error": last.error if last is not None else None,
    }
