"""`airflow-backup import`: schedules from YAML into the catalog, where the page can edit them."""

from __future__ import annotations

import argparse
import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_backup.cli import exit_codes
from airflow_backup.cli.arguments import add_catalog, loaded, open_catalog
from airflow_backup.core.clock import utc_now
from airflow_backup.core.errors import ConfigError, Refused
from airflow_backup.schedules.loading.dependencies import Elsewhere
from airflow_backup.schedules.loading.loaded import Loaded
from airflow_backup.schedules.model.schedule import Schedule

if TYPE_CHECKING:
    from airflow_backup.catalog import Catalog
    from airflow_backup.catalog.records import Saving


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "import", help="put the schedules of a file into the catalog, all or none"
    )
    parser.add_argument("path", type=Path, metavar="PATH", help="schedules file or folder")
    parser.add_argument(
        "--replace", action="store_true", help="make a new version of those already there"
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would happen")
    parser.add_argument(
        "--author", default=None, help="whose name the versions carry (default: yours)"
    )
    add_catalog(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Save every schedule of the file; nothing when any of them is wrong or already there, or the file says more."""
    # Before the catalog is opened, which makes it where there is none.
    for exempt in loaded(arguments.path).exempt:
        raise ConfigError(
            f"nothing is imported: {exempt.file}:{exempt.line}: exceptions cannot be kept in the catalog",
            hint="leave `unprotected` in a schedules file",
        )
    author, now = arguments.author or getpass.getuser(), utc_now()
    with open_catalog(arguments.catalog, create=not arguments.dry_run) as catalog:
        found = _read(arguments.path, catalog)
        known = {item.id: item for item in catalog.schedules.all()}
        there = sorted(set(known) & set(found.by_id()))
        if there and not arguments.replace:
            raise Refused(
                f"nothing is imported: the catalog already has {', '.join(there)}",
                hint="--replace?",
            )
        savings = []
        for identifier, schedule in found.by_id().items():
            before = known.get(identifier)
            what = _what(before.definition if before else None, schedule.definition())
            print(f"{identifier}: {what}")
            if what != "unchanged":
                savings.append(_saving(catalog, schedule, is_new=before is None))
        if not arguments.dry_run:
            catalog.schedules.save_all(savings, author=author, at=now)
    return exit_codes.DONE


def _read(path: Path, catalog: Catalog) -> Loaded:
    """Read the file; its schedules may wait for those that are there."""
    follows = {each.id: each.definition.get("after") or () for each in catalog.deployed.all()}
    follows |= {each.id: each.definition.get("after") or () for each in catalog.schedules.all()}
    found = loaded(path, elsewhere=Elsewhere(follows, follows))
    if found.problems:
        problems = "\n".join(str(problem) for problem in found.problems)
        raise ConfigError(f"nothing is imported: {path} is wrong\n{problems}")
    return found


def _saving(catalog: Catalog, schedule: Schedule, *, is_new: bool) -> Saving:
    from airflow_backup.catalog.records import Saving  # SQLAlchemy; not for the other commands

    # A deleted schedule has versions, too; the new one comes after them.
    newest = catalog.schedules.newest(schedule.id)
    version = 0 if newest is None else newest.version
    return Saving(
        id=schedule.id,
        definition=schedule.definition(),
        after_version=version,
        action="schedule_created" if is_new else "schedule_changed",
        detail={"version": version + 1},
    )


def _what(before: Any, after: dict[str, Any]) -> str:
    if before is None:
        return "added"
    return "unchanged" if dict(before) == after else "changed"
