"""`airflow-backup show`: one schedule, its coming runs, and what the catalog knows of it."""

from __future__ import annotations

import argparse
from typing import Any

import yaml

from airflow_backup.cli import exit_codes
from airflow_backup.cli.arguments import (
    add_catalog,
    add_format,
    add_schedules,
    open_catalog,
    schedule,
)
from airflow_backup.cli.commands.config.next_ import fire_dict
from airflow_backup.cli.executions import execution_dict, print_executions
from airflow_backup.cli.output import local, print_json
from airflow_backup.core.clock import utc_now
from airflow_backup.schedules.times.fire_times import upcoming


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "show", help="show one schedule, its coming runs and its history"
    )
    parser.add_argument("schedule", metavar="SCHEDULE")
    parser.add_argument("--count", type=int, default=10, help="executions to show (default: 10)")
    add_schedules(parser)
    add_catalog(parser)
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what is known of the schedule."""
    item = schedule(arguments.schedules, arguments.schedule)
    coming = upcoming(item, after=utc_now(), count=3)
    with open_catalog(arguments.catalog) as catalog:
        history = catalog.executions.history(item.id, limit=arguments.count)
    if arguments.format == "json":
        print_json(
            {
                "definition": item.definition(),
                "next": [fire_dict(item.id, fire) for fire in coming],
                "executions": [execution_dict(execution) for execution in history],
            }
        )
        return exit_codes.DONE
    print(yaml.safe_dump(item.definition(), sort_keys=False, allow_unicode=True).rstrip())
    print(
        "\nnext:",
        ", ".join(local(fire.at, item.timezone) for fire in coming) or "after other schedules",
    )
    print()
    print_executions(history, timezone=item.timezone)
    return exit_codes.DONE
