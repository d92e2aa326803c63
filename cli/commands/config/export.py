"""`airflow-backup export`: schedules as YAML that can be imported again, or kept in a file."""

from __future__ import annotations

import argparse
from typing import Any

from airflow_backup.cli import exit_codes
from airflow_backup.cli.arguments import add_catalog, add_schedules, loaded, open_catalog
from airflow_backup.core.errors import NotFound
from airflow_backup.schedules.export.schedules_file import schedules_file
from airflow_backup.schedules.loading.problems import did_you_mean


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "export",
        help="print schedules as YAML: effective ones of the files, or those made in the catalog",
    )
    parser.add_argument("schedule", nargs="*", metavar="SCHEDULE", help="ids; all when missing")
    parser.add_argument(
        "--from-catalog",
        action="store_true",
        help="those made on the page or through the API, from the catalog",
    )
    add_schedules(parser)
    add_catalog(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print a schedules file."""
    if arguments.from_catalog:
        with open_catalog(arguments.catalog) as catalog:
            known = {item.id: dict(item.definition) for item in catalog.schedules.all()}
    else:
        found = loaded(arguments.schedules).by_id()
        known = {identifier: item.definition() for identifier, item in found.items()}
    for wanted in arguments.schedule:
        if wanted not in known:
            raise NotFound(f"no schedule '{wanted}'", hint=did_you_mean(wanted, list(known)))
    print(schedules_file(known[name] for name in arguments.schedule or known), end="")
    return exit_codes.DONE
