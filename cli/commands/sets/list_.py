"""`airflow-backup list`: all schedules, a line each."""

from __future__ import annotations

import argparse
from datetime import datetime
from typing import Any

from airflow_backup.cli import exit_codes
from airflow_backup.cli.arguments import add_format, add_schedules, loaded
from airflow_backup.cli.output import local, print_json, print_table
from airflow_backup.core.clock import utc_now
from airflow_backup.core.text.durations import format_duration
from airflow_backup.schedules.loading.loader import Located, Rejected
from airflow_backup.schedules.model.placement import where_text
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.times.fire_times import upcoming


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "list", help="list the schedules, right and wrong"
    )
    add_schedules(parser)
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print right schedules, then wrong ones."""
    found = loaded(arguments.schedules)
    now = utc_now()
    if arguments.format == "json":
        print_json([*map(_right, found.schedules), *map(_wrong, found.rejected)])
        return exit_codes.DONE
    rows = [_row(item, now) for item in found.schedules]
    rows += [
        (
            wrong.id or "?",
            "wrong",
            "-",
            f"{wrong.file}:{wrong.line}",
            "-",
            "airflow-backup validate",
        )
        for wrong in found.rejected
    ]
    print_table(("SCHEDULE", "ENGINE", "WHEN", "SOURCE", "WHERE", "NEXT"), rows)
    return exit_codes.DONE


def _row(item: Located, now: datetime) -> tuple[str, ...]:
    schedule = item.schedule
    coming = upcoming(schedule, after=now, count=1)
    following = local(coming[0].at, schedule.timezone) if coming else "-"
    engine: str = schedule.source.model_dump()["engine"]
    source, where = schedule.source.summary(), where_text(schedule)
    return schedule.id, engine, when_text(schedule), source, where, following


def _right(item: Located) -> dict[str, Any]:
    return {
        "id": item.schedule.id,
        "file": item.file,
        "line": item.line,
        "state": "right",
        "definition": item.schedule.definition(),
    }


def _wrong(item: Rejected) -> dict[str, Any]:
    return {
        "id": item.id,
        "file": item.file,
        "line": item.line,
        "state": "wrong",
        "problems": [problem.as_dict() for problem in item.problems],
    }


def when_text(schedule: Schedule) -> str:
    """
    Say in words when a schedule runs, for example "daily at 02:00".

    >>> source = {"engine": "files", "path": "/srv"}
    >>> when_text(Schedule(id="a", source=source, repository="file:///b", every="45m"))
    'full every 45m'
    """
    if schedule.after:
        return f"after {', '.join(schedule.after)}"
    if schedule.every is not None:
        return f"{schedule.kind or 'full'} every {format_duration(schedule.every)}"
    if schedule.preset is not None:
        return f"{schedule.kind or 'full'} {schedule.preset}"
    return ", ".join(f"{kind} {cron}" for kind, cron in schedule.crons().items())
