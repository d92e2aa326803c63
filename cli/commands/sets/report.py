"""`airflow-backup report`: what is proven of every schedule, for people, programs and printers."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from airflow_backup.cli import exit_codes
from airflow_backup.cli.arguments import (
    add_catalog,
    add_format,
    add_schedules,
    loaded,
    open_catalog,
)
from airflow_backup.cli.output import local, print_json, print_table
from airflow_backup.core.clock import utc_now
from airflow_backup.core.text.durations import format_size

if TYPE_CHECKING:
    from airflow_backup.actions.report.report import ScheduleReport


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "report", help="say what is proven of every schedule; --format html makes a page to print"
    )
    parser.add_argument("schedule", metavar="SCHEDULE", nargs="*", help="only these")
    parser.add_argument(
        "--fail-if-unproven",
        action="store_true",
        help="exit 1 when the last good set of a schedule was not verified, or there is none",
    )
    add_schedules(parser)
    add_catalog(parser)
    add_format(parser, "html")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the report."""
    from airflow_backup.actions.report.page import page, sentence_of
    from airflow_backup.actions.report.report import report

    items = loaded(arguments.schedules).by_id()
    chosen = [items[name] for name in arguments.schedule or items if name in items]
    now = utc_now()
    with open_catalog(arguments.catalog) as catalog:
        catalog.standings.note_seen(items, at=now)
        reports = report(chosen, catalog, now=now)
    if arguments.format == "json":
        print_json([each.as_dict() for each in reports])
    elif arguments.format == "html":
        print(page(reports, now=now), end="")
    else:
        print(sentence_of(reports) + "\n")
        columns = (
            "SCHEDULE",
            "PROTECTION",
            "LAST GOOD",
            "VERIFIED",
            "RESTORE TEST",
            "OLDEST",
            "STORED",
        )
        print_table(columns, [_row(each) for each in reports])
    unproven = any(not each.is_proven for each in reports)
    return exit_codes.BAD if unproven and arguments.fail_if_unproven else exit_codes.DONE


def _row(each: ScheduleReport) -> tuple[str, ...]:
    test = local(each.last_restore_test_at)
    if each.last_restore_seconds is not None:
        test = f"{test}, {each.last_restore_seconds:.1f}s"
    return (
        each.schedule_id,
        each.protection.replace("_", " "),
        local(each.last_good_at),
        "-"
        if each.last_verified_level is None
        else f"{each.last_verified_level}, {local(each.last_verified_at)}",
        test,
        local(each.oldest_recoverable),
        format_size(each.bytes_stored),
    )
