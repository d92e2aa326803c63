"""`airflow-backup restore`: say what a restore would do, and do it; without Airflow, and without the catalog."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_backup.cli import exit_codes
from airflow_backup.cli.arguments import (
    add_reading,
    add_which_set,
    catalog_beside,
)
from airflow_backup.cli.commands.sets.opened import Opened, opened
from airflow_backup.cli.output import print_json
from airflow_backup.cli.progress_bar import progress_bar
from airflow_backup.cli.terminal import say
from airflow_backup.core.clock import utc_now
from airflow_backup.core.connections import from_environment
from airflow_backup.core.progress import Reporter
from airflow_backup.core.text.counts import counted
from airflow_backup.core.text.durations import format_duration, format_size

if TYPE_CHECKING:
    from airflow_backup.actions.restore.carry_out import RestoreResult
    from airflow_backup.actions.restore.plan import RestorePlan
    from airflow_backup.catalog import Catalog


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "restore",
        help="bring a schedule's source back as it was at a moment; --dry-run only says how",
    )
    parser.add_argument("schedule", metavar="SCHEDULE")
    parser.add_argument(
        "--to",
        required=True,
        metavar="TARGET",
        help="an empty or missing folder, or connection:ID[/DATABASE] for a running server",
    )
    add_which_set(parser)
    parser.add_argument(
        "--path",
        action="append",
        default=[],
        metavar="PATH",
        help="only this file or folder; repeatable",
    )
    parser.add_argument("--dry-run", action="store_true", help="print the plan, and write nothing")
    parser.add_argument(
        "--replace",
        action="store_true",
        help="restore beside a folder that is not empty, then swap the two; the old one is kept. "
        "Of a server: replace what the database holds",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="exit with 1 when a newer set was passed over, or not all of a set came back",
    )
    add_reading(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Restore; raise BackupError when anything is damaged, before it is written."""
    catalog = catalog_beside(arguments, may_lack=True)
    try:
        return _restore(arguments, catalog)
    finally:
        if catalog is not None:
            catalog.close()


def _restore(arguments: argparse.Namespace, catalog: Catalog | None) -> int:
    from airflow_backup.actions.restore.carry_out import carry_out
    from airflow_backup.engines.protocol import EngineContext

    sets = opened(arguments)
    what = _plan(arguments, sets, catalog)
    if arguments.dry_run:
        if arguments.format == "json":
            print_json(what.as_dict())
        else:
            _print_plan(what)
        is_bad = what.refused or (arguments.strict and (what.gaps or what.warnings))
        return exit_codes.BAD if is_bad else exit_codes.DONE
    quiet = arguments.format == "json" or not sys.stderr.isatty()
    if not quiet:
        _print_plan(what, to=sys.stderr)
    with progress_bar(quiet=quiet) as listener:
        context = EngineContext(
            connections=from_environment,
            reporter=Reporter(listener, interval=0.2),
            clock=utc_now,
            source=sets.source,
        )
        result = carry_out(what, context, catalog=catalog, actor=getpass.getuser())
    if arguments.format == "json":
        print_json(result.as_dict())
    else:
        _print_result(result)
    return exit_codes.BAD if arguments.strict and not result.is_plain else exit_codes.DONE


def _plan(arguments: argparse.Namespace, sets: Opened, catalog: Catalog | None) -> RestorePlan:
    from airflow_backup.actions.restore.restore import plan
    from airflow_backup.actions.restore.target import target_of

    return plan(
        sets.storage,
        sets.trust,
        target=target_of(arguments.to),
        set_id=arguments.set,
        at=arguments.at,
        only=arguments.path,
        keys=sets.keys,
        catalog=catalog,
        replace=arguments.replace,
        source=sets.source,
    )


def _print_plan(what: RestorePlan, to: Any = None) -> None:
    from airflow_backup.actions.restore.target import ServerTarget

    to = to or sys.stdout
    took = format_duration(timedelta(seconds=max(1, round(what.seconds))))
    basis = "as measured" if what.measured else "assumed, nothing was measured yet"
    lines = [
        f"restore {what.schedule_id} as of {what.consistent_at:%Y-%m-%d %H:%M:%S} UTC to {what.target}",
        f"  reads {format_size(what.bytes_to_read)}, writes about {format_size(what.bytes_to_write)}",
        f"  takes about {took} ({basis})",
        f"  the target holds {what.holds}",
    ]
    if what.resumes:
        lines.append("  the earlier attempt is continued")
    if what.replaces and isinstance(what.target, ServerTarget):
        lines.append("  what the database holds is replaced")
    elif what.replaces:
        lines.append(
            "  it is restored beside that and swapped in when it is whole; the old one is kept"
        )
    for each in what.chain:
        manifest = each.manifest
        lines.append(
            f"  {manifest.kind:<12} {manifest.set_id}  {manifest.consistent_at:%Y-%m-%d %H:%M:%S}  "
            f"{format_size(manifest.totals.bytes_stored)}"
        )
    lines += [f"  only {path}" for path in what.only]
    lines += [f"  PASSED OVER: {gap}" for gap in what.gaps]
    lines += [f"  WARNING: {warning}" for warning in what.warnings]
    if what.refused is not None:
        lines.append(f"  REFUSED: {what.refused}")
        lines.append(f"  HINT: {what.hint}")
    say("\n".join(lines), to=to)


def _print_result(result: RestoreResult) -> None:
    say(
        f"{result.schedule_id}: set {result.set_ids[-1]} of {result.consistent_at.isoformat()}, "
        f"{counted(result.report.files, 'file')}, {format_size(result.report.bytes_written)} in {result.target}"
    )
    if result.kept is not None:
        say(f"    what was there is kept in {os.fspath(result.kept)}")
    for gap in result.passed_over:
        say(f"    PASSED OVER: {gap}")
    for warning in result.warnings:
        say(f"    WARNING: {warning}")
