"""Chains on storages that are not this machine's: taken, restored to every link, verified, pruned, rebuilt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_backup.actions.maintain.prune import prune
from airflow_backup.actions.maintain.sync import sync
from airflow_backup.actions.restore.restore import restore
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import from_environment
from airflow_backup.core.words import Kind
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.schedules.model.policies import Retention
from airflow_backup.storage.open import open_storage
from support.servers.azure import ACCOUNT, AzureServer
from support.servers.s3 import KEY, SECRET, S3Server
from support.servers.sftp import PASSWORD, USER, SftpServer
from support.sources import trees
from support.stored.sets import START, Clock, PlainJob, run_number, take

pytestmark = pytest.mark.service


def _bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    server: S3Server = request.getfixturevalue("s3")
    given = {
        "conn_type": "aws",
        "login": KEY,
        "password": SECRET,
        "extra": {"endpoint_url": server.endpoint},
    }
    monkeypatch.setenv("AIRFLOW_CONN_PLACE", json.dumps(given))
    return f"s3://{server.new_bucket()}/backups"


def _container(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    server: AzureServer = request.getfixturevalue("azure")
    given = {
        "conn_type": "wasb",
        "login": ACCOUNT,
        "password": server.key,
        "extra": {"endpoint_url": server.endpoint},
    }
    monkeypatch.setenv("AIRFLOW_CONN_PLACE", json.dumps(given))
    return f"az://{server.new_container()}/backups"


def _machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    server: SftpServer = request.getfixturevalue("sftp")
    given = {
        "conn_type": "sftp",
        "login": USER,
        "password": PASSWORD,
        "extra": {"host_key": server.host_key},
    }
    monkeypatch.setenv("AIRFLOW_CONN_PLACE", json.dumps(given))
    return f"sftp://127.0.0.1:{server.port}/chains"


PLACES = {"s3": _bucket, "azure": _container, "sftp": _machine}


@pytest.fixture(params=PLACES)
def repository(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    return PLACES[request.param](request, monkeypatch)


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    with Catalog.open("sqlite://") as catalog:
        yield catalog


def test_a_chain_lives_its_whole_life_there(
    repository: str, catalog: Catalog, tmp_path: Path
) -> None:
    root = tmp_path / "source"
    trees.make_tree(root)
    (root / "large").write_bytes(bytes(range(256)) * 80_000)
    source = FilesOptions(engine="files", path=str(root))
    job = PlainJob(source, repository, connection="place", retention=Retention(last=2))
    expected: dict[str, trees.Tree] = {}
    for step in range(6):
        if step:
            trees.change_tree(root, step)
        kind = Kind.INCREMENTAL if step % 3 else Kind.FULL
        result = take(job, catalog, run=run_number(step), kind=kind)
        assert (result.kind, result.reason) == (kind, None)
        expected[result.set_id] = trees.tree_at(root)
    for set_id, facts in expected.items():
        target = tmp_path / f"restored-{set_id}"
        _restore(job, target, set_id)
        assert trees.tree_at(target) == facts
    pruned = prune(
        job,
        catalog=catalog,
        connections=from_environment,
        clock=Clock(START + timedelta(days=8)),
        actor="test",
    )
    assert list(pruned.removed) == list(expected)[2::-1]
    storage = open_storage(repository, from_environment, connection="place")
    assert len(list(storage.folders("wiki/sets/"))) == 3
    with Catalog.open("sqlite://") as rebuilt:
        assert sync(storage, repository, rebuilt).recorded == 3
        assert [row.set_id for row in rebuilt.sets.of("wiki")] == [
            row.set_id for row in catalog.sets.of("wiki")
        ]
    last = list(expected)[-1]
    _restore(job, tmp_path / "at-last", last)
    assert trees.tree_at(tmp_path / "at-last") == expected[last]


def _restore(job: PlainJob, target: Path, set_id: str) -> None:
    restore(
        Trust.of(job),
        repository=job.repository,
        connection=job.connection,
        target=target,
        connections=from_environment,
        clock=Clock(),
        set_id=set_id,
    )
