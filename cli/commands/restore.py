"""`airflow-backup restore`: bring a schedule's source back, without Airflow and without the catalog."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow_backup.cli import exit_codes
from airflow_backup.cli.arguments import add_format, add_schedules, moment, schedule
from airflow_backup.cli.output import print_json
from airflow_backup.cli.progress_bar import progress_bar
from airflow_backup.core.connections import from_environment
from airflow_backup.core.durations import format_size
from airflow_backup.core.progress import Reporter


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "restore", help="restore a schedule's newest set, or an earlier one, into an empty folder"
    )
    parser.add_argument("schedule", metavar="SCHEDULE")
    parser.add_argument(
        "--to", type=Path, required=True, metavar="FOLDER", help="an empty or missing folder"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--at",
        type=moment,
        metavar="TIME",
        help="come back to this moment, or as near before it as there are sets and logs",
    )
    which.add_argument("--set", metavar="ID", help="this set")
    parser.add_argument(
        "--path",
        action="append",
        default=[],
        metavar="PATH",
        help="only this file or folder; repeatable",
    )
    parser.add_argument("--repository", metavar="URL", help="(default: as the schedule says)")
    add_schedules(parser)
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Restore; raise BackupError when anything is damaged, before it is written."""
    from airflow_backup.actions.restore import restore

    repository, connection = arguments.repository, None
    if repository is None:
        item = schedule(arguments.schedules, arguments.schedule)
        repository, connection = item.repository, item.connection
    quiet = arguments.format == "json" or not sys.stderr.isatty()
    with progress_bar(quiet=quiet) as listener:
        result = restore(
            arguments.schedule,
            repository=repository,
            connection=connection,
            target=arguments.to,
            connections=from_environment,
            clock=lambda: datetime.now(UTC),
            set_id=arguments.set,
            at=arguments.at,
            only=arguments.path,
            reporter=Reporter(listener, interval=0.2),
        )
    facts = result.as_dict()
    if arguments.format == "json":
        print_json(facts)
    else:
        print(
            f"{arguments.schedule}: set {facts['set_ids'][-1]} of {facts['consistent_at']}, {facts['files']} files, "
            f"{format_size(facts['bytes_written'])} in {arguments.to}"
        )
        for warning in facts["warnings"]:
            print(f"    WARNING: {warning}")
    return exit_codes.DONE
