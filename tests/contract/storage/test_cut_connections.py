"""Connections that are cut, and answers that are lost, in the middle of a run: no false set, and a retry that works."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from airflow_backup.actions.backup.backup import BackupResult, backup
from airflow_backup.actions.restore.restore import restore
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import Connection, Connections
from airflow_backup.core.errors import StorageUnavailable
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.storage.open import open_storage
from support.servers.s3 import S3Server, s3
from support.servers.sftp import SftpServer, sftp
from support.servers.stuttering import Stuttering
from support.servers.tcp_proxy import TcpProxy
from support.sources import trees
from support.stored.sets import Clock, PlainJob, run_number

__all__ = ["s3", "sftp"]

LARGE = 20_000_000


@dataclass(frozen=True)
class Place:
    """A repository behind a proxy, and whether its client asks again by itself."""

    job: PlainJob
    connections: Connections
    proxy: TcpProxy
    tries_again: bool

    def run(self, catalog: Catalog, *, attempt: int = 1) -> BackupResult:
        return backup(
            self.job,
            run_number(1, attempt=attempt),
            catalog=catalog,
            connections=self.connections,
            clock=Clock(),
        )

    def back(self, target: Path) -> trees.Tree:
        restore(
            Trust.of(self.job),
            repository=self.job.repository,
            connection=self.job.connection,
            target=target,
            connections=self.connections,
            clock=Clock(),
        )
        return trees.tree_at(target)

    def objects(self) -> list[str]:
        storage = open_storage(
            self.job.repository, self.connections, connection=self.job.connection
        )
        return [each.name for each in (*storage.list("wiki/"), *storage.leftovers())]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    root.mkdir()
    (root / "large").write_bytes(os.urandom(LARGE))
    (root / "small").write_bytes(b"small")
    return root


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    with Catalog.open("sqlite://") as catalog:
        yield catalog


def moved(connections: Connections, endpoint: str) -> Connections:
    def look_up(connection_id: str) -> Connection:
        found = connections("aws_backup")
        return replace(found, extra={**found.extra, "endpoint_url": endpoint})

    return look_up


@contextmanager
def in_a_bucket(source: Path, s3: S3Server) -> Iterator[Place]:
    with TcpProxy(int(s3.endpoint.rpartition(":")[2])) as proxy:
        job = PlainJob(
            FilesOptions(engine="files", path=str(source)),
            f"s3://{s3.new_bucket()}/backups",
            connection="far",
        )
        connections = moved(s3.connections, f"http://127.0.0.1:{proxy.port}")
        yield Place(job, connections, proxy, tries_again=True)


@contextmanager
def on_another_machine(source: Path, sftp: SftpServer) -> Iterator[Place]:
    folder = source.parent.name
    (sftp.folder / folder).mkdir()
    with TcpProxy(sftp.port) as proxy:
        job = PlainJob(
            FilesOptions(engine="files", path=str(source)),
            f"sftp://127.0.0.1:{proxy.port}/{folder}/backups",
            connection="far",
        )
        yield Place(job, sftp.connections(), proxy, tries_again=False)


@pytest.fixture(params=[in_a_bucket, on_another_machine], ids=["s3", "sftp"])
def place(request: pytest.FixtureRequest, source: Path) -> Iterator[Place]:
    make: Callable[..., contextmanager[Place]] = request.param  # type: ignore[valid-type]
    server = request.getfixturevalue("s3" if make is in_a_bucket else "sftp")
    with make(source, server) as place:  # type: ignore[attr-defined]
        yield place


@pytest.mark.parametrize("after", [LARGE // 2, LARGE - 100_000])
def test_a_connection_that_is_cut_in_the_middle_leaves_no_false_set(
    place: Place, source: Path, catalog: Catalog, tmp_path: Path, after: int
) -> None:
    place.proxy.after(after, "cut")
    if place.tries_again:
        assert place.run(catalog).status == "completed"
    else:
        with pytest.raises(StorageUnavailable):
            place.run(catalog)
        assert not [name for name in place.objects() if name.endswith("manifest.json")]
        place.run(catalog, attempt=2)
    assert place.back(tmp_path / "back") == trees.tree_at(source)
    assert len(place.objects()) == 3


def test_a_restore_whose_connection_is_cut_goes_on(
    place: Place, source: Path, catalog: Catalog, tmp_path: Path
) -> None:
    place.run(catalog)
    place.proxy.after(LARGE // 2, "cut")
    if not place.tries_again:
        with pytest.raises(StorageUnavailable):
            place.back(tmp_path / "back")
    assert place.back(tmp_path / "back") == trees.tree_at(source)


LOST = {
    "the marker": ("PUT", "airflow-backup.json"),
    "a small piece": ("PUT", "index."),
    "a part of a large piece": ("PUT", "partNumber=1"),
    "the end of a large piece": ("POST", "uploadId="),
    "the manifest": ("PUT", "manifest.json"),
}


@pytest.mark.parametrize("loses", LOST.values(), ids=LOST)
def test_an_answer_that_is_lost_after_a_write_costs_no_run(
    s3: S3Server, source: Path, catalog: Catalog, loses: tuple[str, str]
) -> None:
    with Stuttering(s3.endpoint, loses=loses) as endpoint:
        bucket = s3.new_bucket()
        job = PlainJob(
            FilesOptions(engine="files", path=str(source)),
            f"s3://{bucket}/backups",
            connection="far",
        )
        connections = moved(s3.connections, endpoint)
        result = backup(job, run_number(1), catalog=catalog, connections=connections, clock=Clock())
        assert result.status == "completed"
        storage = open_storage(job.repository, connections, connection="far")
        assert len(list(storage.list("wiki/"))) == 3
    (stored,) = catalog.sets.of("wiki")
    assert stored.set_id == result.set_id
