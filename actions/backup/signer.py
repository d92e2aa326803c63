"""Signs the sets of a run, and notes each as the newest of its schedule."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_backup.actions.backup.result import Job
from airflow_backup.actions.sets.heads import newest_head, put_head
from airflow_backup.actions.sets.trust import StoredManifest, Trust, signing_key_of
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import Connections
from airflow_backup.core.errors import BackupError
from airflow_backup.core.format.manifest import Manifest
from airflow_backup.core.format.signing import SigningKey, sign
from airflow_backup.storage.protocol import Storage


@dataclass(frozen=True, slots=True)
class Signer:
    """With which key a set is signed, and which of the schedule's signed sets it is."""

    key: SigningKey
    sequence: int

    def sign(self, manifest: Manifest, repository: str) -> bytes:
        """Return the bytes of a signed manifest; ``repository`` is the id of the one that it is for."""
        placed = manifest.model_copy(update={"sequence": self.sequence, "repository": repository})
        return sign("manifest", placed.to_plain(), self.key)

    def note(self, storage: Storage, stored: StoredManifest) -> None:
        """Write down that a stored set is the newest one."""
        if stored.manifest.sequence is not None:
            put_head(storage, stored, self.key)


def signer_of(
    job: Job, storage: Storage, catalog: Catalog, connections: Connections
) -> Signer | None:
    """Return who signs the next set of a schedule; Tampered where the newest head cannot be believed."""
    key = signing_key_of(job.signing, connections)
    return None if key is None else Signer(key, _next(job, storage, catalog))


def _next(job: Job, storage: Storage, catalog: Catalog) -> int:
    latest = catalog.sets.latest(job.id)
    trust = Trust.of(job, [] if latest is None else [latest])
    head = newest_head(storage, trust)
    if head is not None:
        return head.sequence + 1
    if latest is None or latest.repository != job.repository:
        return 1
    try:
        return (trust.read(storage, latest.set_id).manifest.sequence or 0) + 1
    except BackupError:
        return 1  # nothing that anybody could have counted from
