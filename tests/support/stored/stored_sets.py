"""Sets that a catalog knows, for tests and pictures that ask nothing but the catalog."""

from __future__ import annotations

from datetime import datetime

from airflow_backup.catalog import Catalog
from airflow_backup.core.format.manifest import Manifest, Totals
from airflow_backup.core.words import Kind, VerificationLevel, VerificationOutcome


def note_set(
    catalog: Catalog,
    schedule_id: str,
    set_id: str,
    *,
    at: datetime,
    finished_at: datetime,
    totals: Totals,
    repository: str = "sftp://vault/srv",
    kind: Kind = Kind.FULL,
    parent: str | None = None,
    base: str | None = None,
) -> None:
    """Note a set of a moment, verified right after it was stored."""
    manifest = Manifest(
        set_id=set_id,
        schedule_id=schedule_id,
        run_id=f"scheduled__{at.isoformat()}",
        engine="files",
        engine_version="1",
        kind=kind,
        parent=parent,
        base=base,
        run_at=at,
        started_at=at,
        consistent_at=at,
        finished_at=finished_at,
        checksum_algorithm="sha256",
        pieces=(),
        totals=totals,
    )
    catalog.sets.record(manifest, repository)
    catalog.verifications.record(
        set_id,
        schedule_id,
        level=VerificationLevel.STANDARD,
        outcome=VerificationOutcome.PASSED,
        started_at=finished_at,
        finished_at=finished_at,
    )
