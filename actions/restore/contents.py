"""What is in a set, by folders: looked up to know what to bring back, without restoring it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from airflow_backup.actions.restore.chain import chosen_chain, engine_for, knowing
from airflow_backup.actions.sets.repository import id_of, saying_when_gone
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.core.connections import Connections, from_environment
from airflow_backup.core.errors import NotFound
from airflow_backup.core.format.age import Identity
from airflow_backup.engines.capabilities import EntryKind, StoredEntry
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.engines.registry import Registry
from airflow_backup.engines.shared.contents import entries_of
from airflow_backup.schedules.model.sources import EngineOptions
from airflow_backup.storage.protocol import Storage

if TYPE_CHECKING:
    from airflow_backup.catalog import Catalog


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """Something in a set, or a folder and all that is below it."""

    path: str
    """As a restore takes it."""

    kind: EntryKind
    size: int | None
    """Bytes of a file, or of all files below a folder; None for another name of the same file."""

    files: int | None = None
    """Files below a folder."""

    modified: datetime | None = None
    rows: int | None = None
    """Of a table."""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rstrip("/").rpartition("/")[2]

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON and the API."""
        return {
            "path": self.path,
            "name": self.name,
            "kind": self.kind,
            "size": self.size,
            "files": self.files,
            "modified": None if self.modified is None else self.modified.isoformat(),
            "rows": self.rows,
        }


@dataclass(frozen=True, slots=True)
class Contents:
    """What was found in a set."""

    set_id: str
    consistent_at: datetime
    passed_over: tuple[str, ...]
    """Why newer sets were not looked into."""

    entries: tuple[Listed, ...]
    total: int
    """How many there are; more than ``entries`` where a limit was given."""


Choose = Callable[[Iterable[StoredEntry]], Iterator[Listed]]
"""Makes a list out of everything in a set."""


def contents(
    storage: Storage,
    trust: Trust,
    choose: Choose,
    *,
    set_id: str | None = None,
    at: datetime | None = None,
    keys: Sequence[Identity] = (),
    catalog: Catalog | None = None,
    engines: Registry | None = None,
    connections: Connections = from_environment,
    source: EngineOptions | None = None,
    limit: int | None = None,
) -> Contents:
    """
    Look into the set that a restore would take, and return what ``choose`` makes of it, at most ``limit`` of them.

    Only the index of a set is read, not what it holds. ConfigError where the engine lists nothing.
    """
    trust = knowing(trust, catalog)
    with saying_when_gone(storage, id_of(storage)):
        chain, gaps = chosen_chain(storage, trust, set_id=set_id, at=at, keys=keys, catalog=catalog)
        last = chain[-1].manifest
        engine = engine_for(last, trust, engines)
        chain[-1].check_keys()
        context = EngineContext(connections=connections, source=source)
        entries, total = [], 0
        for entry in choose(entries_of(engine, chain, context)):
            total += 1
            if limit is None or total <= limit:
                entries.append(entry)
    return Contents(last.set_id, last.consistent_at, gaps, tuple(entries), total)


def in_folder(folder: str) -> Choose:
    """
    List what lies in a folder, with the sums of the folders in it; NotFound where the set has none of that name.

    >>> tree = [StoredEntry("a", "folder"), StoredEntry("a/b", "file", 3), StoredEntry("c", "file", 1)]
    >>> [(each.path, each.size, each.files) for each in in_folder("")(tree)]
    [('a', 3, 1), ('c', 1, None)]
    """
    wanted = _parts(folder)

    def choose(entries: Iterable[StoredEntry]) -> Iterator[Listed]:
        found: dict[str, Listed] = {}
        is_there = not wanted
        for entry in entries:
            parts = _parts(entry.path)
            if parts[: len(wanted)] != wanted:
                continue
            is_there = True
            if len(parts) == len(wanted):
                if entry.kind != "folder":  # asked for by its own name
                    found[entry.path] = listed(entry)
                continue
            _add(found, entry, parts[: len(wanted) + 1])
        if not is_there:
            raise NotFound(
                f"there is no '{folder}' in the set",
                hint="write it relative to the folder that was backed up; --find NAME looks everywhere",
            )
        yield from found.values()

    return choose


def everything(pattern: str | None = None) -> Choose:
    """
    List all there is, or what has a name or a path that a pattern of the shell's names (``*.pdf``, ``a/*/b``).

    >>> [each.path for each in everything("*.txt")([StoredEntry("a/b.txt", "file", 1), StoredEntry("a", "folder")])]
    ['a/b.txt']
    """

    wanted = None if pattern is None else "/".join(_parts(pattern)) or "*"

    def choose(entries: Iterable[StoredEntry]) -> Iterator[Listed]:
        for entry in entries:
            found = listed(entry)
            path = entry.path.strip("/")
            if wanted is None or any(fnmatchcase(each, wanted) for each in (found.name, path)):
                yield found

    return choose


def listed(entry: StoredEntry) -> Listed:
    """Return something as it is listed by itself."""
    return Listed(
        path=entry.path,
        kind=entry.kind,
        size=entry.size,
        modified=entry.modified,
        rows=entry.rows,
    )


def _add(found: dict[str, Listed], entry: StoredEntry, parts: list[str]) -> None:
    """Add something to the folder that it lies in, or to the list."""
    path = "/".join(parts)
    known = found.get(path)
    if len(parts) == len(_parts(entry.path)):
        is_folder = entry.kind == "folder"
        own = replace(listed(entry), size=0, files=0) if is_folder else listed(entry)
        found[path] = own if known is None else replace(known, modified=entry.modified)
        return
    if known is None:  # the folder itself is not in the set: one of several paths lies below it
        start = "/" if entry.path.startswith("/") else ""
        known = Listed(path=start + path, kind="folder", size=0, files=0)
    is_file = entry.kind == "file"
    found[path] = replace(
        known,
        size=(known.size or 0) + (entry.size or 0),
        files=(known.files or 0) + is_file,
    )


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]
