"""`airflow-backup db check` and `db upgrade`: what the catalog's tables are like, and bringing them up to date."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from airflow_backup.cli import exit_codes
from airflow_backup.cli.arguments import add_catalog, add_format, catalog_url
from airflow_backup.cli.output import print_json

if TYPE_CHECKING:
    from airflow_backup.catalog.state import CatalogState


def add_to(commands: Any) -> None:
    """Add the command, and its two words."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "db", help="check the catalog's tables, or upgrade them"
    )
    words = parser.add_subparsers(title="what to do", metavar="WHAT", required=True)
    check = words.add_parser(
        "check", help="say whether this release works with the catalog; exit 1 when it does not"
    )
    check.set_defaults(run=run_check)
    upgrade = words.add_parser(
        "upgrade",
        help="upgrade the tables to the version of this release; running backups continue",
    )
    upgrade.add_argument("--dry-run", action="store_true", help="say what would be done")
    upgrade.add_argument(
        "--no-copy", action="store_true", help="make no copy of a catalog in SQLite before"
    )
    upgrade.set_defaults(run=run_upgrade)
    for each in (check, upgrade):
        add_catalog(each)
        add_format(each)


def run_check(arguments: argparse.Namespace) -> int:
    """Print what the catalog is like; return 1 when this release does not work with it as it is."""
    from airflow_backup.catalog.state import state_of

    state = state_of(catalog_url(arguments.catalog))
    if arguments.format == "json":
        print_json(_dict(state))
    else:
        _print(state)
    return exit_codes.DONE if state.is_well else exit_codes.BAD


def run_upgrade(arguments: argparse.Namespace) -> int:
    """Upgrade the tables, and say what was done; nothing to do is no error."""
    from airflow_backup.catalog import Catalog
    from airflow_backup.catalog.state import (
        CatalogShape,
        copy_file,
        require_upgradable,
        state_of,
    )

    url = catalog_url(arguments.catalog)
    before = state_of(url)
    require_upgradable(before)
    copied = None
    if before.shape is CatalogShape.OLDER and not arguments.dry_run:
        if before.file is not None and not arguments.no_copy:
            copied = copy_file(before.file, before.version)
        try:
            Catalog.open(url).close()
        except BaseException:
            # Nothing was changed: an upgrade is whole or not at all.
            if copied is not None:
                copied.unlink()
            raise
    after = before if arguments.dry_run else state_of(url)
    if arguments.format == "json":
        copy = None if copied is None else str(copied)
        print_json({"before": _dict(before), "after": _dict(after), "copy": copy})
    else:
        for step in before.steps:
            print(f"{'would do' if arguments.dry_run else 'done'}  {step.version}  {step.what}")
        if copied is not None:
            print(f"the catalog as it was: {copied}")
        _print(after)
    return exit_codes.DONE if arguments.dry_run or after.is_well else exit_codes.BAD


_VERDICTS = {
    "absent": "there is no catalog yet; the first backup makes it",
    "current": "up to date",
    "older": "needs an upgrade: airflow-backup db upgrade",
    "newer": "made by a newer release; this one works with it",
    "unknown": "no release has this version",
    "foreign": "no catalog: give it a database, or a schema, of its own",
    "too new": "made by a newer release; this one does not work with it: install that one or a newer one",
}


def _print(state: CatalogState) -> None:
    from airflow_backup.catalog.migrate import HEAD

    print(f"catalog  {state.name}")
    print(f"version  {state.version or 'none'}; this release knows {HEAD}")
    for each in state.damage:
        print(f"damaged  {each}")
    is_damaged = state.damage and state.shape != "foreign"
    print(f"verdict  {'damaged' if is_damaged else _VERDICTS[state.shape]}")


def _dict(state: CatalogState) -> dict[str, Any]:
    from airflow_backup.catalog.migrate import HEAD

    return {
        "catalog": state.name,
        "version": state.version,
        "known_version": HEAD,
        "shape": state.shape,
        "steps": [{"version": each.version, "what": each.what} for each in state.steps],
        "damage": list(state.damage),
        "well": state.is_well,
    }
