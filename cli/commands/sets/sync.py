"""`airflow-backup sync`: make the catalog say what the repositories hold; remove what failed attempts left."""

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
    schedules_path,
)
from airflow_backup.cli.output import print_json
from airflow_backup.cli.terminal import say
from airflow_backup.core.clock import utc_now
from airflow_backup.core.connections import from_environment
from airflow_backup.core.text.counts import counted
from airflow_backup.core.text.durations import parse_duration

if TYPE_CHECKING:
    from airflow_backup.schedules.model.schedule import Schedule


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "sync", help="rebuild the catalog's sets from the manifests in the repositories"
    )
    parser.add_argument(
        "--repository", metavar="URL", help="only this one (default: those of all schedules)"
    )
    parser.add_argument(
        "--leftovers-older-than",
        type=parse_duration,
        metavar="DURATION",
        help="remove what failed attempts left, when it is older than this, for example 2d",
    )
    parser.add_argument("--dry-run", action="store_true", help="change nothing")
    add_schedules(parser)
    add_catalog(parser)
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Sync each repository; return 1 when a manifest cannot be read, or a source not be asked."""
    from airflow_backup.actions.maintain.source_leftovers import remove_source_leftovers
    from airflow_backup.actions.maintain.sync import sync
    from airflow_backup.storage.open import open_storage

    found = repositories_of(arguments)
    age = arguments.leftovers_older_than
    sources = None
    before = None if age is None else utc_now() - age
    results = {}
    with open_catalog(arguments.catalog, create=not arguments.dry_run) as catalog:
        for repository, connection in found.items():
            storage = open_storage(repository, from_environment, connection=connection)
            results[repository] = sync(
                storage,
                repository,
                catalog,
                schedules=_schedules(arguments),
                leftovers_before=before,
                dry_run=arguments.dry_run,
            )
        if before is not None and arguments.repository is None:
            sources = remove_source_leftovers(
                loaded(arguments.schedules).by_id().values(),
                catalog,
                connections=from_environment,
                before=before,
                dry_run=arguments.dry_run,
            )
    if arguments.format == "json":
        printed = {repository: result.as_dict() for repository, result in results.items()}
        print_json(printed if sources is None else {**printed, "sources": sources.as_dict()})
    else:
        for repository, result in results.items():
            say(
                f"{repository}: {counted(result.recorded, 'set')} added, {result.lost:,} lost, "
                f"{len(result.unfinished):,} unfinished, {counted(len(result.removed), 'leftover')} removed"
            )
            for problem in result.problems:
                say(f"    {problem}")
        if sources is not None:
            say(f"sources: {counted(len(sources.removed), 'leftover')} removed")
            for line in (*sources.removed, *sources.problems):
                say(f"    {line}")
    bad = any(result.problems for result in results.values())
    bad = bad or (sources is not None and bool(sources.problems))
    return exit_codes.BAD if bad else exit_codes.DONE


def _schedules(arguments: argparse.Namespace) -> dict[str, Schedule]:
    """Return the schedules that are known, wherever they lie: an address may be written in more than one way."""
    if arguments.repository is not None and not schedules_path(arguments.schedules).exists():
        return {}
    return dict(loaded(arguments.schedules).by_id())


def repositories_of(arguments: argparse.Namespace) -> dict[str, str | None]:
    """Return the repositories that a command is about, and the connection of each."""
    if arguments.repository is not None:
        return {arguments.repository: None}
    schedules = loaded(arguments.schedules).by_id().values()
    return {item.repository: item.connection for item in schedules}
