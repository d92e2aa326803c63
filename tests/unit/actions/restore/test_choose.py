"""The repository alone says of a moment what the catalog would say of it."""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_backup.actions.restore.choose import chain_at
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog.records import as_row
from airflow_backup.catalog.rules.recovery import RecoveryChain, recovery_chain
from airflow_backup.core.errors import NotFound
from airflow_backup.core.format.manifest import Manifest, Previous, Totals, hash_of, manifest_name
from airflow_backup.core.ids import set_id
from airflow_backup.core.words import Kind
from airflow_backup.storage.folder import FolderStorage

NOW = datetime(2026, 5, 4, 2, tzinfo=UTC)


def at(hour: float) -> datetime:
    return NOW + timedelta(hours=hour)


def history(rng: random.Random) -> list[Manifest]:
    """Make up a schedule's past: kinds at random, parents as `plan` chooses them."""
    found: list[Manifest] = []
    for hour in range(rng.randrange(1, 14)):
        kind = rng.choice(list(Kind)) if found else Kind.FULL
        bases = [each for each in found if each.kind is not Kind.ARCHIVE_LOG]
        fulls = [each for each in found if each.kind is Kind.FULL]
        parents = {Kind.INCREMENTAL: bases, Kind.DIFFERENTIAL: fulls, Kind.ARCHIVE_LOG: found}
        parent = parents[kind][-1] if kind is not Kind.FULL else None
        moment = at(hour) + timedelta(minutes=rng.choice([0, 20]))
        found.append(
            Manifest(
                set_id=set_id("wiki", f"run-{hour}", at(hour)),
                schedule_id="wiki",
                run_id=f"run-{hour}",
                engine="postgres",
                state={"method": "logical"},
                engine_version="1",
                kind=kind,
                parent=parent and parent.set_id,
                base=parent and (parent.base or parent.set_id),
                run_at=at(hour),
                started_at=at(hour),
                consistent_at=moment,
                finished_at=moment,
                checksum_algorithm="sha256",
                pieces=(),
                totals=Totals(),
                previous=Previous(set_id=found[-1].set_id, hash="00") if found else None,
            )
        )
    return found


def come_late(manifests: list[Manifest], rng: random.Random) -> list[Manifest]:
    """Let some runs come days after they were due: somebody cleared them, and Airflow ran them again."""
    return [
        each.model_copy(
            update={
                "consistent_at": each.consistent_at + timedelta(hours=20),
                "finished_at": each.finished_at + timedelta(hours=20),
            }
        )
        if each.kind is Kind.FULL and rng.random() < 0.4
        else each
        for each in manifests
    ]


@pytest.mark.parametrize("seed", range(20))
def test_a_run_that_came_late_is_as_new_as_what_it_read(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    manifests = [each for each in history(rng) if each.kind is not Kind.ARCHIVE_LOG]
    kept = come_late(manifests, rng)
    storage = FolderStorage(tmp_path)
    for manifest in kept:
        name = manifest_name("wiki", manifest.set_id)
        storage.put(name, manifest.to_bytes())
        stored = manifest.finished_at.timestamp()
        os.utime(tmp_path / name, (stored, stored))
    rows = [as_row(each, storage.url, hash_of(each.to_bytes())) for each in kept]
    for hour in range(34, 60):
        expected = recovery_chain(rows, at(hour))
        assert isinstance(expected, RecoveryChain)
        assert chain_at(storage, Trust("wiki"), at(hour)).sets == expected.sets


@pytest.mark.parametrize("seed", range(60))
def test_the_repository_says_what_the_catalog_says(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    manifests = history(rng)
    kept = [each for each in manifests if rng.random() > 0.1]
    storage = FolderStorage(tmp_path)
    for manifest in kept:
        storage.put(manifest_name("wiki", manifest.set_id), manifest.to_bytes())
    rows = [as_row(each, storage.url, hash_of(each.to_bytes())) for each in kept]
    for half_hour in range(-1, 30):
        expected = recovery_chain(rows, at(half_hour / 2))
        if isinstance(expected, RecoveryChain):
            found = chain_at(storage, Trust("wiki"), at(half_hour / 2))
            assert (found.sets, found.consistent_at) == (expected.sets, expected.consistent_at)
        else:
            with pytest.raises(NotFound, match="no set at or before"):
                chain_at(storage, Trust("wiki"), at(half_hour / 2))
