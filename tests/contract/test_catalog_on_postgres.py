"""The catalog's own tests, with a real PostgreSQL behind them instead of SQLite."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import create_engine, text

from airflow_backup.actions.maintain.prune import prune
from airflow_backup.actions.maintain.sync import sync
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.rules.recovery import RecoveryChain, recovery_chain
from airflow_backup.catalog.stores.events import add_event
from airflow_backup.core.connections import from_environment
from airflow_backup.core.errors import CatalogError
from airflow_backup.core.words import Kind
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.schedules.model.policies import Retention
from airflow_backup.storage.open import open_storage
from support.servers.postgres import PASSWORD, USER, Postgres, postgres, programs
from support.stored.sets import START, Clock, KeptJob, run_number, take
from unit.catalog import test_catalog, test_events

if programs() is None and not os.environ.get("CI"):
    pytest.skip("PostgreSQL is not installed", allow_module_level=True)
pytestmark = pytest.mark.service

# Every test of the catalog that asks for nothing but a catalog is a test of this module too.
globals().update(
    {
        name: test
        for on_sqlite in (test_catalog, test_events)
        for name, test in vars(on_sqlite).items()
        if name.startswith("test_") and set(inspect.signature(test).parameters) == {"catalog"}
    }
)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.fixture
def url(server: Postgres, request: pytest.FixtureRequest) -> str:
    name = f"catalog_{abs(hash(request.node.name)):x}"
    server.query("postgres", f"CREATE DATABASE {name}")
    return f"postgresql+psycopg://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{server.port}/{name}"


@pytest.fixture
def catalog(url: str) -> Iterator[Catalog]:
    with Catalog.open(url) as catalog:
        yield catalog


def test_there_are_many_tests_here() -> None:
    assert sum(name.startswith("test_") for name in globals()) > 12


def test_opening_it_twice_finds_what_was_there(url: str, tmp_path: Path) -> None:
    job = _job(tmp_path)
    with Catalog.open(url) as catalog:
        result = take(job, catalog)
    with Catalog.open(url) as catalog:
        assert [row.set_id for row in catalog.sets.of("wiki")] == [result.set_id]


def test_a_schedule_lives_its_life_in_it(catalog: Catalog, url: str, tmp_path: Path) -> None:
    job = _job(tmp_path)
    for step in range(6):
        (tmp_path / "source" / f"{step}").write_text(str(step))
        take(job, catalog, run=run_number(step), kind=Kind.INCREMENTAL if step % 3 else Kind.FULL)
    rows = catalog.sets.of("wiki")
    path = recovery_chain(rows, START + timedelta(days=4, hours=1))
    assert isinstance(path, RecoveryChain)
    assert len(path.sets) == 2
    pruned = prune(
        job,
        catalog=catalog,
        connections=from_environment,
        clock=Clock(START + timedelta(days=7)),
        actor="test",
    )
    assert len(pruned.removed) == 3
    storage = open_storage(job.repository)
    kept = catalog.sets.of("wiki")
    for row in kept:
        catalog.sets.forget(row.set_id)
    assert sync(storage, job.repository, catalog).recorded == 3
    assert [row.set_id for row in catalog.sets.of("wiki")] == [row.set_id for row in kept]
    history = catalog.executions.history("wiki")
    assert [execution.status.value for execution in history] == ["completed"] * 6


def _job(folder: Path) -> KeptJob:
    (folder / "source").mkdir()
    (folder / "source" / "a").write_text("a")
    return KeptJob(
        FilesOptions(engine="files", path=str(folder / "source")),
        f"file://{folder}/repository",
        retention=Retention(last=3),
    )


def test_events_are_there_exactly_once_and_in_order_over_kills(url: str) -> None:
    with Catalog.open(url):
        test_events.over_kills(url)


def test_no_event_appears_behind_a_cursor_though_a_transaction_began_before_it(
    url: str, catalog: Catalog
) -> None:
    early = create_engine(url)
    with early.connect() as connection, connection.begin():
        connection.execute(
            text("SELECT count(*) FROM executions")
        )  # it has begun, and sees the past
        test_events.begin(catalog, "later")
        assert catalog.events.last_id() == 1
        add_event(connection, at=START, action="started", subject="early")
        with pytest.raises(CatalogError, match="statement timeout"):
            _begin_impatiently(url)
        assert (
            catalog.events.last_id() == 1
        )  # what is not committed is not seen, and holds back the rest
    early.dispose()
    test_events.begin(catalog, "last")
    assert [event.id for event in catalog.events.after(0)] == [1, 2, 3]
    assert catalog.events.first_broken() is None


def _begin_impatiently(url: str) -> None:
    with Catalog.open(f"{url}?options=-c%20statement_timeout%3D300") as catalog:
        test_events.begin(catalog, "impatient")
