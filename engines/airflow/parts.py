"""A set of Airflow is made of parts that other engines make: each sees its own streams, and a manifest of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from airflow_backup.core.errors import FormatError
from airflow_backup.core.format.manifest import Manifest, Totals
from airflow_backup.core.format.pieces import Piece
from airflow_backup.engines.airflow.state import AirflowState, FolderState, PartState
from airflow_backup.engines.protocol import Engine, EngineContext, SetReader, Sink, Stream
from airflow_backup.engines.registry import registry

DATABASE = "database"
"""Where the database is restored, below the target."""

BUNDLES, PLUGINS = "bundles", "plugins"
_FOLDER = "folder-"


class PartSink:
    """Takes the streams of a part under names that no other part has."""

    def __init__(self, sink: Sink, prefix: str) -> None:
        self._sink, self._prefix = sink, prefix

    def stream(self, name: str, *, is_index: bool = False) -> AbstractContextManager[Stream]:
        """Begin a stream."""
        return self._sink.stream(self._prefix + name, is_index=is_index)


class PartReader:
    """A set as the engine that made a part of it reads it."""

    def __init__(self, whole: SetReader, prefix: str, manifest: Manifest) -> None:
        self._whole, self._prefix = whole, prefix
        self.manifest = manifest

    def blocks(self, stream: str, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the raw bytes of a stream of the part."""
        return self._whole.blocks(self._prefix + stream, begin, end)


@dataclass(frozen=True)
class Part:
    """One part of a set: who made it, where it is restored, and its view of the set."""

    engine: Engine[Any]
    place: str
    """The folder below the target, with slashes."""

    prefix: str
    reader: PartReader

    def owns(self, stream: str) -> bool:
        """Whether a stream of the whole set is this part's."""
        return _owns(self.prefix, stream)


def folder_prefix(number: int) -> str:
    """Return what the names of the streams of a folder begin with."""
    return f"{_FOLDER}{number}."


def state_in(stored: SetReader) -> AirflowState:
    """Return what the manifest says."""
    manifest = stored.manifest
    return AirflowState.model_validate(manifest.state, context={"kind": manifest.kind})


def parts_of(stored: SetReader) -> list[Part]:
    """Return the parts of a set: the database, then the folders."""
    state, plain = state_in(stored), stored.manifest.state
    database = state.database
    own = plain["database"][database.engine]
    parts = [
        _part(stored, database.engine, DATABASE, "", database, own, stored.manifest.counts),
    ]
    for number, folder in enumerate(state.folders, 1):
        told = plain["folders"][number - 1]["state"]
        prefix = folder_prefix(number)
        parts.append(_part(stored, "files", place_of(folder), prefix, folder, told, folder.counts))
    return parts


def place_of(folder: FolderState) -> str:
    """Return where a folder is restored, below the target."""
    return PLUGINS if folder.use == "plugins" else f"{BUNDLES}/{folder.name}"


def for_part(context: EngineContext) -> EngineContext:
    """Return the context of a part: what the whole set is expected to read says nothing of it."""
    return replace(context, expected_bytes=None)


def _part(
    stored: SetReader,
    engine: str,
    place: str,
    prefix: str,
    part: PartState,
    state: dict[str, Any],
    counts: dict[str, int],
) -> Part:
    found = registry().get(engine)
    manifest = stored.manifest
    if part.layout != found.version:
        raise FormatError(
            f"{place} of set '{manifest.set_id}' has the layout {part.layout!r:.30} of the {engine} engine, "
            f"and this release reads {found.version}",
            hint="which release wrote it? install that one or a newer one",
        )
    own = manifest.model_copy(
        update={
            "engine": engine,
            "engine_version": part.layout,
            "pieces": tuple(_own(manifest.pieces, prefix)),
            "totals": Totals(files=part.files, bytes_read=part.bytes_read),
            "counts": counts,
            "state": state,
        }
    )
    return Part(found, place, prefix, PartReader(stored, prefix, own))


def _own(pieces: Sequence[Piece], prefix: str) -> Iterator[Piece]:
    for piece in pieces:
        if _owns(prefix, piece.stream):
            yield piece.model_copy(update={"stream": piece.stream.removeprefix(prefix)})


def _owns(prefix: str, stream: str) -> bool:
    return stream.startswith(prefix) if prefix else not stream.startswith(_FOLDER)
