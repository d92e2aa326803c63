"""What is kept between requests says what would be read anew: whatever changed, in whatever order, at whatever time."""

from __future__ import annotations

import gc
import os
import random
import sqlite3
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Literal

import pytest
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from sqlalchemy.orm import Session

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import SetRow
from airflow_backup.catalog.run_records import AttemptRow, Failure, Outcome
from airflow_backup.catalog.tables import sets
from airflow_backup.core.clock import utc_now
from airflow_backup.core.errors import CatalogError
from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.ids import dag_id
from airflow_backup.core.words import (
    ExecutionStatus,
    Kind,
    Trigger,
    VerificationLevel,
    VerificationOutcome,
)
from airflow_backup.plugin.airflow import newest_runs, reads
from airflow_backup.plugin.airflow.records import AirflowDag
from airflow_backup.plugin.kept import kept as module
from airflow_backup.plugin.kept.kept import Kept, kept_of
from airflow_backup.plugin.services import queries
from airflow_backup.plugin.views.briefs import Brief
from airflow_backup.plugin.views.schedules import summaries
from airflow_backup.schedules.loading.index import compile_index
from airflow_backup.schedules.times.holds import EVERY_SCHEDULE
from support.situations import row

BEGIN = datetime(2026, 11, 2, 1, tzinfo=UTC)
COMPARED = (
    *("id", "state", "description", "group", "engine", "source", "timezone", "enabled"),
    *("next_run",),
)
RHYTHMS = (
    "cron: '0 2 * * *'",
    "every: 15m, alert_after: 40m",
    "cron: '30 3 * * sun', verify: {restore_test: weekly}",
    "every: 6h, verify: {level: none}",
    "every: 2h, enabled: false",
    "cron: '0 5 * * *', window: [{from: '04:00', to: '06:00'}]",
)
ENDS = (ExecutionStatus.COMPLETED, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED)


