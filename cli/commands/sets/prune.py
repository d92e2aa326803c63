"""`airflow-backup prune`: remove what a schedule no longer keeps, or only say what would go and why."""

from __future__ import annotations

import argparse
import getpass
from typing import Any

import yaml
from pydantic import ValidationError

from airflow_backup.cli import exit_codes
from airflow_backup.cli.arguments import (
    add_catalog,
    add_format,
    add_schedules,
    open_catalog,
    schedule,
)
from airflow_backup.cli.output import print_json, print_table
from airflow_backup.cli.terminal import say
from airflow_backup.core.clock import utc_now
from airflow_backup.core.connections import from_environment
from airflow_backup.core.errors import ConfigError
from airflow_backup.core.text.counts import counted
from airflow_backup.core.text.durations import format_size
from airflow_backup.schedules.model.policies import Retention


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "prune",
        help="remove the sets that a schedule no longer keeps; --dry-run says which and why",
    )
    parser.add_argument("schedule", metavar="SCHEDULE")
    parser.add_argument("--dry-run", action="store_true", help="remove nothing")
    parser.add_argument(
        "--policy",
        type=_policy,
        metavar="RULES",
        help='with --dry-run: other rules than the schedule has, for example "{last: 3, weekly: 8}"',
    )
    add_schedules(parser)
    add_catalog(parser)
    add_format(parser)
    parser.set_defaults(run=run)


def _policy(text: str) -> Retention:
    try:
        return Retention.model_validate(yaml.safe_load(text))
    except yaml.YAMLError:
        raise argparse.ArgumentTypeError(f"{text!r} is not YAML") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise argparse.ArgumentTypeError(f"{where or text}: {first['msg']}") from None


def run(arguments: argparse.Namespace) -> int:
    """Prune, and print the verdict on every set."""
    from airflow_backup.actions.maintain.prune import prune

    item = schedule(arguments.schedules, arguments.schedule)
    if arguments.policy is not None and not arguments.dry_run:
        raise ConfigError(
            "other rules can only be tried", hint="add --dry-run, or change the schedule"
        )
    if item.retention is None and arguments.policy is None:
        raise ConfigError(
            f"schedule '{item.id}' has no retention", hint="write for example retention: {last: 7}"
        )
    with open_catalog(arguments.catalog) as catalog:
        result = prune(
            item,
            catalog=catalog,
            connections=from_environment,
            clock=utc_now,
            actor=getpass.getuser(),
            policy=arguments.policy,
            dry_run=arguments.dry_run,
        )
    if arguments.format == "json":
        print_json(result.as_dict())
        return exit_codes.BAD if result.refused else exit_codes.DONE
    rows = [
        (
            "keep" if verdict.kept else "remove",
            verdict.set.set_id,
            format_size(verdict.set.bytes_stored),
            ", ".join(verdict.reasons),
        )
        for verdict in result.verdicts
    ]
    print_table(("", "SET", "STORED", "WHY"), rows)
    verb = "would go" if arguments.dry_run else "removed"
    say(
        f"\n{len(result.removed):,} of {counted(len(rows), 'set')} {verb}, {format_size(result.bytes_removed)}"
    )
    for set_id, why in result.refused.items():
        say(f"    {set_id} stays: {why}")
    return exit_codes.BAD if result.refused else exit_codes.DONE
