"""Two schedules never read one source at once; a crash frees it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.backup.limits.source_lease import LASTS, SourceLease
from airflow_backup.catalog import Catalog, database
from airflow_backup.core.connections import Connection
from airflow_backup.core.errors import BackupError, CatalogUnavailable, NotFound, SourceBusy
from airflow_backup.schedules.model.sources import EngineOptions, options_model

START = datetime(2026, 11, 28, 2, tzinfo=UTC)
SAME = {
    "a path and a link to it": (
        {"engine": "files", "path": "/FOLDER/real"},
        {"engine": "files", "path": "/FOLDER/link"},
    ),
    "one of several paths": (
        {"engine": "files", "paths": ["/FOLDER/real", "/FOLDER/other"]},
        {"engine": "files", "path": "/FOLDER/other/"},
    ),
    "files and restic": (
        {"engine": "files", "path": "/FOLDER/real"},
        {
            "engine": "restic",
            "path": "/FOLDER/real",
            "restic_repository": "/r",
            "connection": "pg",
        },
    ),
    "two connections to one database": (
        {"engine": "postgres", "connection": "pg", "database": "shop"},
        {"engine": "postgres", "connection": "pg2"},
    ),
    "a sqlite file by path and by connection": (
        {"engine": "sqlite", "path": "/FOLDER/real/a.db"},
        {"engine": "sqlite", "connection": "file"},
    ),
    "a program with the same arguments": (
        {"engine": "command", "workflow": {"command": ["/bin/tool", "a"]}},
        {"engine": "command", "workflow": {"command": ["/bin/tool", "a"]}},
    ),
}
OTHER = {
    "two databases": (
        {"engine": "postgres", "connection": "pg", "database": "shop"},
        {"engine": "postgres", "connection": "pg", "database": "crm"},
    ),
    "two engines": (
        {"engine": "postgres", "connection": "pg", "database": "shop"},
        {"engine": "mysql", "connection": "pg", "database": "shop"},
    ),
    "a program with other arguments": (
        {"engine": "command", "workflow": {"command": ["/bin/tool", "a"]}},
        {"engine": "command", "workflow": {"command": ["/bin/tool", "b"]}},
    ),
    "a source that cannot be looked up": (
        {"engine": "postgres", "connection": "none", "database": "shop"},
        {"engine": "postgres", "connection": "none", "database": "shop"},
    ),
}


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
def folder(tmp_path: Path) -> Path:
    (tmp_path / "real").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    return tmp_path


def options(given: dict[str, Any], folder: Path) -> EngineOptions:
    def placed(value: Any) -> Any:
        if isinstance(value, list):
            return [placed(each) for each in value]
        return str(value).replace("/FOLDER", str(folder)) if isinstance(value, str) else value

    model = options_model(given["engine"])
    assert model is not None
    return model.model_validate({key: placed(value) for key, value in given.items()})


def lease(
    catalog: Catalog, source: EngineOptions, name: str, clock: Clock, folder: Path
) -> SourceLease:
    def connections(connection_id: str) -> Connection:
        if connection_id == "none":
            raise NotFound("no connection 'none'")
        if connection_id == "file":
            return Connection("file", host=f"{folder}/real/a.db")
        return Connection(connection_id, host="db", port=5432, schema="shop", login=connection_id)

    return SourceLease(
        source, connections, catalog=catalog, clock=clock, schedule_id=name, run_id="r1"
    )


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_one_source_is_read_by_one_schedule(
    catalog: Catalog, folder: Path, one: dict[str, Any], other: dict[str, Any]
) -> None:
    clock = Clock()
    second = lease(catalog, options(other, folder), "second", clock, folder)
    with lease(catalog, options(one, folder), "first", clock, folder):
        with pytest.raises(
            SourceBusy, match="schedule 'first' reads the same source since 02:00:00"
        ):
            second.take()
        assert {held.schedule_id for held in catalog.leases.active(now=clock.now)} == {"first"}
    with second:
        assert {held.schedule_id for held in catalog.leases.active(now=clock.now)} == {"second"}
    assert catalog.leases.active(now=clock.now) == []


@pytest.mark.parametrize(("one", "other"), OTHER.values(), ids=OTHER)
def test_two_sources_are_read_at_once(
    catalog: Catalog, folder: Path, one: dict[str, Any], other: dict[str, Any]
) -> None:
    clock = Clock()
    with (
        lease(catalog, options(one, folder), "first", clock, folder),
        lease(catalog, options(other, folder), "second", clock, folder),
    ):
        pass


def test_a_crash_frees_the_source_after_a_while_and_for_the_retry_at_once(
    catalog: Catalog, folder: Path
) -> None:
    source, clock = options({"engine": "files", "path": "/FOLDER/real"}, folder), Clock()
    dead = lease(catalog, source, "first", clock, folder)
    dead.take()
    lease(catalog, source, "first", clock, folder).take()  # the retry of the run
    clock.now += LASTS - timedelta(seconds=1)
    second = lease(catalog, source, "second", clock, folder)
    with pytest.raises(SourceBusy):
        second.take()
    clock.now += timedelta(seconds=1)
    second.take()
    with pytest.raises(SourceBusy, match="schedule 'second'"):  # the earlier attempt notices
        dead.renew()
    assert [held.schedule_id for held in catalog.leases.active(now=clock.now)] == ["second"]


def test_a_source_that_is_renewed_stays_taken(catalog: Catalog, folder: Path) -> None:
    source, clock = options({"engine": "files", "path": "/FOLDER/real"}, folder), Clock()
    with lease(catalog, source, "first", clock, folder) as held:
        for _ in range(100):
            clock.now += timedelta(seconds=30)
            held.renew()
        with pytest.raises(SourceBusy):
            lease(catalog, source, "second", clock, folder).take()


def test_of_twenty_at_the_same_moment_one_has_it(catalog: Catalog, folder: Path) -> None:
    source, clock = options({"engine": "files", "path": "/FOLDER/real"}, folder), Clock()
    start, won, lost = threading.Barrier(20), [], []

    def take(number: int) -> None:
        start.wait()
        try:
            lease(catalog, source, f"s{number}", clock, folder).take()
            won.append(number)
        except BackupError:
            lost.append(number)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 19)


def test_a_catalog_that_is_away_for_a_while_is_asked_again(tmp_path: Path) -> None:
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db", patience=30) as catalog:
        away = tmp_path / "away"
        catalog._database.engine.dispose()
        for file in tmp_path.glob("catalog.db*"):
            file.rename(f"{away}{file.suffix}")
        (tmp_path / "catalog.db").mkdir()  # nothing can be opened here

        def come_back() -> None:
            (tmp_path / "catalog.db").rmdir()
            for file in tmp_path.glob("away*"):
                file.rename(tmp_path / f"catalog{file.suffix}")

        with pytest.raises(CatalogUnavailable):
            catalog.impatient().executions.active()
        later = threading.Timer(1.0, come_back)
        later.start()
        assert catalog.executions.active() == []
        later.join()


def test_a_clock_that_is_set_back_costs_nobody_the_source(catalog: Catalog, folder: Path) -> None:
    source, clock = options({"engine": "files", "path": "/FOLDER/real"}, folder), Clock()
    clock.now += timedelta(days=400)
    dead = lease(catalog, source, "first", clock, folder)
    dead.take()
    clock.now = START
    second = lease(catalog, source, "second", clock, folder)
    with pytest.raises(SourceBusy):
        second.take()
    dead.renew()  # who lives keeps it, also now
    clock.now += LASTS - timedelta(seconds=1)
    with pytest.raises(SourceBusy):
        second.take()
    clock.now += timedelta(seconds=1)
    second.take()  # and who died does not keep it for a year


def test_an_answer_that_comes_after_the_run_takes_no_source(catalog: Catalog, folder: Path) -> None:
    source, clock = options({"engine": "files", "path": "/FOLDER/real"}, folder), Clock()
    with lease(catalog, source, "first", clock, folder) as held:
        pass
    clock.now += timedelta(minutes=1)
    held.renew()
    assert catalog.leases.active(now=clock.now) == []


def test_a_catalog_that_somebody_else_writes_to_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT", 0.2)
    file = tmp_path / "catalog.db"
    with Catalog.open(f"sqlite:///{file}", patience=30) as catalog:
        catalog.executions.active()
        other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        later = threading.Timer(1.5, other.rollback)
        later.start()
        with pytest.raises(CatalogUnavailable, match="locked"):
            catalog.impatient().orders.add("wiki", "r1", "pause", by="ann", at=START)
        catalog.orders.add("wiki", "r1", "resume", by="ann", at=START)
        later.join()
        other.close()
        assert [order.action for order in catalog.orders.of_run("wiki", "r1")] == ["resume"]
