"""`airflow-backup status`: how safe every schedule is; exit 1 when asked to and one is not."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
from airflow_backup.core.clock import utc_now
from airflow_backup.core.words import ProtectionState

if TYPE_CHECKING:
    from airflow_backup.catalog.rules.protection import Protection
    from airflow_backup.catalog.run_records import Execution


@dataclass(frozen=True)
class Standing:
    """How one schedule stands: how safe it is, and its last execution."""

    schedule_id: str
    timezone: str
    protection: Protection
    last: Execution | None
    waits: str | None
    """Why it waits for the schedules that it runs after; None where it does not."""


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "status", help="show how safe every schedule is, from the catalog"
    )
    parser.add_argument(
        "--fail-if-stale",
        action="store_true",
        help="exit 1 when a schedule needs attention: late, lost, at risk, broken or failing",
    )
    add_schedules(parser)
    add_catalog(parser)
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print a line for each schedule."""
    standings = _standings(arguments)
    if arguments.format == "json":
        print_json([_dict(standing) for standing in standings])
    else:
        columns = ("SCHEDULE", "PROTECTION", "LAST GOOD", "VERIFIED", "LAST RUN", "WHY")
        print_table(columns, [_row(item) for item in standings])
    bad = any(standing.protection.needs_attention for standing in standings)
    return exit_codes.BAD if bad and arguments.fail_if_stale else exit_codes.DONE


def _standings(arguments: argparse.Namespace) -> Sequence[Standing]:
    from airflow_backup.actions.alerts.monitor.subjects import subjects_of_files
    from airflow_backup.actions.backup.upstreams import waits
    from airflow_backup.actions.report.protection import protections

    found = loaded(arguments.schedules)
    now = utc_now()
    with open_catalog(arguments.catalog) as catalog:
        subjects = subjects_of_files(found, catalog)
        ids = [each.id for each in subjects]
        catalog.standings.note_seen(ids, at=now)
        last = catalog.executions.last(ids)
        judged = protections(subjects, catalog, now=now)
        right = [each.schedule for each in subjects if each.schedule and each.enabled is not False]
        waiting = waits(right, catalog, known=ids, now=now)
    return [
        Standing(
            each.id,
            "UTC" if each.schedule is None else each.schedule.timezone,
            judged[each.id],
            last.get(each.id),
            waiting.get(each.id),
        )
        for each in subjects
    ]


def _row(standing: Standing) -> tuple[str, ...]:
    last, good, zone = standing.last, standing.protection.last_good, standing.timezone
    return (
        standing.schedule_id,
        standing.protection.state.replace("_", " "),
        local(good.consistent_at, zone) if good is not None else "-",
        "-" if good is None or good.verified_level is None else good.verified_level.value,
        "never ran" if last is None else _last(last, zone),
        "; ".join(_reasons(standing)),
    )


def _last(last: Execution, zone: str) -> str:
    where = "" if last.host is None else f" on {last.host}"
    return f"{last.status.value}, {local(last.started_at, zone)}{where}"


def _reasons(standing: Standing) -> Iterator[str]:
    found = standing.protection
    if found.state is not ProtectionState.GOOD or found.failures_in_row:
        yield found.reason
    if standing.waits is not None:
        yield standing.waits


def _dict(standing: Standing) -> dict[str, Any]:
    last, found = standing.last, standing.protection
    good = found.last_good
    return {
        "schedule": standing.schedule_id,
        "protection": found.state.value,
        "reason": found.reason,
        "since": iso(found.since),
        "late_at": iso(found.late_at),
        "needs_attention": found.needs_attention,
        "failures_in_row": found.failures_in_row,
        "status": last.status.value if last is not None else None,
        "last_at": iso(last.started_at) if last is not None else None,
        "last_host": last.host if last is not None else None,
        "last_good_at": iso(good.consistent_at) if good is not None else None,
        "last_good_set": good.set_id if good is not None else None,
        "verified": None
        if good is None or good.verified_level is None
        else good.verified_level.value,
        "error": last.error if last is not None else None,
        "waits": standing.waits,
    }
