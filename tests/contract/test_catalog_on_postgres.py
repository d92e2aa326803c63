"""The catalog's own tests, with a real PostgreSQL behind them instead of SQLite."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from urllib.parse import quote

import pytest
from sqlalchemy import create_engine, text

from airflow_backup.actions.maintain.prune import prune
from airflow_backup.actions.maintain.sync import sync
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.rules.recovery import RecoveryChain, recovery_chain
from airflow_backup.catalog.stores.events import add_event
from airflow_backup.core.connections import from_environment
from airflow_backup.core.errors import BackupError, CatalogError, Refused
from airflow_backup.core.words import Kind, Trigger
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.schedules.model.policies import Retention
from airflow_backup.storage.open import open_storage
from support.servers.postgres import PASSWORD, USER, Postgres, postgres, programs
from support.stored.sets import START, Clock, PlainJob, run_number, take
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


def _job(folder: Path) -> PlainJob:
    (folder / "source").mkdir()
    (folder / "source" / "a").write_text("a")
    return PlainJob(
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


class _Race:
    """Lets many threads, each with connections of its own, do the same thing at the same moment."""

    def __init__(self, url: str, *, threads: int = 8) -> None:
        self._url, self._barrier = url, Barrier(threads)
        self._threads = threads

    def run(self, act: Callable[[Catalog], object]) -> list[object]:
        """Return what each came to; an exception where one raised it."""

        def one(_: int) -> object:
            with Catalog.open(self._url) as catalog:
                catalog.executions.active()  # the connection is there
                self._barrier.wait(timeout=60)
                try:
                    return act(catalog)
                except BackupError as error:
                    return error

        with ThreadPoolExecutor(self._threads) as pool:
            return list(pool.map(one, range(self._threads)))


def _begin(catalog: Catalog) -> object:
    return catalog.executions.begin("wiki", "run-1", run_at=START, trigger=Trigger.MANUAL, at=START)


def _skip(catalog: Catalog) -> None:
    catalog.executions.skip(
        "wiki", "run-1", run_at=START, trigger=Trigger.SCHEDULE, at=START, reason="closed"
    )


def _note_skip(catalog: Catalog) -> object:
    return catalog.skips.note(
        "wiki", "passed__1", run_at=START, trigger=Trigger.SCHEDULE, at=START, reason="busy"
    )


_AT_ONCE: dict[str, Callable[[Catalog], object]] = {
    "a repository": lambda catalog: catalog.repositories.record("s3://b", "id-1"),
    "schedules seen": lambda catalog: catalog.standings.note_seen(["wiki", "crm"], at=START),
    "an attempt": _begin,
    "a skipped run": _skip,
    "a passed slot": _note_skip,
    "a switch": lambda catalog: catalog.monitor_state.note_switch(
        "wiki", enabled=False, at=START, actor="ann", reason="moving"
    ),
    "a look": lambda catalog: catalog.monitor_state.note_check("shell", at=START),
    "files read": lambda catalog: catalog.deployed.note_read("dags", also=[], at=START),
}


@pytest.mark.parametrize("what", _AT_ONCE)
def test_who_writes_the_same_at_the_same_moment_does_not_fail(url: str, what: str) -> None:
    Catalog.open(url).close()
    race = _Race(url)
    for _ in range(5):
        came = race.run(_AT_ONCE[what])
        assert [each for each in came if isinstance(each, Exception)] == []


def test_of_those_who_save_one_version_at_the_same_moment_one_is_first(url: str) -> None:
    Catalog.open(url).close()

    def save(catalog: Catalog) -> object:
        return catalog.schedules.save(
            "wiki", {"id": "wiki"}, author="ann", after_version=0, at=START
        )

    came = _Race(url).run(save)
    assert sum(not isinstance(each, Exception) for each in came) == 1
    assert {type(each) for each in came if isinstance(each, Exception)} == {Refused}
