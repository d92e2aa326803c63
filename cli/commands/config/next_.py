"""`airflow-backup next`: when schedules run, with windows and calendars applied."""

from __future__ import annotations

import argparse
from typing import Any

from airflow_backup.cli import exit_codes
from airflow_backup.cli.arguments import add_format, add_schedules, loaded, moment, schedule
from airflow_backup.cli.output import iso, local, print_json, print_table
from airflow_backup.core.clock import utc_now
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.times.fire_times import Fire, upcoming


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "next", help="show the coming runs, with windows and calendars applied"
    )
    parser.add_argument("schedule", nargs="*", metavar="SCHEDULE", help="ids; all when missing")
    parser.add_argument(
        "--count", type=_count, default=3, help="runs of each schedule (default: 3)"
    )
    parser.add_argument(
        "--after",
        type=moment,
        metavar="TIME",
        help="later than this ISO 8601 moment (default: now)",
    )
    add_schedules(parser)
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the coming runs, in the order of time."""
    if arguments.schedule:
        chosen = [schedule(arguments.schedules, name) for name in arguments.schedule]
    else:
        chosen = list(loaded(arguments.schedules).by_id().values())
    after = arguments.after or utc_now()
    fires = [
        (item, fire)
        for item in chosen
        for fire in upcoming(item, after=after, count=arguments.count)
    ]
    fires.sort(key=lambda pair: (pair[1].at, pair[0].id))
    if arguments.format == "json":
        print_json([fire_dict(item.id, fire) for item, fire in fires])
    else:
        print_table(
            ("WHEN", "SCHEDULE", "KIND", "STARTS"), [_row(item, fire) for item, fire in fires]
        )
    return exit_codes.DONE


def fire_dict(schedule_id: str, fire: Fire) -> dict[str, Any]:
    """Return a coming run as plain data."""
    return {
        "schedule": schedule_id,
        "at": iso(fire.at),
        "kind": fire.kind.value,
        "starts_at": iso(fire.opens_at),
        "skipped": fire.skipped,
    }


def _row(item: Schedule, fire: Fire) -> tuple[str, ...]:
    if fire.skipped is not None:
        starts = f"skipped: {fire.skipped}"
    elif fire.opens_at == fire.at:
        starts = "at once"
    else:
        starts = f"{local(fire.opens_at, item.timezone)} (window)"
    return local(fire.at, item.timezone), item.id, fire.kind.value, starts


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 1000:
        raise argparse.ArgumentTypeError(f"{number} is not between 1 and 1000")
    return number
