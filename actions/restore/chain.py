"""Which sets a restore reads: chosen by the catalog where there is one, or from the repository alone, and opened."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_backup.actions.restore.choose import chain_at
from airflow_backup.actions.sets.heads import check_head
from airflow_backup.actions.sets.stored_set import StoredSet, open_chain, open_set
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog.rules.recovery import Gap, RecoveryChain
from airflow_backup.core.errors import FormatError, NotFound
from airflow_backup.core.format.age import Identity
from airflow_backup.core.format.manifest import MANIFEST_NAME, Manifest, set_prefix
from airflow_backup.engines.protocol import Engine
from airflow_backup.engines.registry import Registry, registry
from airflow_backup.storage.protocol import Storage

if TYPE_CHECKING:
    from airflow_backup.catalog import Catalog


def chosen_chain(
    storage: Storage,
    trust: Trust,
    *,
    set_id: str | None,
    at: datetime | None,
    keys: Sequence[Identity],
    catalog: Catalog | None,
) -> tuple[list[StoredSet], tuple[str, ...]]:
    """
    Open the sets that bring back a moment, or one set and those below it; and say why newer ones were passed over.

    The newest good set without ``set_id`` and ``at``. NotFound where there is none.
    """
    if set_id is not None:
        return open_chain(storage, trust, set_id, keys), ()
    if trust.signers:
        check_head(storage, trust)
    schedule_id = trust.schedule_id
    if catalog is not None and catalog.sets.of(schedule_id, limit=1):
        found = catalog.sets.recovery_chain(schedule_id, at or datetime.max.replace(tzinfo=UTC))
        if isinstance(found, Gap):
            raise _nothing_for(schedule_id, found, at)
        return open_sets_of(storage, trust, found, keys), found.skipped
    if at is None:
        newest_set(storage, schedule_id)  # where there is none at all, it says what there is
    found = chain_at(storage, trust, at or datetime.max.replace(tzinfo=UTC))
    return open_sets_of(storage, trust, found, keys), found.skipped


def _nothing_for(schedule_id: str, gap: Gap, at: datetime | None) -> NotFound:
    when = "good set" if at is None else f"set at or before {at:%Y-%m-%d %H:%M %Z}"
    why = "" if gap.is_empty else f": {'; '.join(gap.reasons)}"
    hint = "airflow-backup restore ... --set ID takes one all the same"
    if gap.earliest is not None:
        hint = f"the earliest is of {gap.earliest:%Y-%m-%d %H:%M} UTC"
    return NotFound(f"'{schedule_id}' has no {when}{why}", hint=hint)


def knowing(trust: Trust, catalog: Catalog | None) -> Trust:
    """Return the trust that also compares manifests with what the catalog remembers of them."""
    if catalog is None:
        return trust
    known = {row.set_id: row for row in catalog.sets.of(trust.schedule_id)}
    return dataclasses.replace(trust, known=known)


def engine_for(last: Manifest, trust: Trust, engines: Registry | None = None) -> Engine[Any]:
    """Return the engine that reads a set; raise where it may not be run, or where it reads another layout."""
    engine = (engines or registry()).get(last.engine)
    trust.check_may_run(last, engine)
    if last.engine_version != engine.version:
        raise FormatError(
            f"set '{last.set_id}' has the layout {last.engine_version} of the {engine.name} engine, "
            f"and this release reads {engine.version}",
            hint="which release wrote it? install that one or a newer one",
        )
    return engine


def open_sets_of(
    storage: Storage, trust: Trust, chain: RecoveryChain, keys: Sequence[Identity] = ()
) -> list[StoredSet]:
    """Open the sets of a recovery chain."""
    return [open_set(storage, trust, row.set_id, keys=keys) for row in chain.sets]


def newest_set(storage: Storage, schedule_id: str) -> str:
    """Return the id of the newest set that has a manifest."""
    folders = sorted(storage.folders(f"{schedule_id}/sets/"), reverse=True)
    for set_id in folders:
        try:
            storage.stat(set_prefix(schedule_id, set_id) + MANIFEST_NAME)
        except NotFound:
            continue  # an attempt that did not finish
        return set_id
    raise NotFound(
        f"no set of '{schedule_id}' in {storage.url}",
        hint=f"there are sets of: {', '.join(storage.folders()) or 'nothing'}",
    )
