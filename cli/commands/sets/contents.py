"""`airflow-backup contents`: what is in a set, to know what to restore; nothing is written."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

from airflow_backup.cli import exit_codes
from airflow_backup.cli.arguments import (
    add_reading,
    add_which_set,
    catalog_beside,
)
from airflow_backup.cli.commands.sets.opened import opened
from airflow_backup.cli.output import iso, local, print_json, print_table
from airflow_backup.cli.terminal import say
from airflow_backup.core.text.counts import counted
from airflow_backup.core.text.durations import format_size
from airflow_backup.core.text.names import shown

if TYPE_CHECKING:
    from airflow_backup.actions.restore.contents import Choose, Contents, Listed
    from airflow_backup.catalog import Catalog


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "contents", help="list the files, folders or tables in a set, without restoring it"
    )
    parser.add_argument("schedule", metavar="SCHEDULE")
    parser.add_argument(
        "folder", metavar="FOLDER", nargs="?", default="", help="(default: the top)"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--all", action="store_true", help="everything, not only what lies in FOLDER"
    )
    which.add_argument(
        "--find", metavar="PATTERN", help="what has such a name or path anywhere: '*.pdf'"
    )
    add_which_set(parser)
    add_reading(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what is there; the answer is bad where nothing was found."""
    catalog = catalog_beside(arguments, may_lack=True)
    try:
        found, timezone = _found(arguments, catalog)
    finally:
        if catalog is not None:
            catalog.close()
    if arguments.format == "json":
        print_json(_as_dict(found))
    else:
        _print(
            found,
            timezone,
            nothing="nothing has such a name" if arguments.find else "nothing is there",
        )
    return exit_codes.DONE if found.entries or not arguments.find else exit_codes.BAD


def _found(arguments: argparse.Namespace, catalog: Catalog | None) -> tuple[Contents, str]:
    from airflow_backup.actions.restore.contents import contents

    sets = opened(arguments)
    found = contents(
        sets.storage,
        sets.trust,
        _choose(arguments),
        set_id=arguments.set,
        at=arguments.at,
        keys=sets.keys,
        catalog=catalog,
        source=sets.source,
    )
    return found, "UTC" if sets.schedule is None else sets.schedule.timezone


def _choose(arguments: argparse.Namespace) -> Choose:
    from airflow_backup.actions.restore.contents import everything, in_folder
    from airflow_backup.core.errors import ConfigError

    if not (arguments.all or arguments.find):
        return in_folder(arguments.folder)
    if arguments.folder:
        raise ConfigError("--all and --find look everywhere", hint="leave FOLDER out")
    return everything(arguments.find)


def _print(found: Contents, timezone: str, *, nothing: str) -> None:
    for gap in found.passed_over:
        say(f"PASSED OVER: {gap}", to=sys.stderr)
    if not found.entries:
        say(f"{nothing} in set {found.set_id}")
        return
    has_tables = any(each.kind == "table" for each in found.entries)
    columns = ("SIZE", "MODIFIED", "ROWS", "PATH") if has_tables else ("SIZE", "MODIFIED", "PATH")
    print_table(columns, [_row(each, timezone, has_tables=has_tables) for each in found.entries])
    of = f"of set {found.set_id}, as of {local(found.consistent_at, timezone)}"
    say(f"\n{counted(found.total, 'entry', 'entries')} {of}")


def _row(entry: Listed, timezone: str, *, has_tables: bool) -> tuple[str, ...]:
    path = shown(os.fsencode(entry.path)) + ("/" if entry.kind == "folder" else "")
    if entry.kind == "unread":
        path += "  (could not be read, and is not in the set)"
    size = "-" if entry.size is None else format_size(entry.size)
    rows = ("-" if entry.rows is None else f"{entry.rows:,}",) if has_tables else ()
    return (size, local(entry.modified, timezone), *rows, path)


def _as_dict(found: Contents) -> dict[str, Any]:
    return {
        "set_id": found.set_id,
        "consistent_at": iso(found.consistent_at),
        "passed_over": list(found.passed_over),
        "entries": [each.as_dict() for each in found.entries],
    }
