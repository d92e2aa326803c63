"""`airflow-backup run`: one backup now, outside Airflow, with a progress bar."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_backup.cli import exit_codes
from airflow_backup.cli.arguments import (
    add_catalog,
    add_format,
    add_schedules,
    allowed_commands,
    catalog_url,
    open_catalog,
    schedule,
)
from airflow_backup.cli.output import iso, local, print_json
from airflow_backup.cli.progress_bar import progress_bar
from airflow_backup.cli.terminal import say
from airflow_backup.core.clock import utc_now
from airflow_backup.core.connections import from_environment
from airflow_backup.core.progress import Listener, Reporter
from airflow_backup.core.text.counts import counted
from airflow_backup.core.text.durations import format_size
from airflow_backup.core.words import Kind, Trigger
from airflow_backup.core.worker import Worker, this_host
from airflow_backup.schedules.times.fire_times import upcoming

if TYPE_CHECKING:
    from airflow_backup.actions.backup.dry_run import DryRun
    from airflow_backup.actions.sets.damage import VerifyResult
    from airflow_backup.catalog import Catalog
    from airflow_backup.engines.capabilities import Estimate
    from airflow_backup.schedules.model.schedule import Schedule


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "run", help="take one backup now, without Airflow; its set counts like any other"
    )
    parser.add_argument("schedule", metavar="SCHEDULE")
    parser.add_argument(
        "--kind", type=Kind, choices=list(Kind), help="(default: as the schedule says)"
    )
    parser.add_argument(
        "--no-verify",
        action="store_true",
        help="take the set only; the schedule says what is verified",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="say how much would be read and what is in the way; take nothing",
    )
    parser.add_argument("--note", help="a remark kept with the execution")
    add_schedules(parser)
    add_catalog(parser)
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Take the backup; raise BackupError when it fails."""
    from airflow_backup.actions.backup.backup import Run, backup
    from airflow_backup.actions.backup.control import Control, Limits
    from airflow_backup.actions.backup.limits.source_lease import SourceLease
    from airflow_backup.actions.verify.scheduled import raise_what_is_bad

    item = schedule(arguments.schedules, arguments.schedule)
    if arguments.dry_run:
        return _dry_run(arguments, item)
    now = utc_now()
    once = Run(
        f"command_line__{now.isoformat()}",
        now,
        Trigger.COMMAND_LINE,
        note=arguments.note,
        definition=item.digest(),
        worker=Worker(this_host()),
    )
    quiet = arguments.format == "json" or not sys.stderr.isatty()
    with (
        open_catalog(arguments.catalog, create=True) as catalog,
        progress_bar(quiet=quiet) as listener,
        SourceLease(
            item.source,
            from_environment,
            catalog=catalog,
            clock=utc_now,
            schedule_id=item.id,
            run_id=once.id,
            limits=item.limits,
            repository=item.repository,
        ) as lease,
    ):
        result = backup(
            item,
            once,
            catalog=catalog,
            connections=from_environment,
            kind=arguments.kind,
            control=Control(
                limits=Limits(max_duration=item.max_duration),
                clock=utc_now,
                listener=listener,
                keep=lease.renew,
            ),
            clock=utc_now,
            allowed_commands=allowed_commands(),
        )
        verified = _verify(arguments, item, catalog, result.set_id, listener)
    facts: dict[str, Any] = result.as_dict()
    facts["verified"] = [each.as_dict() for each in verified]
    if arguments.format == "json":
        print_json(facts)
    else:
        say(
            f"{item.id}: set {facts['set_id']}, {format_size(facts['bytes_read'])} read, "
            f"{format_size(facts['bytes_stored'])} stored in {facts['duration']:.1f}s"
        )
        for warning in facts["warnings"]:
            say(f"    WARNING: {warning}")
        for each in verified:
            say(f"    {each.level} verification: {each.outcome}")
    raise_what_is_bad(verified, item.id)
    return exit_codes.DONE


def _dry_run(arguments: argparse.Namespace, item: Schedule) -> int:
    """Print what a run would do; the answer is bad where it would fail."""
    from airflow_backup.actions.backup.dry_run import dry_run

    with _known(arguments) as catalog:
        found = dry_run(
            item,
            catalog=catalog,
            connections=from_environment,
            clock=utc_now,
            kind=arguments.kind,
            allowed_commands=allowed_commands(),
            worker=Worker(this_host()),
        )
    coming = upcoming(item, after=utc_now(), count=1)
    if arguments.format == "json":
        print_json({**found.as_dict(), "next": iso(coming[0].at) if coming else None})
    else:
        for line in dry_run_lines(found, item.repository):
            say(line)
        if coming:
            say(f"    the next run on schedule is due {local(coming[0].at, item.timezone)}")
    return exit_codes.BAD if found.problems else exit_codes.DONE


def dry_run_lines(found: DryRun, where: str) -> list[str]:
    """Say for people what a run would do."""
    if found.problems:
        lines = [f"{found.schedule_id}: a run would fail"]
        for problem in found.problems:
            lines.append(f"    {problem.message}")
            lines += [f"        {problem.hint}"] if problem.hint else []
        return lines
    size = _size(found.estimate)
    lines = [f"{found.schedule_id}: a run would take {_set(found.kind)}{size}, into {where}"]
    lines += [f"    {found.reason}"] if found.reason else []
    if found.repository_is_new:
        lines.append("    the repository is new: the first run makes it")
    if found.estimate is not None and found.estimate.unread:
        lines.append(f"    MAY NOT BE READ: {'; '.join(found.estimate.unread)}")
    return lines


def _set(kind: Kind) -> str:
    words = str(kind).replace("_", " ")
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words} set"


def _size(estimate: Estimate | None) -> str:
    if estimate is None:
        return ", of a size that nobody can tell before"
    least = "" if estimate.is_all else "at least "
    files = "" if estimate.files is None else f"{counted(estimate.files, 'file')}, "
    return f" of {least}{files}{format_size(estimate.bytes_read)}"


def _known(arguments: argparse.Namespace) -> Catalog:
    """Open the catalog; where there is none yet, one that lasts as long as the look."""
    from airflow_backup.catalog import Catalog

    url = catalog_url(arguments.catalog)
    file = url.removeprefix("sqlite:///")
    is_there = file == url or os.path.lexists(file)
    return Catalog.open(url if is_there else "sqlite://")


def _verify(
    arguments: argparse.Namespace,
    item: Schedule,
    catalog: Catalog,
    set_id: str,
    listener: Listener,
) -> Sequence[VerifyResult]:
    """Verify the set as the schedule says, as a run in Airflow does."""
    from airflow_backup.actions.verify.scheduled import verify_as_scheduled
    from airflow_backup.actions.verify.verify import Verifier

    if arguments.no_verify:
        return []
    verifier = Verifier(
        item,
        catalog=catalog,
        connections=from_environment,
        clock=utc_now,
        reporter=Reporter(listener, interval=0.2),
    )
    return verify_as_scheduled(verifier, item, catalog, set_id, now=utc_now()).results
