"""What the catalog remembers, how it comes into being, and what it says when it cannot."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Boolean, Integer, String, Table, create_engine, inspect, select, text

from airflow_backup.catalog import Catalog, migrate
from airflow_backup.catalog.changes import WATCHED, changes, forget_changes
from airflow_backup.catalog.columns import Json, Moment, Words, metadata
from airflow_backup.catalog.database import Database
from airflow_backup.catalog.migrate import HEAD, VERSION_TABLE, scripts
from airflow_backup.catalog.records import DeployedState, Saving, SetRow
from airflow_backup.catalog.run_records import AttemptRow, Failure, Outcome
from airflow_backup.catalog.runs.history import Wanted
from airflow_backup.catalog.stores.deployed import DeployedSchedules
from airflow_backup.catalog.tables import executions, sets
from airflow_backup.core.errors import CatalogError, Refused
from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.words import (
    EventKind,
    ExecutionStatus,
    Kind,
    Trigger,
    VerificationLevel,
    VerificationOutcome,
)

NOW = datetime(2026, 5, 4, 2, 0, tzinfo=UTC)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        yield catalog


def begin(catalog: Catalog, schedule: str, hours: int, **more: Any) -> AttemptRow:
    at = NOW + timedelta(hours=hours)
    return catalog.executions.begin(
        schedule, f"run-{hours:05}", run_at=at, trigger=Trigger.SCHEDULE, at=at, **more
    )


def complete(catalog: Catalog, schedule: str, hours: int) -> None:
    attempt = begin(catalog, schedule, hours)
    outcome = Outcome(status=ExecutionStatus.COMPLETED, set_id=f"set-{hours}", files=3)
    catalog.executions.finish(attempt, outcome, at=NOW + timedelta(hours=hours, minutes=5))


def fail(catalog: Catalog, attempt: AttemptRow) -> None:
    failure = Failure(error="no room", hint="df", failure_class=FailureClass.SPACE)
    outcome = Outcome(status=ExecutionStatus.FAILED, failure=failure)
    catalog.executions.finish(attempt, outcome, at=attempt.started_at + timedelta(minutes=1))


def test_history_is_newest_first_and_pages_backwards(catalog: Catalog) -> None:
    for hours in range(5):
        complete(catalog, "wiki", hours)
    complete(catalog, "other", 9)
    newest = catalog.executions.history("wiki", limit=2)
    assert [each.run_id for each in newest] == ["run-00004", "run-00003"]
    older = catalog.executions.history("wiki", before=newest[-1].since)
    assert [each.run_id for each in older] == ["run-00002", "run-00001", "run-00000"]
    assert newest[0].finished_at == NOW + timedelta(hours=4, minutes=5)
    assert newest[0].trigger is Trigger.SCHEDULE


def test_the_last_execution_and_the_last_good_one_are_found_for_each_schedule(
    catalog: Catalog,
) -> None:
    for schedule in ("a", "b", "c"):
        for hours in range(3):
            complete(catalog, schedule, hours)
    fail(catalog, begin(catalog, "b", 7))
    fail(catalog, begin(catalog, "only-failed", 1))
    assert {k: v.run_id for k, v in catalog.executions.last().items()} == {
        "a": "run-00002",
        "b": "run-00007",
        "c": "run-00002",
        "only-failed": "run-00001",
    }
    wanted = ["b", "only-failed", "unknown", "b"]
    good = catalog.executions.last_completed(wanted)
    assert {schedule: each.run_id for schedule, each in good.items()} == {"b": "run-00002"}
    assert list(catalog.executions.last_completed()) == ["a", "b", "c"]
    assert catalog.executions.last([]) == {}


def test_an_empty_catalog_answers_everything_with_nothing(catalog: Catalog) -> None:
    assert catalog.executions.last() == {}
    assert catalog.executions.history("wiki") == []
    assert catalog.executions.active() == []
    assert catalog.executions.get("wiki", "run") is None
    assert catalog.sets.latest("wiki") is None
    assert catalog.deployed.all() == []
    assert catalog.load_errors.all() == []


def test_a_retry_is_an_attempt_of_the_same_execution(catalog: Catalog) -> None:
    first = begin(catalog, "wiki", 1)
    assert [each.status for each in catalog.executions.active()] == [ExecutionStatus.RUNNING]
    fail(catalog, first)
    failed = catalog.executions.get("wiki", first.run_id)
    assert failed is not None
    assert (failed.error, failed.failure_class) == ("no room", FailureClass.SPACE)
    second = begin(catalog, "wiki", 1, attempt=2)
    running = catalog.executions.get("wiki", first.run_id)
    assert running is not None
    assert (running.status, running.attempts, running.error) == (ExecutionStatus.RUNNING, 2, None)
    assert running.finished_at is None
    catalog.executions.finish(second, Outcome(status=ExecutionStatus.COMPLETED), at=NOW)
    assert [each.number for each in catalog.executions.attempts(running)] == [1, 2]


def test_an_attempt_that_never_ended_is_noted_as_failed_when_the_next_begins(
    catalog: Catalog,
) -> None:
    begin(catalog, "wiki", 1)
    second = begin(catalog, "wiki", 1)
    assert second.number == 2
    execution = catalog.executions.get("wiki", second.run_id)
    assert execution is not None
    first = catalog.executions.attempts(execution)[0]
    assert (first.status, first.error) == (
        ExecutionStatus.FAILED,
        "the attempt ended without a word",
    )


def test_an_attempt_given_up_for_dead_does_not_speak_for_the_execution(catalog: Catalog) -> None:
    earlier = begin(catalog, "wiki", 1)
    second = begin(catalog, "wiki", 1)
    catalog.executions.finish(second, Outcome(status=ExecutionStatus.COMPLETED), at=NOW)
    fail(catalog, earlier)
    execution = catalog.executions.get("wiki", earlier.run_id)
    assert execution is not None
    assert execution.status is ExecutionStatus.COMPLETED


@dataclass(frozen=True)
class Problem:
    message: str
    line: int = 3

    def as_dict(self) -> dict[str, Any]:
        return {
            "file": "schedules.yaml",
            "line": self.line,
            "column": 1,
            "path": "schedules.0",
            "message": self.message,
            "hint": None,
        }


@dataclass(frozen=True)
class Entry:
    id: str
    definition: dict[str, Any] | None = field(default_factory=lambda: {"cron": "@daily"})
    file: str = "schedules.yaml"
    line: int = 3
    state: DeployedState = "loaded"
    problems: tuple[Problem, ...] = ()
    content_hash: str = "0" * 64


def test_what_is_deployed_from_an_origin_is_replaced_as_a_whole(catalog: Catalog) -> None:
    catalog.deployed.replace("/dags/a", [Entry("one"), Entry("two")])
    catalog.deployed.replace("/dags/b", [Entry("three")])
    catalog.deployed.replace(
        "/dags/a", [Entry("two", line=9), Entry("four", None, state="rejected")]
    )
    assert [(each.id, each.line) for each in catalog.deployed.all()] == [
        ("four", 3),
        ("three", 3),
        ("two", 9),
    ]
    four = catalog.deployed.get("four")
    assert four is not None
    assert (four.definition, four.state) == ({}, "rejected")
    right = catalog.deployed.definitions("/dags/a")
    assert [(each.id, each.definition) for each in right] == [("two", {"cron": "@daily"})]
    assert catalog.deployed.get("one") is None


def test_a_schedule_that_moves_to_another_origin_is_deployed_once(catalog: Catalog) -> None:
    catalog.deployed.replace("/dags/a", [Entry("one")])
    catalog.deployed.replace("/dags/b", [Entry("one")])
    assert [each.origin for each in catalog.deployed.all()] == ["/dags/b"]


def test_parsing_again_writes_nothing_until_it_is_time_to_be_seen_again(tmp_path: Path) -> None:
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        now = NOW
        deployed = DeployedSchedules(catalog._database, clock=lambda: now)
        deployed.replace("/dags", [Entry("one")])
        now += timedelta(seconds=5)
        deployed.replace("/dags", [Entry("one")])
        assert deployed.all()[0].seen_at == NOW
        now += timedelta(seconds=60)
        deployed.replace("/dags", [Entry("one")])
        assert deployed.all()[0].seen_at == now


def test_a_problem_knows_the_schedule_that_it_belongs_to(catalog: Catalog) -> None:
    problem, homeless = Problem("wrong cron"), Problem("not YAML", line=1)
    catalog.deployed.replace("/dags", [Entry("one", problems=(problem,))])
    catalog.load_errors.replace("/dags", [problem, homeless])
    found = [(each.message, each.schedule_id, each.line) for each in catalog.load_errors.all()]
    assert found == [("not YAML", None, 1), ("wrong cron", "one", 3)]
    catalog.load_errors.replace("/dags", [])
    assert catalog.load_errors.all() == []


def test_a_schedule_is_saved_after_the_version_that_its_author_saw(catalog: Catalog) -> None:
    catalog.schedules.save("one", {"a": 1}, author="ann", at=NOW, after_version=0)
    catalog.schedules.save("one", {"a": 2}, author="bob", at=NOW, after_version=1)
    with pytest.raises(Refused, match="schedule 'one' has version 2, not 1"):
        catalog.schedules.save("one", {"a": 3}, author="ann", at=NOW, after_version=1)
    assert [each.author for each in catalog.schedules.versions("one")] == ["bob", "ann"]
    assert [each.definition for each in catalog.schedules.all()] == [{"a": 2}]
    catalog.schedules.save("one", {}, author="bob", at=NOW, after_version=2, is_deleted=True)
    assert catalog.schedules.all() == []


def saving(name: str, *, after: int) -> Saving:
    action = "schedule_created"
    return Saving(id=name, definition={}, after_version=after, action=action, detail={"version": 1})


def test_several_schedules_are_saved_together_with_what_tells_of_them(catalog: Catalog) -> None:
    made = catalog.schedules.save_all(
        [saving("one", after=0), saving("two", after=0)], author="ann", at=NOW
    )
    assert catalog.schedules.all() == made
    told = [(each.actor, each.action, each.subject) for each in catalog.events.recent()]
    assert told == [("ann", "schedule_created", "two"), ("ann", "schedule_created", "one")]
    assert catalog.events.first_broken() is None


def test_of_several_schedules_none_is_saved_when_one_cannot_be(catalog: Catalog) -> None:
    catalog.schedules.save("two", {"a": 1}, author="bob", at=NOW, after_version=0)
    with pytest.raises(Refused, match="schedule 'two' has version 1, not 0"):
        catalog.schedules.save_all(
            [saving("one", after=0), saving("two", after=0)], author="ann", at=NOW
        )
    assert [(each.id, each.author) for each in catalog.schedules.all()] == [("two", "bob")]
    assert catalog.events.recent() == []


def test_of_several_schedules_none_is_saved_when_the_database_fails_at_the_last(
    catalog: Catalog,
) -> None:
    untold = Saving(
        id="two", definition={}, after_version=0, action=None, detail={}  # type: ignore[arg-type]  # the table takes no NULL
    )  # fmt: skip
    with pytest.raises(CatalogError):
        catalog.schedules.save_all([saving("one", after=0), untold], author="ann", at=NOW)
    assert catalog.schedules.all() == []
    assert catalog.events.recent() == []


def test_a_hold_counts_until_its_time_or_until_it_is_lifted(catalog: Catalog) -> None:
    skip = catalog.holds.add("one", "skip_next", by="ann", at=NOW)
    catalog.holds.add("one", "pause_until", by="ann", at=NOW, until=NOW + timedelta(hours=1))
    assert len(catalog.holds.active("one", now=NOW)) == 2
    catalog.holds.end(skip.id, at=NOW)
    assert [hold.kind for hold in catalog.holds.active("one", now=NOW)] == ["pause_until"]
    assert catalog.holds.active("one", now=NOW + timedelta(hours=1)) == []


def test_a_changed_event_is_found(catalog: Catalog) -> None:
    for number in range(5):
        catalog.events.append(at=NOW, actor="ann", action="run", subject=f"wiki-{number}")
    assert catalog.events.first_broken() is None
    assert [event.subject for event in catalog.events.recent(2)] == ["wiki-4", "wiki-3"]
    with catalog._database.writing() as connection:
        connection.execute(text("UPDATE events SET actor = 'eve' WHERE id = 3"))
    broken = catalog.events.first_broken()
    assert broken is not None
    assert broken.id == 3


def test_a_failed_verification_takes_the_set_out_of_the_good_ones(catalog: Catalog) -> None:
    insert_sets(catalog, schedules=1, each=3)
    newest = catalog.sets.latest("schedule-00000")
    assert newest is not None
    catalog.verifications.record(
        newest.set_id,
        "schedule-00000",
        level=VerificationLevel.FULL,
        outcome=VerificationOutcome.FAILED,
        started_at=NOW,
        finished_at=NOW,
        reason="a piece is damaged",
    )
    after = catalog.sets.latest("schedule-00000")
    assert after is not None
    assert after.set_id != newest.set_id
    assert catalog.verifications.of(newest.set_id)[0].outcome is VerificationOutcome.FAILED


def insert_sets(catalog: Catalog, *, schedules: int, each: int) -> None:
    rows = [
        {
            "set_id": f"{schedule:05}-{number:06}",
            "schedule_id": f"schedule-{schedule:05}",
            "repository": "file:///backups",
            "run_id": f"run-{number}",
            "engine": "files",
            "kind": Kind.FULL,
            "run_at": NOW,
            "started_at": NOW,
            "consistent_at": NOW + timedelta(minutes=number),
            "finished_at": NOW,
            "files": 1,
            "bytes_read": 1,
            "bytes_stored": 1,
            "counts": {},
            "warnings": [],
            "manifest_hash": "0" * 64,
            "state": "good",
            "pinned": False,
        }
        for schedule in range(schedules)
        for number in range(each)
    ]
    with catalog._database.writing() as connection:
        connection.execute(sets.insert(), rows)


def test_the_newest_sets_of_many_schedules_are_probed_and_not_grouped(catalog: Catalog) -> None:
    insert_sets(catalog, schedules=200, each=50)
    ids = [f"schedule-{number:05}" for number in range(200)]
    found = catalog.sets.latest_of(ids)
    assert {row.set_id[-6:] for row in found.values()} == {"000049"}
    assert catalog.sets.latest_of() == found


def test_the_tables_are_what_the_migrations_make(catalog: Catalog, tmp_path: Path) -> None:
    migrated = Database(f"sqlite:///{tmp_path}/migrated.db")
    with migrated.writing() as connection:
        migrate._run(connection)
    assert _shape(migrated) == _shape(catalog._database)
    with migrated.reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
    migrated.close()
    assert scripts().get_current_head() == HEAD


def _shape(database: Database) -> dict[str, Any]:
    """Return the columns, keys and indexes of every table, and the version."""
    with database.reading() as connection:
        found = inspect(connection)
        shape: dict[str, Any] = {
            table: (
                [
                    (each["name"], str(each["type"]), each["nullable"])
                    for each in found.get_columns(table)
                ],
                found.get_pk_constraint(table)["constrained_columns"],
                sorted(str(each["name"]) for each in found.get_indexes(table)),
                sorted(str(each["constrained_columns"]) for each in found.get_foreign_keys(table)),
            )
            for table in found.get_table_names()
        }
        shape["version"] = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
    return shape


def test_a_catalog_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/catalog.db"
    Catalog.open(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(
            text(f"UPDATE {VERSION_TABLE} SET version_num = '9999', works_from = '9998'")
        )
    engine.dispose()
    with pytest.raises(CatalogError, match="has version 9999, this release knows") as caught:
        Catalog.open(url)
    assert caught.value.hint is not None


@pytest.mark.parametrize(
    ("url", "message"),
    {
        "a folder that is missing": ("sqlite:////nowhere/at/all/x.db", "the folder of the catalog"),
        "another database": ("mysql://u:secret@h/x", "the catalog cannot lie in mysql"),
        "not a URL": ("secret", "the catalog's address is not a database URL"),
        "a folder": ("sqlite:////tmp", "the catalog sqlite:////tmp failed: unable to open"),
    }.values(),
)
def test_a_catalog_that_cannot_be_opened_says_why_and_tells_no_password(
    url: str, message: str
) -> None:
    with pytest.raises(CatalogError) as caught:
        Catalog.open(url)
    assert caught.value.message.startswith(message)
    assert caught.value.hint
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    file = tmp_path / "catalog.db"
    file.write_bytes(b"hello world, this is not a database" * 100)
    with pytest.raises(CatalogError, match="file is not a database") as caught:
        Catalog.open(f"sqlite:///{file}")
    assert "airflow-backup sync" in (caught.value.hint or "")


_USE = """
import sys
import threading
from datetime import UTC, datetime
from airflow_backup.catalog import Catalog, migrate
from airflow_backup.catalog.database import Database
from airflow_backup.core.words import Trigger
with Catalog.open(sys.argv[1]) as catalog:
    now = datetime.now(UTC)
    for number in range(10):
        run = f"{sys.argv[2]}-{number}"
        catalog.executions.begin("wiki", run, run_at=now, trigger=Trigger.MANUAL, at=now)
