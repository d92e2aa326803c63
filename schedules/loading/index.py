"""
The compiled form of the schedules files, keyed by their content, so that a task's start pays no YAML.

It also remembers the last version of every schedule that was right: a schedule that turns wrong goes on in
that version until it is mended, and one that is gone from readable files is gone.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from airflow_backup import __version__
from airflow_backup.schedules.loading.dependencies import Elsewhere
from airflow_backup.schedules.loading.loaded import CATALOG
from airflow_backup.schedules.loading.loader import (
    Loaded,
    Rejected,
    check_definition,
    load,
    load_from_catalog,
    schedule_files,
)
from airflow_backup.schedules.loading.placeholders import names_in
from airflow_backup.schedules.loading.problems import Problem
from airflow_backup.schedules.model.schedule import Schedule, digest_of

FORMAT = 4

State = Literal["loaded", "rejected", "last_known_good"]


@dataclass(frozen=True)
class Entry:
    """One schedule: its effective definition (None when it was never right), its place and its problems."""

    id: str
    definition: dict[str, Any] | None
    file: str
    line: int
    state: State
    problems: list[Problem] = field(default_factory=list)

    @property
    def content_hash(self) -> str:
        """A hash of the definition, the same for the same schedule."""
        return digest_of(self.definition)


@dataclass
class Index:
    """Everything that one schedules path says."""

    origin: str
    fingerprint: str
    from_catalog: str = ""
    """The stamp of the schedules from the catalog."""
    also: list[str] = field(default_factory=list)
    """Further files that the fingerprint covers."""
    entries: dict[str, Entry] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    proven: bool = False
    """Whether every DAG was once built and serialized from exactly this."""
    published: bool = False
    """Whether the catalog has it."""
    unprotected: list[dict[str, str]] = field(default_factory=list)
    """The exceptions: connections that no schedule protects, each with the reason."""

    def runnable(self) -> dict[str, dict[str, Any]]:
        """Return the definitions that become DAGs, by id."""
        return {
            entry.id: entry.definition
            for entry in self.entries.values()
            if entry.definition is not None
        }

    def last_good(self) -> LastGood:
        """Return the definitions that were right, for when they turn wrong."""
        found = LastGood({}, {})
        for entry in self.entries.values():
            if entry.definition is not None:
                found.by(entry.file)[entry.id] = entry.definition
        return found


class LastGood(NamedTuple):
    """
    The definitions that were right last, by id.

    Those of files and those made on the page are kept apart: a file that turns wrong must not go on as what somebody
    made on the page, which is fenced in, nor the other way round.
    """

    files: dict[str, dict[str, Any]]
    made: dict[str, dict[str, Any]]

    def by(self, file: str) -> dict[str, dict[str, Any]]:
        """Return those of a file, or those that were made on the page."""
        return self.made if file == CATALOG else self.files


def fingerprint(path: Path, *, also: Sequence[str] = ()) -> str:
    """
    Hash what decides what the schedules say: the files, the variables they mention, this package's version.

    ``also`` are further files that they name (calendars).
    """
    digest = hashlib.sha256(f"{FORMAT} {__version__}".encode())
    for file in (*schedule_files(path), *map(Path, also)):
        try:
            content = file.read_bytes()
        except OSError as error:
            content = str(error.errno).encode()
        digest.update(f"\0{file.name}\0{len(content)}\0".encode())
        digest.update(content)
        for name in names_in(content):
            digest.update(f"\0{name}={os.environ.get(name, '')}".encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class CatalogSchedules:
    """The schedules of the catalog, and a stamp that changes when any of them does."""

    stamp: str = ""
    definitions: tuple[Mapping[str, Any], ...] = ()


def compile_index(
    path: Path,
    *,
    known: LastGood | None = None,
    from_catalog: CatalogSchedules | None = None,
    is_optional: bool = False,
) -> Index:
    """
    Read the schedules files; fall back to the definitions in ``known`` for what is wrong.

    Schedules in ``from_catalog`` come from the catalog; a file wins where an id is in both and it is right there, or
    was.

    Where a whole file cannot be read, nobody can tell which definitions of files it still holds, so all of them go on;
    of those made on the page the catalog says which there are. Where the path is optional and nothing was ever known,
    a missing file is no problem: all schedules may be in the catalog.
    """
    given = from_catalog or CatalogSchedules()
    last = known or LastGood({}, {})
    if is_optional and not last.files and not path.exists():
        loaded, mark = load_from_catalog(given.definitions), fingerprint(path)
    else:
        loaded, mark = _read(path, given)
    index = Index(
        str(path), mark, from_catalog=given.stamp, also=loaded.also, problems=loaded.problems
    )
    index.unprotected = [each.unprotected.model_dump() for each in loaded.exempt]
    for item in loaded.schedules:
        definition = item.schedule.definition()
        index.entries[item.schedule.id] = Entry(
            item.schedule.id, definition, item.file, item.line, "loaded"
        )
    for wrong in loaded.rejected:
        if wrong.id is not None and wrong.id not in index.entries:
            index.entries[wrong.id] = _last_good(wrong.id, wrong, last, given)
    for identifier in _lost_from_sight(loaded, last.files):
        definition, found = last.files[identifier], loaded.problems[:1]
        if identifier not in index.entries or index.entries[identifier].file == CATALOG:
            index.entries[identifier] = _rejected(identifier, definition, found[0].file, 1, found)
    return index


def _last_good(identifier: str, wrong: Rejected, last: LastGood, given: CatalogSchedules) -> Entry:
    """Let a schedule that is wrong go on as it was, or as it was made on the page if the file never was right."""
    known, file = last.by(wrong.file).get(identifier), wrong.file
    if known is None and file != CATALOG:
        made = [each for each in given.definitions if each.get("id") == identifier]
        for definition in made:
            loaded = check_definition(
                definition, elsewhere=Elsewhere(definition.get("after") or ())
            )
            for item in loaded.schedules:
                known, file = item.schedule.definition(), CATALOG
    return _rejected(identifier, known, file, wrong.line, wrong.problems)


def _read(path: Path, from_catalog: CatalogSchedules) -> tuple[Loaded, str]:
    """Read the files and their fingerprint; again, when they were written meanwhile."""
    while True:
        before = fingerprint(path)
        loaded = load(path, from_catalog=from_catalog.definitions)
        mark = fingerprint(path, also=loaded.also)
        if fingerprint(path) == before:
            return loaded, mark


def _rejected(
    identifier: str, known: dict[str, Any] | None, file: str, line: int, problems: list[Problem]
) -> Entry:
    state: State = "rejected" if known is None else "last_known_good"
    return Entry(identifier, known, file, line, state, problems)


def _lost_from_sight(loaded: Loaded, known: Mapping[str, dict[str, Any]]) -> list[str]:
    """List the known ids that may be in a file which could not be read at all."""
    unreadable = any(problem.path == "" for problem in loaded.problems)
    nameless = any(wrong.id is None for wrong in loaded.rejected)
    return list(known) if unreadable or nameless else []


def reject(index: Index, identifier: str, message: str, known: dict[str, Any] | None) -> None:
    """Mark a schedule as wrong after all: its DAG could not be built."""
    entry = index.entries[identifier]
    problem = Problem(entry.file, entry.line, 1, f"schedules.{identifier}", message)
    index.problems.append(problem)
    index.entries[identifier] = _rejected(
        identifier, None if known == entry.definition else known, entry.file, entry.line, [problem]
    )


def index_file(folder: Path, path: Path) -> Path:
    """Return where the index of a schedules path lies."""
    return folder / f"{hashlib.sha256(str(path).encode()).hexdigest()[:16]}.json"


def read_index(file: Path, *, only: str | None = None) -> Index | None:
    """
    Read a compiled index; None when there is none, or one of another format.

    With ``only``, just that schedule of it: a task's start needs no other.
    """
    try:
        data = json.loads(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError, UnicodeDecodeError):
        return None
    if data.get("format") != FORMAT:
        return None
    entries = {
        identifier: Entry(identifier, **{**facts, "problems": _problems(facts["problems"])})
        for identifier, facts in data["entries"].items()
        if only is None or identifier == only
    }
    return Index(
        data["origin"],
        data["fingerprint"],
        data["made"],
        data["also"],
        entries,
        _problems(data["problems"]),
        data["proven"],
        data["published"],
        data["unprotected"],
    )


def _problems(data: list[dict[str, Any]]) -> list[Problem]:
    return [Problem(**item) for item in data]


def write_index(file: Path, index: Index) -> None:
    """Write the index so that a reader sees the old or the new one, never half of it."""
    data = {
        "format": FORMAT,
        "origin": index.origin,
        "fingerprint": index.fingerprint,
        "made": index.from_catalog,
        "also": index.also,
        "proven": index.proven,
        "published": index.published,
        "unprotected": index.unprotected,
        "problems": [problem.as_dict() for problem in index.problems],
        "entries": {
            entry.id: {key: value for key, value in asdict(entry).items() if key != "id"}
            for entry in index.entries.values()
        },
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(data, stream, separators=(",", ":"))
        os.replace(temporary, file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def schedule_of(definition: Mapping[str, Any]) -> Schedule:
    """Turn a definition from the index back into a schedule."""
    return Schedule.model_validate(definition)