@dataclass
class World:
    """A catalog and an Airflow in which anything may happen."""

    folder: Path
    catalog: Catalog
    session: Session
    rng: random.Random
    now: datetime = BEGIN
    names: list[str] = field(default_factory=lambda: [f"s{n}" for n in range(9)])
    going: list[AttemptRow] = field(default_factory=list)
    stored: list[SetRow] = field(default_factory=list)
    number: int = 0

    def __post_init__(self) -> None:
        for name in self.names:
            dag = DagModel(dag_id=dag_id(name), bundle_name="dags")  # type: ignore[no-untyped-call]
            dag.is_paused = dag.is_stale = False
            self.session.add(dag)
        self.deploy()

    def deploy(self) -> None:
        """Write the file anew, with other schedules."""
        lines = []
        for n, name in enumerate(self.names):
            if name != "s0" and self.rng.random() < 0.1:
                continue
            when = "after: [s0]" if n == 8 else self.rng.choice(RHYTHMS)
            broken = ", nothing_like_this: 1" if self.rng.random() < 0.05 else ""
            lines.append(
                f"  - {{id: {name}, {when}, source: {{engine: files, path: /srv}}{broken}}}"
            )
        file = self.folder / "schedules.yaml"
        file.write_text(
            "version: 1\ndefaults: {repository: 'file:///b'}\nschedules:\n" + "\n".join(lines)
        )
        index = compile_index(file)
        self.catalog.deployed._clock = lambda: self.now + timedelta(microseconds=self.number)
        self.catalog.deployed.replace(index.origin, index.entries.values())

    def any_name(self) -> str:
        return self.rng.choice(self.names)

    def begin(self) -> None:
        name = self.any_name()
        attempt = self.catalog.executions.begin(
            name, f"r{self.number}", run_at=self.now, at=self.now, trigger=Trigger.SCHEDULE
        )
        self.going.append(attempt)
        self.run_in_airflow(name, f"r{self.number}", "running")

    def finish(self) -> None:
        if not self.going:
            return
        attempt = self.going.pop(self.rng.randrange(len(self.going)))
        how = self.rng.choice(ENDS)
        failure = None
        if how is ExecutionStatus.FAILED:
            failure = Failure(error="x", hint=None, failure_class=FailureClass.SPACE)
        self.catalog.executions.finish(
            attempt, Outcome(status=how, failure=failure), at=self.now + timedelta(seconds=9)
        )
        if self.rng.random() < 0.8:
            self.end_in_airflow(attempt.schedule_id, attempt.run_id)

    def die(self) -> None:
        """Let a run end of which the catalog hears nothing."""
        if self.going:
            attempt = self.going.pop()
            self.end_in_airflow(attempt.schedule_id, attempt.run_id)

    def skip(self) -> None:
        self.catalog.executions.skip(
            self.any_name(), f"r{self.number}", run_at=self.now, at=self.now,
            trigger=Trigger.SCHEDULE, reason="its window was closed",
        )  # fmt: skip

    def run_in_airflow(self, name: str, run_id: str, state: str) -> None:
        run = DagRun(
            dag_id=dag_id(name), run_id=run_id, run_type="scheduled",
            run_after=self.now, queued_at=self.now,
        )  # fmt: skip
        run._state = state
        self.session.add(run)

    def only_airflow(self) -> None:
        """Let Airflow have a run of which the catalog never hears."""
        state = self.rng.choice(["queued", "failed", "success"])
        self.run_in_airflow(self.any_name(), f"a{self.number}", state)

    def end_in_airflow(self, name: str, run_id: str) -> None:
        for run in self.session.query(DagRun).filter_by(dag_id=dag_id(name), run_id=run_id):
            run._state = self.rng.choice(["success", "failed"])

    def end_one_in_airflow(self) -> None:
        runs = [
            run for run in self.session.query(DagRun) if str(run._state) in ("queued", "running")
        ]
        if runs:
            self.rng.choice(runs)._state = "success"

    def start_again(self) -> None:
        """Clear a run: it goes on, and nothing of it is new."""
        runs = list(self.session.query(DagRun))
        if runs:
            self.rng.choice(runs)._state = "running"

    def store(self) -> None:
        name = self.any_name()
        mine = [each for each in self.stored if each.schedule_id == name]
        kind = self.rng.choice(list(Kind)) if mine else Kind.FULL
        parent = None if kind is Kind.FULL else self.rng.choice(mine).set_id
        moment = self.now + timedelta(hours=self.rng.choice([-1, -1, -1, 3]))
        self.put(name, moment, kind=kind, parent=parent)

    def put(
        self, name: str, moment: datetime, *, kind: Kind = Kind.FULL, parent: str | None = None
    ) -> None:
        """Store a good set of a moment."""
        made = row(timedelta(0), set_id=f"set-{len(self.stored)}", schedule_id=name, kind=kind)
        made = made._replace(
            parent=parent, consistent_at=moment, run_at=moment, started_at=moment,
            finished_at=self.now, verified_at=None, verified_level=None, verified_outcome=None,
        )  # fmt: skip
        with self.catalog.standings._database.writing() as connection:
            connection.execute(sets.insert().values(made._asdict()))
        self.stored.append(made)

    def one_set(self) -> SetRow | None:
        return self.rng.choice(self.stored) if self.stored else None

    def spoil(self) -> None:
        if (each := self.one_set()) is not None:
            self.catalog.sets.mark(
                each.set_id, self.rng.choice(["good", "quarantined", "deleting"])
            )

    def lose(self) -> None:
        if (each := self.one_set()) is not None:
            self.stored[self.stored.index(each)] = each._replace(schedule_id="gone")
            if self.rng.random() < 0.5:
                self.catalog.sets.lose(each.set_id, at=self.now)
            else:
                self.catalog.sets.forget(each.set_id)

    def verify(self) -> None:
        if (each := self.one_set()) is not None:
            self.catalog.verifications.record(
                each.set_id, each.schedule_id,
                level=self.rng.choice([VerificationLevel.STANDARD, VerificationLevel.RESTORE_TEST]),
                outcome=self.rng.choice(list(VerificationOutcome)),
                started_at=self.now, finished_at=self.now, bytes_read=1, reason="because",
            )  # fmt: skip

    def hold(self) -> None:
        kinds: list[Literal["skip_next", "pause_until", "maintenance"]] = [
            "skip_next",
            "pause_until",
            "maintenance",
        ]
        kind = self.rng.choice(kinds)
        name = EVERY_SCHEDULE if kind == "maintenance" else self.any_name()
        until = self.now + timedelta(hours=self.rng.choice([1, 30]))
        self.catalog.holds.add(
            name, kind, until=None if kind == "skip_next" else until,
            reason=None, by="ann", at=self.now,
        )  # fmt: skip

    def release(self) -> None:
        for held in self.catalog.holds.all_active(now=self.now).values():
            self.catalog.holds.end(held[0].id, at=self.now)

    def switch(self) -> None:
        dag = self.session.get(DagModel, dag_id(self.any_name()))
        if dag is not None:
            dag.is_paused = not dag.is_paused

    def withdraw(self) -> None:
        dag = self.session.get(DagModel, dag_id(self.any_name()))
        if dag is not None:
            dag.is_stale = not dag.is_stale

    def wait(self) -> None:
        self.now += timedelta(minutes=self.rng.choice([1, 14, 59, 60, 400, 3000]))

    def set_clock_back(self) -> None:
        self.now -= timedelta(hours=self.rng.choice([1, 26]))

    def step(self) -> str:
        """Let something happen; return what."""
        often: list[Callable[[], None]] = [self.begin, self.finish, self.finish, self.store]
        seldom: list[Callable[[], None]] = [
            *(self.die, self.skip, self.only_airflow, self.end_one_in_airflow, self.start_again),
            *(self.spoil, self.lose, self.verify, self.hold, self.release, self.switch),
            *(self.withdraw, self.deploy, self.set_clock_back),
        ]
        self.number += 1
        happens = self.rng.choice([*often, *often, *seldom, self.wait, self.wait, self.wait])
        happens()
        self.session.commit()
        return happens.__name__


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        yield catalog