"""
_OPEN = """
import sys
import threading
from airflow_backup.catalog import Catalog, migrate
from airflow_backup.catalog.database import Database
Catalog.open(sys.argv[1]).close()
assert "alembic" not in sys.modules
"""


def test_many_processes_may_make_and_use_one_catalog_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/catalog.db"
    programs = [
        subprocess.Popen([sys.executable, "-c", _USE, url, str(number)]) for number in range(4)
    ]
    assert [program.wait() for program in programs] == [0] * 4
    with Catalog.open(url) as catalog:
        assert len(catalog.executions.active()) == 40
    with closing(sqlite3.connect(tmp_path / "catalog.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_opening_a_catalog_that_is_up_to_date_does_not_load_the_migrations(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/catalog.db"
    Catalog.open(url).close()
    subprocess.run([sys.executable, "-c", _OPEN, url], check=True)


def test_a_moment_without_a_zone_is_refused(catalog: Catalog) -> None:
    naive = datetime(2026, 5, 4)
    with (
        pytest.raises(CatalogError, match="has no timezone"),
        catalog._database.writing() as connection,
    ):
        connection.execute(executions.select().where(executions.c.since == naive))


def test_a_set_has_the_columns_of_its_table_in_their_order() -> None:
    assert SetRow._fields == tuple(column.name for column in sets.columns)


def test_what_runs_are_told_is_kept_in_order_with_who_and_why(catalog: Catalog) -> None:
    catalog.orders.add("wiki", "r1", "pause", by="ann", at=NOW, reason="month end")
    catalog.orders.add("wiki", "r1", "resume", by="bob", at=NOW)
    catalog.orders.add("wiki", "r2", "cancel", by="ann", at=NOW)
    told = [(order.action, order.by, order.reason) for order in catalog.orders.of_run("wiki", "r1")]
    assert told == [("pause", "ann", "month end"), ("resume", "bob", None)]
    last = catalog.orders.last("wiki", "r1")
    assert last is not None
    assert (last.action, last.id) == ("resume", 2)
    newest = catalog.orders.newest([("wiki", "r1"), ("wiki", "r2"), ("wiki", "r3")])
    assert {key: order.action for key, order in newest.items()} == {
        ("wiki", "r1"): "resume",
        ("wiki", "r2"): "cancel",
    }
    assert catalog.orders.newest([]) == {}


def test_the_first_cancel_of_a_run_wins_and_nothing_that_comes_later_hides_it(
    catalog: Catalog,
) -> None:
    later = NOW + timedelta(seconds=1)
    catalog.orders.add("wiki", "r1", "cancel", by="ann", at=NOW, reason="too slow")
    with pytest.raises(Refused, match=r"the run was cancelled by ann: too slow"):
        catalog.orders.add("wiki", "r1", "pause", by="bob", at=later)
    with pytest.raises(Refused, match=r"the run was cancelled by ann: too slow"):
        catalog.orders.add("wiki", "r1", "resume", by="bob", at=later)
    second = catalog.orders.add("wiki", "r1", "cancel", by="bob", at=later)
    assert second == catalog.orders.last("wiki", "r1")
    assert second.text == "cancelled by ann: too slow"
    assert len(catalog.orders.of_run("wiki", "r1")) == 1
    cleared_at = NOW + timedelta(hours=1)
    paused = catalog.orders.add(
        "wiki", "r1", "pause", by="bob", at=cleared_at, begun_at=cleared_at - timedelta(minutes=1)
    )
    assert paused == catalog.orders.last("wiki", "r1"), "a run that was cleared begins anew"


def test_of_many_that_want_a_lease_at_once_one_gets_it(catalog: Catalog) -> None:
    start, holders = threading.Barrier(8), []

    def take(number: int) -> None:
        start.wait()
        for _ in range(20):
            held = catalog.leases.take(
                "source:x",
                schedule_id=f"s{number}",
                run_id="r",
                host="here",
                at=NOW,
                lasts=timedelta(minutes=1),
            )
            holders.append(held.schedule_id)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(holders) == 160
    assert len(set(holders)) == 1
    catalog.leases.give_back("source:x", schedule_id="nobody", run_id="r")
    assert [held.schedule_id for held in catalog.leases.active(now=NOW)] == holders[:1]
    catalog.leases.give_back("source:x", schedule_id=holders[0], run_id="r")
    assert catalog.leases.active(now=NOW) == []


def test_a_run_that_is_cancelled_while_it_waits_is_told_once(catalog: Catalog) -> None:
    def cancel(run_id: str) -> None:
        catalog.executions.skip(
            "wiki",
            run_id,
            run_at=NOW,
            trigger=Trigger.SCHEDULE,
            at=NOW,
            reason="cancelled by ann",
            kind=EventKind.CANCELLED,
        )

    cancel("waits for its window")
    cancel("waits for its window")
    between = catalog.executions.begin(
        "wiki", "between", run_at=NOW, trigger=Trigger.SCHEDULE, at=NOW
    )
    failure = Failure(error="away", hint=None, failure_class=FailureClass.NETWORK)
    outcome = Outcome(status=ExecutionStatus.FAILED, failure=failure, is_tried_again=True)
    catalog.executions.finish(between, outcome, at=NOW)
    cancel("between")
    catalog.executions.begin("wiki", "works", run_at=NOW, trigger=Trigger.SCHEDULE, at=NOW)
    cancel("works")  # says itself how it ends
    found = {each.run_id: each.status for each in catalog.executions.history("wiki")}
    assert found == {
        "waits for its window": ExecutionStatus.CANCELLED,
        "between": ExecutionStatus.CANCELLED,
        "works": ExecutionStatus.RUNNING,
    }
    told = [(event.detail["run_id"], event.action) for event in catalog.events.after(0)]
    assert told == [
        ("waits for its window", "cancelled"),
        ("between", "started"),
        ("between", "failed"),
        ("between", "cancelled"),
        ("works", "started"),
    ]


def test_the_history_of_many_schedules_has_one_order_whatever_the_letters(catalog: Catalog) -> None:
    names = ("a-b", "a_b", "ab", "aB", "Ab", "a-c", "ac", "a_c")
    runs = ("manual__1", "manual_2", "Manual__1", "scheduled__2026-11-29T02:00:00+00:00")
    for name in names:
        for run_id in runs:
            catalog.skips.note(
                name, run_id, run_at=NOW, trigger=Trigger.SCHEDULE, at=NOW, reason="frozen"
            )
    wanted = Wanted(schedules=names)
    found: list[tuple[str, str]] = []
    below = None
    while page := catalog.history.page(wanted, limit=3, below=below):
        found += [(each.schedule_id, each.run_id) for each in page]
        below = (page[-1].since, page[-1].schedule_id, page[-1].run_id)
    assert found == sorted(((name, run_id) for name in names for run_id in runs), reverse=True)
    assert catalog.history.page(Wanted(schedules=()), limit=3) == []


def _any_row(table: Table) -> dict[str, Any]:
    """Return something for each column."""
    by_type: tuple[tuple[Any, Any], ...] = (
        *((Moment, NOW), (Json, {}), (Boolean, False), (Integer, 1), ((String, Words), "x")),
    )
    return {
        column.name: next(value for kind, value in by_type if isinstance(column.type, kind))
        for column in table.columns
    }


def test_whoever_writes_what_says_how_safe_a_schedule_is_leaves_a_note(catalog: Catalog) -> None:
    database = catalog.standings._database
    mark, _ = catalog.changes.since(None)
    for name in WATCHED:
        table = metadata.tables[name]
        mine = table.c.schedule_id == name
        for statement in (
            table.insert().values(_any_row(table) | {"schedule_id": name}),
            table.update().where(mine).values(schedule_id=name),
            table.delete().where(mine),
        ):
            with database.writing() as connection:
                connection.execute(statement)
            mark, found = catalog.changes.since(mark)
            assert found == {name}, statement
    assert catalog.changes.since(mark)[1] == set()


def test_a_row_that_is_given_to_another_schedule_is_a_change_of_both(catalog: Catalog) -> None:
    catalog.standings.note_seen(["crm"], at=NOW)
    mark, _ = catalog.changes.since(None)
    with catalog.standings._database.writing() as connection:
        connection.execute(metadata.tables["first_seen"].update().values(schedule_id="erp"))
    assert catalog.changes.since(mark)[1] == {"crm", "erp"}


def test_old_notes_of_changes_are_taken_away_and_new_ones_stay(catalog: Catalog) -> None:
    database, now = catalog.standings._database, datetime.now(UTC)
    for name, age in (("old", timedelta(hours=2)), ("new", timedelta(minutes=50))):
        with database.writing() as connection:
            connection.execute(changes.insert().values(schedule_id=name, at=now - age))
    with database.writing() as connection:
        forget_changes(connection)
    with database.reading() as connection:
        assert connection.scalars(select(changes.c.schedule_id)).all() == ["new"]


def test_a_worker_whose_clock_is_ahead_takes_no_new_note_away(catalog: Catalog) -> None:
    ahead = datetime.now(UTC) + timedelta(days=1)
    catalog.standings.note_seen(["crm"], at=NOW)
    mark, _ = catalog.changes.since(None)
    catalog.standings.note_seen(["erp"], at=NOW)
    for run_id in ("one", "two"):
        catalog.executions.begin("wiki", run_id, run_at=ahead, trigger=Trigger.MANUAL, at=ahead)
    assert catalog.changes.since(mark)[1] == {"erp", "wiki"}


def test_who_slept_while_notes_were_forgotten_is_told_to_read_everything(catalog: Catalog) -> None:
    database = catalog.standings._database
    empty, _ = catalog.changes.since(None)
    catalog.standings.note_seen(["crm"], at=NOW)
    mark, _ = catalog.changes.since(None)
    catalog.standings.note_seen(["erp"], at=NOW)
    assert catalog.changes.since(empty)[1] == {"crm", "erp"}
    with database.writing() as connection:
        connection.execute(changes.update().values(at=NOW - timedelta(days=100)))
        forget_changes(connection)
    catalog.standings.note_seen(["hr"], at=NOW)
    assert catalog.changes.since(mark)[1] is None
    assert catalog.changes.since(empty)[1] is None


def test_a_copy_that_had_as_many_changes_since_is_another_history(catalog: Catalog) -> None:
    catalog.standings.note_seen(["crm"], at=NOW)
    catalog.standings.note_seen(["lost"], at=NOW)
    mark, _ = catalog.changes.since(None)
    number = mark.last[0] if mark.last else 0
    # As if a copy from between the two had been put back, and others had changed since.
    with catalog.standings._database.writing() as connection:
        connection.execute(changes.delete().where(changes.c.id == number))
        others = [{"id": each, "schedule_id": "other", "at": NOW} for each in (number, number + 1)]
        connection.execute(changes.insert(), others)
    assert catalog.changes.since(mark)[1] is None
