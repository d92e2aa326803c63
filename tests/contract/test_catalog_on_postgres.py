"""The catalog's own tests, with a real PostgreSQL behind them instead of SQLite."""

from __future__ import annotations

import contextlib
import inspect
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from urllib.parse import quote

import pytest
from sqlalchemy import create_engine, make_url, text

from airflow_backup.actions.maintain.prune import prune
from airflow_backup.actions.maintain.sync import sync
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.database import Database
from airflow_backup.catalog.migrate import _LOCK, VERSION_TABLE, known_versions, migrate_to, upgrade
from airflow_backup.catalog.records import Saving
from airflow_backup.catalog.rules.recovery import RecoveryChain, recovery_chain
from airflow_backup.catalog.run_records import AttemptRow, Failure, Outcome
from airflow_backup.catalog.state import state_of
from airflow_backup.catalog.stores.events import add_event
from airflow_backup.cli.main import main
from airflow_backup.core.connections import from_environment
from airflow_backup.core.errors import BackupError, CatalogError, Refused
from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.words import ExecutionStatus, Kind, Trigger
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
    # Letters in an order that is not that of their bytes, as most servers have it.
    how = "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' ENCODING UTF8"
    server.query("postgres", f"CREATE DATABASE {name} {how}")
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
    chain = recovery_chain(rows, START + timedelta(days=4, hours=1))
    assert isinstance(chain, RecoveryChain)
    assert len(chain.sets) == 2
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


def test_of_those_who_save_the_same_schedules_at_the_same_moment_one_saves_all(url: str) -> None:
    Catalog.open(url).close()
    names = [f"s{number}" for number in range(20)]
    order = iter([names, names[::-1]] * 50)

    def save(catalog: Catalog) -> object:
        savings = [
            Saving(id=name, definition={}, after_version=0, action="schedule_created", detail={})
            for name in next(order)
        ]
        return catalog.schedules.save_all(savings, author="ann", at=START)

    came = _Race(url).run(save)
    assert sum(not isinstance(each, Exception) for each in came) == 1
    assert {type(each) for each in came if isinstance(each, Exception)} == {Refused}


_FAILED = Outcome(
    status=ExecutionStatus.FAILED,
    failure=Failure(error="x", hint=None, failure_class=FailureClass.UNKNOWN),
)


@pytest.mark.parametrize("who", ["two monitors", "a task whose answers are lost"])
def test_a_failure_that_is_noted_twice_at_the_same_moment_is_told_once(url: str, who: str) -> None:
    for turn in range(5):
        run_id = f"run-{turn}"
        with Catalog.open(url) as catalog:
            begun = catalog.executions.begin(
                "wiki", run_id, run_at=START, trigger=Trigger.MANUAL, at=START
            )

        def note(catalog: Catalog, begun: AttemptRow = begun) -> object:
            if who == "two monitors":
                return catalog.executions.close(begun, _FAILED, at=START)
            return catalog.executions.finish(begun, _FAILED, at=START)

        came = _Race(url).run(note)
        assert [each for each in came if isinstance(each, Exception)] == []
    with Catalog.open(url) as catalog:
        told = Counter(event.action for event in catalog.events.after(0))
    assert told == {"started": 5, "failed_final": 5}


_NO_CATALOG = {
    "tables of another program": ("CREATE TABLE sets (id INTEGER)", "tables named sets, which"),
    "a version that no release has": (
        f"UPDATE {VERSION_TABLE} SET version_num = '00111'",
        "which no release has",
    ),
    "a version set back": (
        f"UPDATE {VERSION_TABLE} SET version_num = '0009'",
        "already, which a later version adds",
    ),
    "newer, without the column that says from where on": (
        (
            f"UPDATE {VERSION_TABLE} SET version_num = '9999';"
            f"ALTER TABLE {VERSION_TABLE} DROP COLUMN works_from"
        ),
        "does not work with it",
    ),
}


