"""`airflow-backup init`: make a repository, knowingly."""

from __future__ import annotations

import argparse
from typing import Any

from airflow_backup.cli import exit_codes
from airflow_backup.cli.arguments import add_catalog, add_format, add_schedules, open_catalog
from airflow_backup.cli.commands.sets.sync import repositories_of
from airflow_backup.cli.output import print_json
from airflow_backup.cli.terminal import say
from airflow_backup.core.connections import from_environment


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "init",
        help="make the repositories, or confirm that those at their addresses are the right ones",
    )
    parser.add_argument(
        "--repository", metavar="URL", help="only this one (default: those of all schedules)"
    )
    add_schedules(parser)
    add_catalog(parser)
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make what is missing, and note in the catalog what is at each address from now on."""
    from airflow_backup.actions.sets.repository import make, read_marker
    from airflow_backup.storage.open import open_storage

    told = {}
    with open_catalog(arguments.catalog, create=True) as catalog:
        for url, connection in repositories_of(arguments).items():
            storage = open_storage(url, from_environment, connection=connection)
            found = read_marker(storage)
            told[url] = {"id": found or make(storage), "is_new": found is None}
            catalog.repositories.record(url, str(told[url]["id"]))
    if arguments.format == "json":
        print_json(told)
    else:
        for url, facts in told.items():
            say(f"{url}: {'made' if facts['is_new'] else 'is there'}, {facts['id']}")
    return exit_codes.DONE
