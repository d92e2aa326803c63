"""Compares the pieces that lie in a repository with those that a manifest names: is each there, and of its size."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_backup.core.format.manifest import Manifest, set_prefix
from airflow_backup.core.format.pieces import Piece
from airflow_backup.storage.protocol import Storage


def misfits(storage: Storage, manifest: Manifest) -> Iterator[tuple[Piece, int | None]]:
    """Yield each piece that is missing or of another size than the manifest says, with its size; None for missing."""
    prefix = set_prefix(manifest.schedule_id, manifest.set_id)
    sizes = {stored.name: stored.size for stored in storage.list(prefix)}
    for piece in manifest.pieces:
        found = sizes.get(prefix + piece.name)
        if found != piece.size:
            yield piece, found