@pytest.mark.parametrize("case", _NO_CATALOG)
def test_what_is_no_catalog_of_ours_is_no_reason_to_try_again(
    url: str, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    statement, told = _NO_CATALOG[case]
    if not statement.startswith("CREATE"):
        Catalog.open(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()
    assert main(["db", "check", "--catalog", url]) == 1
    assert "db upgrade" not in capsys.readouterr().out
    assert main(["db", "upgrade", "--catalog", url]) == 1
    assert told in capsys.readouterr().err


def test_of_a_catalog_that_is_whole_nothing_is_damaged(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Catalog.open(url).close()
    assert main(["db", "check", "--catalog", url]) == 0
    assert "damaged" not in capsys.readouterr().out


def test_a_change_is_not_overlooked_that_was_made_before_a_look_and_committed_after_it(
    catalog: Catalog, url: str
) -> None:
    catalog.standings.note_seen(["first"], at=START)
    mark, _ = catalog.changes.since(None)
    engine = create_engine(url)
    with engine.connect() as slow:
        slow.execute(text("INSERT INTO first_seen (schedule_id, at) VALUES ('late', now())"))
        catalog.standings.note_seen(["early"], at=START)
        mark, found = catalog.changes.since(mark)
        assert found == {"early"}
        slow.commit()
    engine.dispose()
    mark, found = catalog.changes.since(mark)
    assert found is not None
    assert "late" in found
    assert catalog.changes.since(mark)[1] == set()


def test_who_may_write_one_table_only_leaves_a_note_all_the_same(
    catalog: Catalog, url: str, server: Postgres
) -> None:
    database = make_url(url).database
    assert database is not None
    server.query(database, f"CREATE ROLE {database} NOINHERIT")
    server.query(database, f"GRANT INSERT ON first_seen TO {database}")
    mark, _ = catalog.changes.since(None)
    told = f"SET ROLE {database}; INSERT INTO first_seen (schedule_id, at) VALUES ('other', now())"
    server.query(database, told)
    assert catalog.changes.since(mark)[1] == {"other"}


_SOMEBODY_ELSE = """
CREATE ROLE {name} NOINHERIT; CREATE SCHEMA {name} AUTHORIZATION {name}; CREATE TABLE public.acted_as (who text);
GRANT INSERT ON first_seen TO {name};
"""
_BEING_THEM = """
SET ROLE {name}; SET search_path = {name};
"""
_THEIR_TABLES = """
CREATE TABLE changes (schedule_id text, at timestamptz, transaction bigint);
CREATE FUNCTION own() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN INSERT INTO public.acted_as VALUES (current_user); RETURN NULL; END $$;
CREATE TRIGGER own AFTER INSERT ON changes FOR EACH ROW EXECUTE FUNCTION own();
GRANT ALL ON changes TO PUBLIC; GRANT USAGE ON SCHEMA {name} TO PUBLIC;
CREATE TABLE mine (schedule_id text);
CREATE TRIGGER mine AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION public.airflow_backup_note_change();
INSERT INTO mine VALUES ('a');
"""
_THEIR_TYPE = """
CREATE FUNCTION own(given pg_catalog.text) RETURNS boolean LANGUAGE plpgsql
AS $$ BEGIN INSERT INTO public.acted_as VALUES (current_user); RETURN true; END $$;
CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK ({name}.own(VALUE));
INSERT INTO public.first_seen VALUES ('a', now());
"""


@pytest.mark.parametrize("granted", [False, True])
@pytest.mark.parametrize("attack", [_THEIR_TABLES, _THEIR_TYPE], ids=["their tables", "their type"])
def test_nobody_runs_what_is_theirs_with_the_rights_of_the_catalogs_owner(
    attack: str, granted: bool, catalog: Catalog, url: str, server: Postgres
) -> None:
    name = make_url(url).database
    assert name is not None
    server.query(name, _SOMEBODY_ELSE.format(name=name))
    if granted:  # as a copy has it that was put back without privileges
        server.query(name, "GRANT EXECUTE ON FUNCTION airflow_backup_note_change() TO PUBLIC")
    with contextlib.suppress(AssertionError):
        server.query(name, (_BEING_THEM + attack).format(name=name))
    assert server.query(name, "SELECT who FROM public.acted_as") == ""


def test_a_catalog_in_two_schemas_goes_on_after_an_upgrade(url: str, server: Postgres) -> None:
    name = make_url(url).database
    assert name is not None
    engine = create_engine(url)
    with engine.begin() as connection:
        migrate_to(connection, "0013")
    engine.dispose()
    # What "$user" does, once somebody makes a schema of that name.
    server.query(name, "CREATE SCHEMA first")
    server.query(name, f"ALTER DATABASE {name} SET search_path = first, public")
    with Catalog.open(url) as catalog:
        mark, _ = catalog.changes.since(None)
        _begin(catalog)
        assert catalog.changes.since(mark)[1] == {"wiki"}
    assert main(["db", "check", "--catalog", url]) == 0


def test_tables_that_were_emptied_or_put_back_are_read_anew(
    catalog: Catalog, url: str, server: Postgres
) -> None:
    name = make_url(url).database
    assert name is not None
    catalog.standings.note_seen(["wiki"], at=START)
    mark, _ = catalog.changes.since(None)
    assert catalog.changes.since(mark)[1] == set()
    server.query(name, "TRUNCATE first_seen")  # of which no row's trigger hears
    assert catalog.changes.since(mark)[1] is None


def test_who_writes_for_long_elsewhere_on_the_server_lets_nothing_be_read_twice(
    catalog: Catalog, url: str, server: Postgres
) -> None:
    _begin(catalog)
    engine = create_engine(make_url(url).set(database="postgres"))
    with engine.connect() as other:
        other.execute(text("CREATE TABLE load_of_a_night (number int)"))
        mark, _ = catalog.changes.since(None)
        catalog.standings.note_seen(["crm"], at=START)
        mark, found = catalog.changes.since(mark)
        assert found == {"crm"}
        assert catalog.changes.since(mark)[1] == set()
        other.rollback()
    engine.dispose()


def test_a_trigger_that_is_missing_or_switched_off_is_a_fault(
    catalog: Catalog, url: str, server: Postgres, capsys: pytest.CaptureFixture[str]
) -> None:
    database = make_url(url).database
    assert database is not None
    assert main(["db", "check", "--catalog", url]) == 0
    server.query(database, "ALTER TABLE sets DISABLE TRIGGER changes_of_sets_any")
    server.query(database, "DROP TRIGGER changes_of_executions_any ON executions")
    assert main(["db", "check", "--catalog", url]) == 1
    told = capsys.readouterr().out
    assert "the trigger changes_of_sets_any is missing, or switched off" in told
    assert "the trigger changes_of_executions_any is missing, or switched off" in told


def test_limits_that_a_role_has_for_its_queries_do_not_end_an_upgrade(url: str) -> None:
    other = create_engine(url)
    with other.begin() as connection:
        migrate_to(connection, "0012")
    limits = "-cstatement_timeout=500 -cidle_in_transaction_session_timeout=500 -clock_timeout=500"
    limited = Database(f"{url}?options={quote(limits)}")
    # Another upgrade is at work, for longer than any of the limits.
    with ThreadPoolExecutor(1) as pool:
        with other.begin() as connection:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            upgraded = pool.submit(upgrade, limited)
            with pytest.raises(TimeoutError):
                upgraded.result(timeout=1.5)
        upgraded.result(timeout=60)
    limited.close()
    other.dispose()
    assert main(["db", "check", "--catalog", url]) == 0


@pytest.mark.parametrize("version", sorted(known_versions()))
def test_an_honest_catalog_of_any_version_is_whole_and_can_be_upgraded(
    version: str, url: str
) -> None:
    made = create_engine(url)
    with made.begin() as connection:
        migrate_to(connection, version)
        # what an administrator adds is no damage
        connection.execute(text("CREATE INDEX mine ON executions (status, run_id)"))
        connection.execute(text("ALTER TABLE executions ADD COLUMN remark TEXT"))
    made.dispose()
    assert state_of(url).damage == ()
    assert main(["db", "upgrade", "--catalog", url]) == 0
    assert state_of(url).is_well
