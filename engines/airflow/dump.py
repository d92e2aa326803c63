"""
Takes a set of Airflow: the database first, then the files.

What is written to the files after that is newer than the database, and that is what Airflow knows from every
deployment: it reads the files again and follows. Older files would be another matter: versions and runs of DAGs that
nobody has.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distributions, version
from typing import Any

from airflow_backup.core.errors import BackupError
from airflow_backup.core.words import Kind
from airflow_backup.engines.airflow import fernet
from airflow_backup.engines.airflow.apart import patterns_for
from airflow_backup.engines.airflow.bundles import Bundles, Folder, bundles_of
from airflow_backup.engines.airflow.configuration import Configuration
from airflow_backup.engines.airflow.database import (
    Database,
    DatabaseContents,
    contents_of,
    database_of,
)
from airflow_backup.engines.airflow.fernet import Keys, keys_of
from airflow_backup.engines.airflow.kept_configuration import STREAM, without_secrets
from airflow_backup.engines.airflow.options import AirflowOptions
from airflow_backup.engines.airflow.parts import PartSink, folder_prefix, for_part
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.protocol import DumpReport, EngineContext, Sink
from airflow_backup.engines.registry import registry

PACKAGES = "packages.txt"


@dataclass(frozen=True)
class Found:
    """What there is to back up."""

    configuration: Configuration
    keys: Keys
    bundles: Bundles
    database: Database


def look(given: AirflowOptions, context: EngineContext) -> Found:
    """Read the configuration, where the schedule may; nothing of what it leads to."""
    configuration = Configuration.read(given.home, os.environ, within=context.source_roots)
    return Found(
        configuration=configuration,
        keys=keys_of(configuration),
        bundles=bundles_of(configuration),
        database=database_of(given, configuration, context),
    )


def problems_of(given: AirflowOptions, context: EngineContext) -> list[BackupError]:
    """Return what is in the way of a dump."""
    try:
        found = look(given, context)
    except BackupError as error:
        return [error]
    own = for_part(context)
    options = found.database.options
    problems = registry().get(options.engine).check(options, own)
    if not problems:
        try:
            fernet.check_fit(found.keys, contents_of(found.database, context).encrypted)
        except BackupError as error:
            problems.append(error)
    for folder in found.bundles.folders:
        try:
            problems += registry().get("files").check(_files(folder, found, given, own), own)
        except BackupError as error:
            problems.append(error)
    return list({str(each): each for each in problems}.values())


def dump(given: AirflowOptions, context: EngineContext, sink: Sink) -> DumpReport:
    """Store the database, the configuration without what may be secret, and the folders."""
    found, own = look(given, context), for_part(context)
    database, contents, unfit = _dump_database(found, own, sink)
    kept = without_secrets(found.configuration)
    texts = {STREAM: kept.text.encode(), PACKAGES: "".join(_packages()).encode()}
    for name, text in texts.items():
        with sink.stream(name) as stream:
            stream.write(text)
    folders = [
        _dump_folder(
            _files(folder, found, given, own), folder, own, PartSink(sink, folder_prefix(number))
        )
        for number, folder in enumerate(found.bundles.folders, 1)
    ]
    reports = [database, *(report for _, report in folders)]
    context.reporter.finish()
    told = [word for each in reports for word in each.warnings]
    return DumpReport(
        consistent_at=database.consistent_at,
        files=len(texts) + sum(each.files for each in reports),
        bytes_read=sum(map(len, texts.values())) + sum(each.bytes_read for each in reports),
        tools={**database.tools, **_airflow()},
        counts=database.counts,
        warnings=[*told, *unfit, *_unknown(found.keys)],
        state={
            "home": found.configuration.home,
            "database": _state_of(found, database),
            "folders": [state for state, _ in folders],
            "elsewhere": _elsewhere(found.bundles, contents),
            "fernet": fernet.state_of(found.keys).model_dump(exclude_none=True),
            "left_out": [name[:1000] for name in kept.left_out],
        },
    )


def _dump_database(
    found: Found, context: EngineContext, sink: Sink
) -> tuple[DumpReport, DatabaseContents, list[str]]:
    """Dump it between two looks at whether the key fits: somebody may change the key meanwhile."""
    fernet.check_fit(found.keys, contents_of(found.database, context).encrypted)
    options = found.database.options
    engine = registry().get(options.engine)
    report = engine.dump(options, context, kind=Kind.FULL, parent=None, sink=sink)
    contents = contents_of(found.database, context)
    return report, contents, fernet.check_fit(found.keys, contents.encrypted)


def _state_of(found: Found, report: DumpReport) -> dict[str, Any]:
    name = found.database.options.engine
    return {**_part(report, registry().get(name).version), name: dict(report.state)}


def _dump_folder(
    options: FilesOptions, folder: Folder, context: EngineContext, sink: Sink
) -> tuple[dict[str, Any], DumpReport]:
    engine = registry().get("files")
    report = engine.dump(options, context, kind=Kind.FULL, parent=None, sink=sink)
    state = {
        **_part(report, engine.version),
        **folder._asdict(),
        "state": dict(report.state),
        "counts": dict(report.counts),
    }
    return state, report


def _part(report: DumpReport, layout: str) -> dict[str, Any]:
    return {"layout": layout, "files": report.files, "bytes_read": report.bytes_read}


def _files(
    folder: Folder, found: Found, given: AirflowOptions, context: EngineContext
) -> FilesOptions:
    apart = patterns_for(folder, found.configuration, found.database, context)
    options = FilesOptions(engine="files", path=folder.path)
    # As they were judged: with ours they may be more than a schedule may write.
    return options.model_copy(update={"exclude": [*given.exclude, *apart]})


def _elsewhere(bundles: Bundles, contents: DatabaseContents) -> list[dict[str, Any]]:
    return [
        {**each._asdict(), "version": (contents.versions.get(each.name) or "")[:1000] or None}
        for each in bundles.elsewhere
    ]


def _unknown(keys: Keys) -> Sequence[str]:
    if keys.known == "none":
        return [
            "Airflow has no Fernet key: the passwords of connections lie in the database, and in this set, as they are"
        ]
    if keys.known == "unknown":
        return [
            f"the Fernet key is not known here, and the set cannot tell whether one fits: {keys.why}"
        ]
    return []


def _packages() -> Iterator[str]:
    """Name what is installed here, as pip reads it; never where it came from, which may have a password in it."""
    found = {
        each.name.lower(): f"{each.name}=={each.version}\n" for each in distributions() if each.name
    }
    for name in sorted(found):
        yield found[name]


def _airflow() -> dict[str, str]:
    try:
        return {"airflow": version("apache-airflow-core")}
    except PackageNotFoundError:  # the set of another machine's folder can be taken without it
        return {}
