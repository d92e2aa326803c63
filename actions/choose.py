"""Which set restores a moment, from the repository alone: on the day that there is no catalog."""

from __future__ import annotations

from datetime import datetime

from airflow_backup.core.errors import NotFound
from airflow_backup.core.manifest import MANIFEST_NAME, read_manifest, set_prefix
from airflow_backup.storage.protocol import Storage


def set_at(storage: Storage, schedule_id: str, at: datetime) -> str:
    """Return the newest set of the schedule whose source is not later than ``at``; NotFound when there is none."""
    earliest: datetime | None = None
    for set_id in sorted(storage.folders(f"{schedule_id}/sets/"), reverse=True):
        name = set_prefix(schedule_id, set_id) + MANIFEST_NAME
        try:
            manifest = read_manifest(storage.read(name), name=name)
        except NotFound:
            continue  # an attempt that was never finished
        if manifest.consistent_at <= at:
            return set_id
        earliest = manifest.consistent_at
    hint = (
        "is the name right?"
        if earliest is None
        else f"the earliest is of {earliest:%Y-%m-%d %H:%M} UTC"
    )
    raise NotFound(f"'{schedule_id}' has no set at or before {at:%Y-%m-%d %H:%M %Z}", hint=hint)
