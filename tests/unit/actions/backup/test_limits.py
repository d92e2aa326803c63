"""No more backups work on one repository, or read from one host, than `limits` says; the others wait in order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_backup.actions.backup.limits.source_lease import LASTS, SourceLease
from airflow_backup.catalog import Catalog
from airflow_backup.core.classify import classify
from airflow_backup.core.connections import Connection
from airflow_backup.core.errors import PlaceFull, SourceBusy
from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.worker import this_host
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.postgres.options import PostgresOptions
from airflow_backup.schedules.loading.loader import load
from airflow_backup.schedules.model.limits import AtOnce
from airflow_backup.schedules.model.sources import EngineOptions

START = datetime(2026, 11, 28, 2, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        yield catalog


@pytest.fixture
def clock() -> Clock:
    return Clock()


def lease(
    catalog: Catalog,
    clock: Clock,
    name: str,
    limits: AtOnce,
    *,
    repository: str = "file:///b",
    source: EngineOptions | None = None,
) -> SourceLease:
    def connections(connection_id: str) -> Connection:
        return Connection(connection_id, host="db.example.org", port=5432, schema=name)

    return SourceLease(
        source or FilesOptions.model_validate({"engine": "files", "path": f"/srv/{name}"}),
        connections,
        catalog=catalog,
        clock=clock,
        schedule_id=name,
        run_id="r1",
        limits=limits,
        repository=repository,
    )


TWO = AtOnce(repository=2)


def test_no_more_backups_work_on_a_repository_than_its_limit_says(
    catalog: Catalog, clock: Clock
) -> None:
    first, second = (lease(catalog, clock, name, TWO) for name in ("a", "b"))
    third = lease(catalog, clock, "c", TWO)
    elsewhere = lease(catalog, clock, "d", TWO, repository="file:///other")
    free = lease(catalog, clock, "e", AtOnce())
    with first, elsewhere, free:
        with second:
            with pytest.raises(PlaceFull) as full:
                third.take()
            assert full.value.message == (
                "its repository takes 2 backups at once, and there are a, b; number 1 in the queue"
            )
            assert classify(full.value) is FailureClass.LOCKED
        with third:
            pass
    assert catalog.leases.active(now=clock()) == []


def test_who_waits_for_longer_goes_first_and_knows_its_number(
    catalog: Catalog, clock: Clock
) -> None:
    one = AtOnce(repository=1)
    holder = lease(catalog, clock, "a", one)
    holder.take()
    for number, name in enumerate(("z", "b"), start=1):
        clock.now += timedelta(seconds=1)
        with pytest.raises(PlaceFull, match=f"there are a; number {number} in the queue"):
            lease(catalog, clock, name, one).take()
    with holder:
        pass
    with pytest.raises(PlaceFull, match="number 2 in the queue"):
        lease(catalog, clock, "b", one).take()
    with lease(catalog, clock, "z", one), pytest.raises(PlaceFull, match="number 1 in"):
        lease(catalog, clock, "b", one).take()


def test_who_waited_and_is_heard_of_no_more_holds_up_nobody(catalog: Catalog, clock: Clock) -> None:
    one = AtOnce(repository=1)
    with lease(catalog, clock, "a", one), pytest.raises(PlaceFull):
        lease(catalog, clock, "dead", one).take()
    clock.now += timedelta(minutes=3)
    with lease(catalog, clock, "b", one):
        pass


def test_a_crash_frees_its_place_after_some_minutes_and_work_keeps_it(
    catalog: Catalog, clock: Clock
) -> None:
    one = AtOnce(repository=1)
    crashed = lease(catalog, clock, "a", one)
    crashed.take()
    for _ in range(10):
        clock.now += timedelta(minutes=1)
        crashed.renew()
    with pytest.raises(PlaceFull):
        lease(catalog, clock, "b", one).take()
    with lease(catalog, clock, "a", one):
        pass  # the retry of the run has it at once
    crashed.take()
    clock.now += LASTS + timedelta(seconds=1)
    with lease(catalog, clock, "b", one):
        pass


def test_a_host_is_read_by_no_more_than_its_limit_says(catalog: Catalog, clock: Clock) -> None:
    one = AtOnce(host=1)
    server = PostgresOptions.model_validate({"engine": "postgres", "connection": "db"})
    local = lease(catalog, clock, "files", one)
    with lease(catalog, clock, "shop", one, source=server), local:
        with pytest.raises(PlaceFull, match=r"host 'db\.example\.org' takes 1 backup at once"):
            lease(catalog, clock, "crm", one, source=server).take()
        with pytest.raises(PlaceFull, match="there are files"):
            lease(catalog, clock, "more", one).take()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("file:///srv/b", "file:///srv/x/../b/"),
        ("s3://bucket/a", "s3://Bucket//a/"),
        ("sftp://nas.example.org/a", "sftp://NAS.example.org/./a"),
        ("sftp://nas.example.org/a b", "sftp://nas.example.org.:22/a%20b"),
        ("sftp://localhost/a", "sftp://127.0.0.1/a"),
    ],
)
def test_a_repository_has_one_limit_however_its_address_is_written(
    catalog: Catalog, clock: Clock, one: str, other: str
) -> None:
    with (
        lease(catalog, clock, "a", AtOnce(repository=1), repository=one),
        pytest.raises(PlaceFull),
    ):
        lease(catalog, clock, "b", AtOnce(repository=1), repository=other).take()
    with lease(catalog, clock, "a", AtOnce(repository=1), repository=one):
        lease(catalog, clock, "c", AtOnce(repository=1), repository=f"{other}.hidden").take()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("db.example.org", 5432), ("DB.example.org.", None)),
        (("localhost", None), ("127.0.0.1", 5432)),
        ((None, 5432), ("/var/run/postgresql", None)),
        ((None, 5432), (this_host().upper(), None)),
        (("localhost", None), ("127.0.1.1", None)),
        (("::1", None), ("::ffff:127.0.0.1", None)),
    ],
)
def test_a_server_is_one_source_however_its_connection_is_written(
    catalog: Catalog,
    clock: Clock,
    one: tuple[str | None, int | None],
    other: tuple[str | None, int | None],
) -> None:
    source = PostgresOptions.model_validate({"engine": "postgres", "connection": "pg"})

    def of(name: str, where: tuple[str | None, int | None]) -> SourceLease:
        host, port = where
        return SourceLease(
            source,
            lambda connection_id: Connection(connection_id, host=host, port=port, schema="shop"),
            catalog=catalog,
            clock=clock,
            schedule_id=name,
            run_id="r1",
        )

    with of("a", one), pytest.raises(SourceBusy):
        of("b", other).take()


def test_limits_of_the_defaults_and_of_a_schedule_are_joined(tmp_path: Path) -> None:
    file = tmp_path / "schedules.yaml"
    file.write_text(
        "version: 1\n"
        "defaults: {repository: 'file:///b', preset: daily, limits: {repository: 2, host: 1}}\n"
        "schedules:\n"
        "  - {id: wiki, source: {engine: files, path: /srv/wiki}}\n"
        "  - {id: crm, source: {engine: files, path: /srv/crm}, limits: {host: 3}}\n"
    )
    found = load(file).by_id()
    assert found["wiki"].limits == AtOnce(repository=2, host=1)
    assert found["crm"].limits == AtOnce(repository=2, host=3)
