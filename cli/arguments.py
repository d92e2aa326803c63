"""Arguments that several commands share, and what they stand for."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_backup.cli.airflow_options import airflow_home, airflow_option
from airflow_backup.cli.terminal import say
from airflow_backup.core.allowed_commands import read
from airflow_backup.core.connections import from_environment
from airflow_backup.core.errors import CatalogError, ConfigError, NotFound
from airflow_backup.schedules.loading.dependencies import Elsewhere
from airflow_backup.schedules.loading.loader import Loaded, load
from airflow_backup.schedules.loading.problems import did_you_mean
from airflow_backup.schedules.model.schedule import Schedule

if TYPE_CHECKING:
    from airflow_backup.catalog import Catalog
    from airflow_backup.core.format.age import Identity
    from airflow_backup.core.format.signing import PublicKey

SCHEDULES_VARIABLE = "AIRFLOW__BACKUP__SCHEDULES_PATH"
ALLOWED_COMMANDS_VARIABLE = "AIRFLOW__BACKUP__ALLOWED_COMMANDS"
CATALOG_VARIABLE = "AIRFLOW_BACKUP_CATALOG"


def add_format(parser: argparse.ArgumentParser, *more: str) -> None:
    """Add ``--format``."""
    parser.add_argument(
        "--format",
        choices=("text", "json", *more),
        default="text",
        help="how to print (default: text)",
    )


def add_schedules(parser: argparse.ArgumentParser) -> None:
    """Add ``--schedules``."""
    parser.add_argument(
        "--schedules",
        metavar="PATH",
        type=Path,
        help=f"schedules file or folder (default: ${SCHEDULES_VARIABLE}, schedules.yaml or schedules/)",
    )


def add_catalog(parser: argparse.ArgumentParser) -> None:
    """Add ``--catalog``."""
    parser.add_argument(
        "--catalog",
        metavar="URL",
        help=f"catalog database (default: ${CATALOG_VARIABLE}, or airflow_backup.db in $AIRFLOW_HOME); "
        "write a URL with a password into the variable, not here",
    )


def add_repository(parser: argparse.ArgumentParser) -> None:
    """Add ``--repository``, which does without schedules file and catalog."""
    parser.add_argument(
        "--repository",
        metavar="URL",
        help="where the sets lie, when there is no schedules file; uses no catalog but one named by --catalog",
    )


def add_which_set(parser: argparse.ArgumentParser) -> None:
    """Add what chooses a set of the schedule."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--at",
        type=moment,
        metavar="TIME",
        help="as it was at this moment (default: the newest set)",
    )
    which.add_argument("--set", metavar="ID", help="this set")


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Add what says where sets lie, what opens them, who made them, and how the answer is printed."""
    add_repository(parser)
    add_keys(parser)
    add_trust(parser)
    add_schedules(parser)
    add_catalog(parser)
    add_format(parser)


def allowed_commands() -> list[str]:
    """Return the programs that schedules may run, from the variable that Airflow reads too."""
    return read(os.environ.get(ALLOWED_COMMANDS_VARIABLE, ""))


def add_keys(parser: argparse.ArgumentParser) -> None:
    """Add ``--key-file``."""
    parser.add_argument(
        "--key-file",
        action="append",
        metavar="FILE",
        help="the secret key of encrypted sets, as age-keygen writes it; repeatable "
        "(default: as the schedule says)",
    )


def keys(arguments: argparse.Namespace) -> list[Identity] | None:
    """Return the secret keys that were given; None when none were."""
    from airflow_backup.actions.sets.encryption import read_keys

    if not arguments.key_file:
        return None
    return [key for path in arguments.key_file for key in read_keys(path)]


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Add what says, beside ``--repository``, what its sets must be."""
    parser.add_argument(
        "--engine",
        metavar="NAME",
        help="with --repository: the engine that made the sets; what a set says of it could be forged",
    )
    parser.add_argument(
        "--public-key",
        action="append",
        metavar="KEY",
        help="with --repository: who must have signed the sets, as keygen prints it, or a file with it; repeatable",
    )


