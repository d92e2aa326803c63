"""`airflow-backup run`: one backup now, outside Airflow, with a progress bar."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from typing import Any

from airflow_backup.cli import exit_codes
from airflow_backup.cli.arguments import (
    add_catalog,
    add_format,
    add_schedules,
    allowed_commands,
    open_catalog,
    schedule,
)
from airflow_backup.cli.output import print_json
from airflow_backup.cli.progress_bar import progress_bar
from airflow_backup.core.connections import from_environment
from airflow_backup.core.durations import format_size
from airflow_backup.core.progress import Reporter
from airflow_backup.core.words import Kind, Trigger


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "run", help="take one backup now, without Airflow; its set counts like any other"
    )
    parser.add_argument("schedule", metavar="SCHEDULE")
    parser.add_argument(
        "--kind", type=Kind, choices=list(Kind), help="(default: as the schedule says)"
    )
    parser.add_argument("--note", help="a remark kept with the execution")
    add_schedules(parser)
    add_catalog(parser)
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Take the backup; raise BackupError when it fails."""
    from airflow_backup.actions.backup.backup import Run, backup

    item = schedule(arguments.schedules, arguments.schedule)
    now = datetime.now(UTC)
    once = Run(f"command_line__{now.isoformat()}", now, Trigger.COMMAND_LINE, 1, arguments.note)
    quiet = arguments.format == "json" or not sys.stderr.isatty()
    with (
        open_catalog(arguments.catalog, create=True) as catalog,
        progress_bar(quiet=quiet) as listener,
    ):
        result = backup(
            item,
            once,
            catalog=catalog,
            connections=from_environment,
            kind=arguments.kind,
            reporter=Reporter(listener, interval=0.2),
            clock=lambda: datetime.now(UTC),
            allowed_commands=allowed_commands(),
        )
    facts = result.as_dict()
    if arguments.format == "json":
        print_json(facts)
    else:
        print(
            f"{item.id}: set {facts['set_id']}, {format_size(facts['bytes_read'])} read, "
            f"{format_size(facts['bytes_stored'])} stored in {facts['duration']:.1f}s"
        )
        for warning in facts["warnings"]:
            print(f"    WARNING: {warning}")
    return exit_codes.DONE