@pytest.fixture(autouse=True)
def nothing_ends_but_for_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer is read anew after an hour whatever happens, and would hide that nothing else ends it."""
    monkeypatch.setattr(module, "_LONGEST", timedelta(days=3000))


@pytest.fixture
def world(
    tmp_path: Path, catalog: Catalog, session: Session, monkeypatch: pytest.MonkeyPatch
) -> World:
    """Make one in which one schedule is there, and completed a moment ago."""
    world = World(tmp_path, catalog, session, random.Random(1), names=["s0"])
    monkeypatch.setattr(queries, "utc_now", lambda: world.now)
    world.begin()
    attempt = world.going.pop()
    catalog.executions.finish(attempt, Outcome(status=ENDS[0]), at=world.now)
    world.end_in_airflow("s0", attempt.run_id)
    world.put("s0", world.now)
    session.commit()
    world.now += timedelta(minutes=1)
    return world


def test_a_run_that_ends_and_that_only_airflow_knows_is_not_overlooked(world: World) -> None:
    kept = Kept(clock=lambda: world.now)
    world.run_in_airflow("s0", "by-hand", "queued")
    world.session.commit()
    first = kept.look(world.catalog, world.session).answers["s0"].brief
    assert first is not None
    assert first.active_run is not None
    world.end_one_in_airflow()
    world.session.commit()
    assert kept.look(world.catalog, world.session).answers["s0"].brief is None, (
        "more has to be read of it"
    )
    assert compare(world.catalog, world.session, ["the run by hand ended"]) == 0


def test_a_set_whose_moment_comes_counts_from_then_on(world: World) -> None:
    kept = Kept(clock=lambda: world.now)
    at = world.now + timedelta(hours=2)
    world.put("s0", at)
    before = kept.look(world.catalog, world.session).answers["s0"].judged.last_good
    world.now = at
    after = kept.look(world.catalog, world.session).answers["s0"].judged.last_good
    assert (before and before.set_id, after and after.set_id) == ("set-0", "set-1")


def test_what_becomes_late_while_nothing_changes_is_late(world: World) -> None:
    kept = Kept(clock=lambda: world.now)
    judged = kept.look(world.catalog, world.session).answers["s0"].judged
    assert judged.state == "good"
    world.session.get_one(DagModel, dag_id("s0")).is_paused = True  # nothing else that time brings
    world.session.commit()
    kept.look(world.catalog, world.session)
    for moment, state in (
        (judged.late_at, "good"),
        (judged.late_at + timedelta(seconds=1), "broken"),
    ):
        world.now = moment
        assert kept.look(world.catalog, world.session).answers["s0"].judged.state == state


def test_a_slot_that_passed_and_was_not_skipped_is_not_the_one_that_is_skipped(
    world: World,
) -> None:
    """What notes that it was skipped is late, or does not come: the hold is there, and is for the slot after it."""
    kept = Kept(clock=lambda: world.now)
    world.catalog.holds.add("s0", "skip_next", by="ann", at=world.now)
    coming = kept.look(world.catalog, world.session).answers["s0"].brief
    assert coming is not None
    assert coming.next_run is not None
    world.now = coming.next_run.at - timedelta(minutes=1)
    brief = kept.look(world.catalog, world.session).answers["s0"].brief
    assert brief is not None
    assert brief.next_run is not None
    assert brief.next_run.at > coming.next_run.at
    assert compare(world.catalog, world.session, ["the slot passed"]) == 1


def test_who_adds_up_does_not_wait_for_who_looks(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds a connection to Airflow's database, and who looks may be waiting for one: none would come free."""
    kept = Kept(clock=lambda: world.now)
    look = kept.look(world.catalog, world.session)
    has_begun, may_end = Event(), Event()

    def waits(session: Session) -> dict[str, AirflowDag]:
        has_begun.set()
        assert may_end.wait(60)
        return {}

    monkeypatch.setattr(reads, "our_dags", waits)
    with ThreadPoolExecutor(2) as pool:
        looks = pool.submit(kept.look, world.catalog, world.session)
        try:
            assert has_begun.wait(60)
            added_up = pool.submit(kept.sums, world.catalog, look).result(timeout=30)
        finally:
            may_end.set()
        looks.result(timeout=60)
    assert added_up["s0"].sets == 1