def public_keys(arguments: argparse.Namespace) -> tuple[PublicKey, ...]:
    """Return who must have signed the sets; ConfigError for what is no key, and beside a schedule, which says it."""
    from airflow_backup.core.format.signing import public_key

    if arguments.repository is None and (arguments.public_key or arguments.engine):
        raise ConfigError(
            "--engine and --public-key belong to --repository",
            hint="without it the schedule says what its sets must be",
        )
    found = []
    for given in arguments.public_key or ():
        path = Path(given)
        text = path.read_text(encoding="utf-8") if path.is_file() else given
        found.append(public_key(text.strip()))
    return tuple(found)


def schedules_path(given: Path | None) -> Path:
    """Return the schedules file or folder that is meant."""
    if given is not None:
        return given
    configured = os.environ.get(SCHEDULES_VARIABLE)
    if configured:
        return Path(configured).expanduser()
    return Path("schedules") if Path("schedules").is_dir() else Path("schedules.yaml")


def loaded(given: Path | None, *, elsewhere: Elsewhere | None = None) -> Loaded:
    """Read the schedules that are meant, and may wait for those elsewhere; raise NotFound where there is no file."""
    path = schedules_path(given)
    if not path.exists():
        raise NotFound(
            f"no schedules file at {path}",
            hint="--schedules PATH? the first one is written by airflow-backup setup",
        )
    return load(path, elsewhere=elsewhere)


def schedule(given: Path | None, identifier: str) -> Schedule:
    """Return one schedule; raise NotFound, or ConfigError with its problems."""
    found = loaded(given)
    known = found.by_id()
    if identifier in known:
        return known[identifier]
    for wrong in found.rejected:
        if wrong.id == identifier:
            problems = "\n".join(str(problem) for problem in wrong.problems)
            raise ConfigError(f"schedule '{identifier}' is wrong\n{problems}")
    raise NotFound(f"no schedule '{identifier}'", hint=did_you_mean(identifier, list(known)))


def open_catalog(given: str | None, *, create: bool = False) -> Catalog:
    """Open the catalog that is meant; ``create`` makes Airflow's home where the default one would lie."""
    from airflow_backup.catalog import Catalog  # SQLAlchemy; not for commands that need no catalog

    url = catalog_url(given)
    if create and url == _default_catalog():
        airflow_home().mkdir(parents=True, exist_ok=True)
    return Catalog.open(url)


def catalog_url(given: str | None = None) -> str:
    """
    Return the address of the catalog that is meant: the one that Airflow uses, where none is named.

    NotFound where that is a connection that only Airflow knows: another catalog would be a wrong one.
    """
    named = given or os.environ.get(CATALOG_VARIABLE)
    if named:
        return named
    connection_id = airflow_option("backup", "catalog_conn_id")
    if connection_id is None:
        return _default_catalog()
    from airflow_backup.catalog.address import address_of  # SQLAlchemy, as above

    try:
        return address_of(from_environment(connection_id))
    except NotFound as error:
        raise NotFound(
            f"the catalog is that of Airflow's connection '{connection_id}', which is not known here",
            hint=f"{error.hint}; or name the catalog: --catalog URL",
        ) from error


def _default_catalog() -> str:
    return f"sqlite:///{airflow_home() / 'airflow_backup.db'}"


def catalog_beside(arguments: argparse.Namespace, *, may_lack: bool = False) -> Catalog | None:
    """
    Open the catalog, but beside a ``--repository`` only the one that is named.

    ``may_lack`` goes on without, and says so: on the day that it is lost, the repository is enough.
    """
    if arguments.repository is not None and arguments.catalog is None:
        return None
    try:
        return open_catalog(arguments.catalog)
    except CatalogError as error:
        if not may_lack or arguments.catalog is not None:
            raise
        say(f"airflow-backup: without the catalog: {error.message}", to=sys.stderr)
        return None


def moment(text: str) -> datetime:
    """Read an ISO 8601 moment, in UTC where it names no offset."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a moment; write for example 2026-11-21T02:00:00+01:00"
        ) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
