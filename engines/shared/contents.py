"""What is in a set: as its engine lists it, or the tables that it counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from airflow_backup.core.errors import ConfigError
from airflow_backup.engines.capabilities import EntryCounter, Lister, StoredEntry
from airflow_backup.engines.protocol import Engine, EngineContext, SetReader


def entries_of(
    engine: Engine[Any], chain: Sequence[SetReader], context: EngineContext
) -> Iterator[StoredEntry]:
    """Yield what the last set of ``chain`` brings back; ConfigError where nobody can tell without a restore."""
    if isinstance(engine, Lister):
        return engine.contents(chain, context)
    manifest = chain[-1].manifest
    if isinstance(engine, EntryCounter) or not manifest.counts:
        raise ConfigError(
            f"what is in set '{manifest.set_id}' is not known before it is restored",
            hint=f"the {engine.name} engine does not list what it stored",
        )
    return (
        StoredEntry(name.replace("/", "%2F"), "table", rows=count)  # a table is no folder
        for name, count in sorted(manifest.counts.items())
    )