def test_what_is_written_past_this_program_is_seen(world: World) -> None:
    kept = Kept(clock=lambda: world.now)
    assert kept.look(world.catalog, world.session).answers["s0"].judged.state == "good"
    with world.catalog.standings._database.writing() as connection:
        connection.exec_driver_sql("UPDATE sets SET state = 'quarantined'")
    assert kept.look(world.catalog, world.session).answers["s0"].judged.state == "at_risk"


def test_a_catalog_that_was_put_back_from_a_copy_is_read_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Kept(clock=lambda: world.now)
    kept.look(world.catalog, world.session)
    with world.catalog.standings._database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM sets")
        connection.exec_driver_sql("DELETE FROM changes")
        connection.exec_driver_sql("UPDATE sqlite_sequence SET seq = 0 WHERE name = 'changes'")
    assert kept.look(world.catalog, world.session).answers["s0"].judged.last_good is None


def test_a_file_that_was_put_in_the_place_of_the_catalogs_is_read(
    world: World, tmp_path: Path
) -> None:
    kept = Kept(clock=lambda: world.now)
    file, copy = tmp_path / "catalog.db", tmp_path / "copy.db"
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    world.put("s0", world.now)
    found = kept.look(world.catalog, world.session).answers["s0"].judged.last_good
    assert found is not None
    assert found.set_id == "set-1"
    for end in ("", "-wal", "-shm"):
        file.with_name(file.name + end).rename(tmp_path / f"gone.db{end}")
    copy.rename(file)
    found = kept.look(world.catalog, world.session).answers["s0"].judged.last_good
    assert found is not None
    assert found.set_id == "set-0"
    world.catalog.standings.note_seen(["new"], at=world.now)
    with Catalog.open(f"sqlite:///{file}") as others:
        assert "new" in others.standings.first_seen(["new"]), (
            "what is written is in the file that is there"
        )


