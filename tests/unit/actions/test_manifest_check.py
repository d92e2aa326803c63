"""The quick look at a chain: whatever its manifests say, it comes to an end and says what is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_backup.actions.backup.backup import backup
from airflow_backup.actions.sets.damage import Findings
from airflow_backup.actions.sets.manifest_check import ManifestCheck
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import from_environment
from airflow_backup.core.errors import Refused
from airflow_backup.core.words import DamageKind, Kind
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.storage.open import open_storage
from support.stored.sets import START, Clock, PlainJob, run_number, take


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    with Catalog.open("sqlite://") as catalog:
        yield catalog


@pytest.fixture
def job(tmp_path: Path) -> PlainJob:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "page").write_text("one")
    return PlainJob(
        FilesOptions(engine="files", path=str(tmp_path / "source")), f"file://{tmp_path}/repository"
    )


def taken(job: PlainJob, catalog: Catalog) -> list[str]:
    """Take a full set and two incrementals; return their ids."""
    kinds = (Kind.FULL, Kind.INCREMENTAL, Kind.INCREMENTAL)
    return [
        take(job, catalog, run=run_number(number), kind=kind).set_id
        for number, kind in enumerate(kinds, start=1)
    ]


def check_of(job: PlainJob, trust: Trust) -> ManifestCheck:
    return ManifestCheck(open_storage(job.repository), trust, Findings())


def test_a_chain_that_goes_in_a_circle_is_tampered_with(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    _, second, third = taken(job, catalog)
    file = tmp_path / "repository" / job.id / "sets" / second / "manifest.json"
    file.chmod(0o600)
    file.write_text(json.dumps(json.loads(file.read_text()) | {"parent": third}))
    check = check_of(job, Trust(job.id))
    seen = [each.manifest.set_id for each in check.chain(third)]
    assert seen == [second, third]
    (damage,) = check.findings.damages
    assert (damage.kind, damage.set_id) == (DamageKind.TAMPERED, third)
    assert damage.what == "its chain goes in a circle"
    assert "the hash of the manifest before it" not in check.findings.checks, "it proves nothing"
    # What is known to be wrong is not followed again.
    assert [each.manifest.set_id for each in check.chain(third)] == [third]
    assert check.findings.damages == [damage]


def test_a_set_of_before_the_schedule_changed_its_engine_is_refused_and_not_damaged(
    job: PlainJob, catalog: Catalog
) -> None:
    _, _, third = taken(job, catalog)
    rows = catalog.sets.of(job.id)
    check = check_of(job, replace(Trust.of(job, rows), engine="sqlite"))
    with pytest.raises(Refused, match="engine"):
        check.chain(third)
    assert check.findings.damages == []


def test_a_set_of_another_engine_that_nobody_knows_is_tampered_with(
    job: PlainJob, catalog: Catalog
) -> None:
    _, _, third = taken(job, catalog)
    check = check_of(job, Trust(job.id, engine="sqlite"))
    assert check.chain(third) == []
    assert [each.kind for each in check.findings.damages] == [DamageKind.TAMPERED]


def test_a_set_that_was_taken_again_is_not_tampered_with(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    first, second = (take(job, catalog, run=run_number(number)).set_id for number in (1, 2))
    (piece,) = (tmp_path / "repository" / job.id / "sets" / first).glob("files.tar.*")
    piece.unlink()
    catalog.sets.mark(first, "deleting")  # a prune that was killed
    again = backup(  # its run was cleared, and is run again days later
        job,
        run_number(1),
        catalog=catalog,
        connections=from_environment,
        clock=Clock(START + timedelta(days=5)),
    )
    assert (again.set_id, again.adopted) == (first, False)
    row = catalog.sets.get(first)
    assert row is not None
    assert (row.state, row.verified_outcome) == ("good", None), "of the new one nothing is known"
    check = check_of(job, Trust.of(job, catalog.sets.of(job.id)))
    check.chain(second)
    assert check.findings.damages == []
    assert check.findings.notes == [f"set '{first}', before it, was taken again after it"]
    # Without a catalog nobody knows whose the new one is.
    check = check_of(job, Trust(job.id))
    check.chain(second)
    assert [each.kind for each in check.findings.damages] == [DamageKind.TAMPERED]
