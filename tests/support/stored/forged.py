"""Sets as a broken writer would have made them: other bytes in a stream, and pieces and manifest that fit them."""

from __future__ import annotations

import dataclasses

from airflow_backup.actions.backup.sink import PieceSink
from airflow_backup.actions.sets.stored_set import StoredSet
from airflow_backup.core.format.manifest import Manifest, manifest_name, set_prefix
from airflow_backup.storage.protocol import Storage


@dataclasses.dataclass(frozen=True)
class Forger:
    """Makes a set anew in a storage that holds nothing else."""

    storage: Storage

    def forge(self, stored: StoredSet, streams: dict[str, bytes]) -> Manifest:
        """Store a set with other streams, all of whose checksums are right; return its manifest."""
        before = stored.manifest
        prefix = set_prefix(before.schedule_id, before.set_id)
        sink = PieceSink(self.storage, prefix, token="f0f0f0f0", algorithm="sha256", level=1)
        for name, data in streams.items():
            with sink.stream(name) as stream:
                stream.write(data)
        manifest = before.model_copy(update={"pieces": sink.finish(), "previous": None})
        self.storage.put(manifest_name(before.schedule_id, before.set_id), manifest.to_bytes())
        return manifest


def streams_of(stored: StoredSet) -> dict[str, bytes]:
    """Return the raw bytes of every stream of a set."""
    return {name: b"".join(stored.blocks(name)) for name in stored.manifest.streams}
