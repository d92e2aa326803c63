"""
Puts a set of Airflow back into an empty folder, or its database into a running server.

The folder has ``airflow.cfg``, ``packages.txt``, ``database``, ``bundles/NAME`` and ``plugins``: what goes where on
the new machine, a person decides.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from airflow_backup.core.errors import BackupError, ConfigError, NotFound
from airflow_backup.core.paths.holding import path_of
from airflow_backup.engines.airflow import fernet
from airflow_backup.engines.airflow.configuration import Configuration
from airflow_backup.engines.airflow.dump import PACKAGES
from airflow_backup.engines.airflow.fernet import Keys, keys_of
from airflow_backup.engines.airflow.kept_configuration import STREAM, read_kept, read_text
from airflow_backup.engines.airflow.options import AirflowOptions, engine_of
from airflow_backup.engines.airflow.parts import BUNDLES, Part, for_part, parts_of, state_in
from airflow_backup.engines.capabilities import Loader, PartChecker, StoredEntry
from airflow_backup.engines.protocol import EngineContext, RestoreReport, SetReader
from airflow_backup.engines.shared.contents import entries_of
from airflow_backup.engines.shared.restore_root import open_target


def restore(
    stored: SetReader, target: Path, context: EngineContext, *, only: Sequence[str]
) -> RestoreReport:
    """Write all parts, or those that ``only`` names, each below a folder of its own."""
    wanted, names = wanted_of(stored, only), {each.strip("/") for each in only}
    reports: list[RestoreReport] = []
    folder = open_target(target)
    try:
        held = path_of(folder, target)
        for name, data in _texts(stored, names).items():
            with (held / name).open("xb") as file:
                reports.append(RestoreReport(files=1, bytes_written=file.write(data)))
        if any(part.place.startswith(f"{BUNDLES}/") for part, _ in wanted):
            os.mkdir(BUNDLES, mode=0o700, dir_fd=folder)
    finally:
        os.close(folder)
    for part, inside in wanted:
        place = target / part.place
        reports.append(part.engine.restore([part.reader], place, for_part(context), only=inside))
    context.reporter.finish()
    return _joined(reports, [] if only else words_on_the_key(stored, context))


def load(
    stored: SetReader,
    context: EngineContext,
    *,
    connection: str,
    database: str | None,
    until: datetime | None,
    overwrite: bool,
) -> RestoreReport:
    """Load the database into a running server of its kind."""
    part = parts_of(stored)[0]
    if not isinstance(part.engine, Loader):
        raise ConfigError("an SQLite database is restored into a folder", hint="--to FOLDER")
    there = engine_of(context.connections(connection))
    if there != part.engine.name:
        raise ConfigError(
            f"the database of set '{stored.manifest.set_id}' is one of {part.engine.name}, "
            f"and connection '{connection}' leads to {there}"
        )
    report = part.engine.load(
        [part.reader],
        for_part(context),
        connection=connection,
        database=database,
        until=until,
        overwrite=overwrite,
    )
    rest = "this was the database; configuration, DAG bundles and plugins are restored into a folder: --to FOLDER"
    return _joined([report], [rest, *words_on_the_key(stored, context)])


def check_parts(stored: SetReader, only: Sequence[str], context: EngineContext) -> None:
    """Raise NotFound where the set lacks one of the parts that ``only`` names."""
    for part, inside in wanted_of(stored, only):
        if inside and isinstance(part.engine, PartChecker):
            part.engine.check_parts([part.reader], inside, context)


def contents(stored: SetReader, context: EngineContext) -> Iterator[StoredEntry]:
    """Yield the parts, each with what its engine lists."""
    for name in (STREAM, PACKAGES):
        size = sum(piece.raw_size for piece in stored.manifest.pieces_of(name))
        yield StoredEntry(name, "file", size, stored.manifest.consistent_at)
    for part in parts_of(stored):
        yield StoredEntry(part.place, "folder")
        for each in entries_of(part.engine, [part.reader], for_part(context)):
            yield replace(each, path=f"{part.place}/{each.path}")


def wanted_of(stored: SetReader, only: Sequence[str]) -> list[tuple[Part, list[str]]]:
    """Return the parts that are wanted, each with the paths that are wanted in it: none for all."""
    parts = {part.place: part for part in parts_of(stored)}
    if not only:
        return [(part, []) for part in parts.values()]
    found: dict[str, set[str]] = {}
    for path in only:
        name = path.strip("/")
        whole = [place for place in parts if f"{place}/".startswith(f"{name}/")]
        inside = [place for place in parts if name.startswith(f"{place}/")]
        if not (whole or inside or name in (STREAM, PACKAGES)):
            raise NotFound(
                f"set '{stored.manifest.set_id}' has no '{path}'",
                hint=f"it has {', '.join([STREAM, PACKAGES, *parts][:20])}",
            )
        for place in whole:
            found.setdefault(place, set()).add("")
        for place in inside:
            found.setdefault(place, set()).add(name.removeprefix(f"{place}/"))
    return [(parts[place], [] if "" in names else sorted(names)) for place, names in found.items()]


def keys_here(context: EngineContext) -> Keys:
    """Return the Fernet keys that are known where we are; none where the configuration cannot be read."""
    home = context.source.home if isinstance(context.source, AirflowOptions) else None
    try:
        return keys_of(Configuration.read(home, os.environ, within=context.source_roots))
    except BackupError as error:
        return Keys("unknown", why=error.message)


def words_on_the_key(stored: SetReader, context: EngineContext) -> list[str]:
    """Say what is wrong with the Fernet key that is known here, if something is."""
    fits, words = fernet.compare(state_in(stored).fernet, keys_here(context))
    return [] if fits else [words]


def _texts(stored: SetReader, names: Collection[str]) -> dict[str, bytes]:
    """Read all before anything is written; what is not wanted may be damaged."""
    wanted = [each for each in (STREAM, PACKAGES) if not names or each in names]
    return {
        each: read_kept(stored) if each == STREAM else read_text(stored, each) for each in wanted
    }


def _joined(reports: Sequence[RestoreReport], warnings: Sequence[str]) -> RestoreReport:
    return RestoreReport(
        files=sum(each.files for each in reports),
        bytes_written=sum(each.bytes_written for each in reports),
        warnings=[*(word for each in reports for word in each.warnings), *warnings],
    )