@pytest.mark.parametrize("what", ["standings", "newest"])
def test_of_a_look_that_fails_the_next_one_reads_the_same_again(
    world: World, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def fails(*given: object, **more: object) -> object:
        raise CatalogError("it does not answer")

    kept = Kept(clock=lambda: world.now)
    kept.look(world.catalog, world.session)
    world.put("s0", world.now)
    world.run_in_airflow("s0", "failed-early", "failed")
    world.session.commit()
    with monkeypatch.context() as patch:
        if what == "standings":
            patch.setattr(world.catalog.standings, "of", fails)
        else:
            patch.setattr(newest_runs, "last_over", fails)
        with pytest.raises(CatalogError):
            kept.look(world.catalog, world.session)
    found = kept.look(world.catalog, world.session).answers["s0"]
    assert found.judged.last_good is not None
    assert (found.judged.last_good.set_id, found.brief) == ("set-1", None)


def test_what_is_kept_ends_with_its_catalog(tmp_path: Path, session: Session) -> None:
    with Catalog.open(f"sqlite:///{tmp_path}/other.db") as catalog:
        kept = weakref.ref(kept_of(catalog, clock=utc_now))
        queries.listed(catalog, session, [], kept_of(catalog, clock=utc_now).look(catalog, session))
        assert kept() is not None
    del catalog
    gc.collect()
    assert kept() is None


def test_who_reads_the_changes_is_told_of_each_once(world: World) -> None:
    changes = world.catalog.changes
    mark, everything = changes.since(None)
    assert everything is None
    assert changes.since(mark) == (mark, set())
    world.put("s0", world.now)
    newer, found = changes.since(mark)
    assert found == {"s0"}
    assert changes.since(newer) == (newer, set())


def test_old_changes_are_forgotten_by_whoever_begins_a_run(world: World) -> None:
    database = world.catalog.standings._database
    mark, _ = world.catalog.changes.since(None)
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE changes SET at = '2020-01-01 00:00:00.000000'")
    world.begin()
    with database.reading() as connection:
        left = connection.exec_driver_sql("SELECT min(id), max(id) FROM changes").one()
    assert mark.after < left[0] <= left[1], "what is new is kept, and numbers go on"


@pytest.mark.parametrize("seed", range(int(os.environ.get("HISTORIES", "1"))))
def test_what_is_kept_is_what_would_be_read(
    seed: int, tmp_path: Path, catalog: Catalog, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, catalog, session, random.Random(seed))
    monkeypatch.setattr(queries, "utc_now", lambda: world.now)
    kept = Kept(clock=lambda: world.now)
    happened: list[str] = []
    short = 0
    for _ in range(60):
        happened.append(world.step())
        look = kept.look(catalog, session)
        anew = Kept(clock=lambda: world.now).look(catalog, session)
        assert kept.sums(catalog, look) == catalog.sums.of(look.answers)
        for name, each in anew.answers.items():
            mine = look.answers[name]
            assert mine.brief == each.brief, (name, happened)
            for fact in ("state", "since", "needs_attention", "deadline", "late_at"):
                assert getattr(mine.judged, fact) == getattr(each.judged, fact), happened
        short += compare(catalog, session, happened)
    assert short > 150, "nearly all had to be read anew"


def compare(catalog: Catalog, session: Session, happened: list[str]) -> int:
    """Compare what lists are made of with what is shown of each; return how many needed no more to be read."""
    rows = list(queries.all_rows(catalog).rows)
    look = kept_of(catalog, clock=utc_now).look(catalog, session)
    data = queries.schedule_data(catalog, session, rows)
    nobody = dict.fromkeys((each.id for each in rows), queries.NOBODY)
    whole = summaries(rows, data, permissions=nobody)
    listed = queries.listed(catalog, session, rows, look)
    for brief, summary in zip(listed, whole, strict=True):
        told = (brief.id, happened)
        assert [getattr(brief, name) for name in COMPARED] == [
            getattr(summary, name) for name in COMPARED
        ], told
        for name in ("state", "since", "deadline", "needs_attention"):
            assert getattr(brief.protection, name) == getattr(summary.protection, name), (
                name,
                told,
            )
        assert list(brief.tags) == summary.tags
        for mine, shown in (
            (brief.last_run, summary.last_run),
            (brief.last_good, summary.last_good),
        ):
            assert (mine and (mine.finished_at, mine.status)) == (
                shown and (shown.finished_at, shown.status)
            ), told
        active = brief.active_run, summary.active_run
        assert active[0] is None if active[1] is None else active[0] is not None, told
    return sum(isinstance(each, Brief) for each in listed)
