"""Many schedules cost no more queries than few, and what is made of all of them says what is shown of each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.definitions import Definitions, StoredDefinition
from airflow_backup.catalog.run_records import Failure, Outcome
from airflow_backup.core.clock import utc_now
from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.ids import dag_id
from airflow_backup.core.words import ExecutionStatus, Trigger
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.plugin.access import Access
from airflow_backup.plugin.airflow import reads
from airflow_backup.plugin.airflow.newest_runs import last_runs
from airflow_backup.plugin.kept.kept import kept_of
from airflow_backup.plugin.schemas.schedules import Permissions
from airflow_backup.plugin.services import queries
from airflow_backup.plugin.views.briefs import written
from airflow_backup.plugin.views.rhythms import MOST, coming, coming_until, next_run
from airflow_backup.plugin.views.schedules import summaries
from airflow_backup.schedules.loading.index import compile_index

NOBODY = Permissions(toggle=False, run=False, cancel=False, edit=False)
LINE = "  - {{id: {name}, tags: [night], cron: '0 2 * * *', source: {{engine: files, path: /srv}}}}"


def filled(catalog: Catalog, session: Session, folder: Path, count: int) -> None:
    """Deploy schedules; of every seven one failed, one runs, one died without a word, one never ran."""
    names = [f"s{n}" for n in range(count)]
    file = folder / "schedules.yaml"
    lines = "\n".join(LINE.format(name=name) for name in names)
    file.write_text(f"version: 1\ndefaults: {{repository: 'file:///b'}}\nschedules:\n{lines}\n")
    index = compile_index(file)
    catalog.deployed.replace(index.origin, index.entries.values())
    for n, name in enumerate(names):
        execute(
            catalog, session, name, ("done", "failed", "runs", "died", "", "done", "done")[n % 7]
        )
    session.commit()


def execute(catalog: Catalog, session: Session, name: str, how: str) -> None:
    """Let a schedule run on three days; ``how`` the last run went."""
    now = datetime.now(UTC)
    for days in (3, 2, 1) if how else ():
        at, ends = now - timedelta(days=days), "done" if days > 1 else how
        attempt = catalog.executions.begin(
            name, f"r{days}", run_at=at, at=at, trigger=Trigger.SCHEDULE
        )
        if ends == "done":
            outcome = Outcome(status=ExecutionStatus.COMPLETED)
        else:
            failure = Failure(error="x", hint="y", failure_class=FailureClass.SPACE)
            outcome = Outcome(status=ExecutionStatus.FAILED, failure=failure)
        if ends in ("done", "failed"):
            catalog.executions.finish(attempt, outcome, at=at + timedelta(seconds=5))
        state = {"done": "success", "runs": "running"}.get(ends, "failed")
        session.add(airflow_run(name, f"r{days}", at, state))


def airflow_run(name: str, run_id: str, at: datetime, state: str) -> DagRun:
    """Return a run as Airflow keeps it."""
    run = DagRun(
        dag_id=dag_id(name), run_id=run_id, run_type="scheduled", run_after=at, queued_at=at
    )
    run._state = state
    return run


def statements_of_a_look(folder: Path, session: Session, count: int) -> tuple[int, int]:
    """Return how many statements it takes to know all of so many schedules, and how many are known."""
    seen: list[str] = []

    def note(*given: Any) -> None:
        seen.append(given[2])

    with Catalog.open(f"sqlite:///{folder}/catalog-{count}.db") as catalog:
        filled(catalog, session, folder, count)
        event.listen(Engine, "before_cursor_execute", note)
        try:
            rows = list(queries.all_rows(catalog).rows)
            data = queries.schedule_data(catalog, session, rows)
            look = kept_of(catalog, clock=utc_now).look(catalog, session)
            queries.listed(catalog, session, rows, look)
            queries.sums(catalog, look)
        finally:
            event.remove(Engine, "before_cursor_execute", note)
        return len(seen), len(data.protections)


def test_ten_times_as_many_schedules_take_no_more_queries(tmp_path: Path, session: Session) -> None:
    few, known = statements_of_a_look(tmp_path, session, 20)
    for run in session.query(DagRun):
        session.delete(run)
    session.commit()
    many, known_of_many = statements_of_a_look(tmp_path, session, 200)
    assert (known, known_of_many) == (20, 200)
    assert many == few


def test_the_newest_run_that_is_over_is_found_however_old_it_is(session: Session) -> None:
    now = datetime.now(UTC)
    for name, days in (("often", (0, 1, 2)), ("seldom", (40, 70)), ("other", (0,))):
        for day in days:
            at = now - timedelta(days=day)
            session.add(airflow_run(name, f"r{day}", at, "failed" if day else "running"))
    session.commit()
    found = last_runs(session, [dag_id("often"), dag_id("seldom")], now=now, known=())
    assert sorted((run.dag_id, run.run_id) for run in found) == [
        (dag_id("often"), "r1"),
        (dag_id("seldom"), "r40"),
    ]
    assert reads.busy_dags(session) == {dag_id("often"), dag_id("other")}


def test_a_definition_is_read_once_until_it_changes(tmp_path: Path, session: Session) -> None:
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        filled(catalog, session, tmp_path, 2)
        before = [each.definition for each in catalog.deployed.all()]
        again = [each.definition for each in catalog.deployed.all()]
        assert [id(each) for each in before] == [id(each) for each in again]
        (tmp_path / "schedules.yaml").write_text(
            (tmp_path / "schedules.yaml").read_text().replace("id: s1, tags: [night]", "id: s1")
        )
        index = compile_index(tmp_path / "schedules.yaml")
        catalog.deployed.replace(index.origin, index.entries.values())
        changed = [each.definition for each in catalog.deployed.all()]
    assert changed[0] is before[0]
    assert isinstance(changed[1], StoredDefinition)
    assert changed[1].schedule is not None
    assert changed[1].schedule.tags == []


def test_a_definition_that_was_never_right_is_read_once_too() -> None:
    definitions = Definitions()
    assert definitions.read(["{}"])[0] is definitions.read(["{}"])[0]


def test_a_schedule_that_cannot_be_shown_costs_its_own_row(
    tmp_path: Path, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raises(self: FilesOptions) -> str:
        raise RuntimeError("an engine of another package")

    monkeypatch.setattr(FilesOptions, "summary", raises)
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        filled(catalog, session, tmp_path, 2)
        rows = list(queries.all_rows(catalog).rows)
        data = queries.schedule_data(catalog, session, rows)
        look = kept_of(catalog, clock=utc_now).look(catalog, session)
        listed = queries.listed(catalog, session, rows, look)
    shown = [written(row) for row in rows]
    whole = summaries(rows, data, permissions=dict.fromkeys((row.id for row in rows), NOBODY))
    assert [(each.id, each.description, each.source) for each in shown] == [
        (each.id, each.description, each.source) for each in whole
    ]
    assert [each.protection.state for each in listed] == ["broken", "broken"]


def test_what_was_reckoned_before_is_what_would_be_reckoned_now(
    tmp_path: Path, session: Session
) -> None:
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        filled(catalog, session, tmp_path, 1)
        definition = catalog.deployed.all()[0].definition
    assert isinstance(definition, StoredDefinition)
    schedule = definition.schedule
    assert schedule is not None
    begin = datetime(2026, 11, 21, 12, tzinfo=UTC)
    for hours, span in ((0, 24), (1, 168), (30, 24), (60, 2), (10, 48), (400, 5000)):
        now = begin + timedelta(hours=hours)
        until = now + timedelta(hours=span)
        found = coming_until(schedule, definition, now=now, until=until)
        assert found == coming(schedule, after=now, count=MOST, until=until)
        assert next_run(schedule, definition, now=now) == coming(schedule, after=now, count=1)[0]


class ReadsNothing(SimpleAuthManager):
    """Lets nobody read any DAG, whether it is there or not."""

    def get_authorized_dag_ids(self, **given: Any) -> set[str]:
        return set()

    def filter_authorized_dag_ids(self, **given: Any) -> set[str]:
        return set()


def test_who_made_many_and_may_read_none_of_them_costs_no_statement_for_each(
    tmp_path: Path, session: Session
) -> None:
    user = SimpleAuthManagerUser(username="ann", role="VIEWER")
    access = Access(user=user, session=session, manager=ReadsNothing())  # type: ignore[no-untyped-call]
    seen: list[str] = []
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        for n in range(30):
            at, given = datetime.now(UTC), {"id": f"s{n}"}
            catalog.schedules.save(f"s{n}", given, author="ann", at=at, after_version=0)
            if n:
                session.add(DagModel(dag_id=dag_id(f"s{n}"), bundle_name="dags"))  # type: ignore[no-untyped-call]
        session.commit()

        def note(*given: Any) -> None:
            seen.append(given[2])

        event.listen(Engine, "before_cursor_execute", note)
        try:
            found = queries.visible(catalog, access)
        finally:
            event.remove(Engine, "before_cursor_execute", note)
    assert [row.id for row in found] == ["s0"], "the one that has no DAG yet"
    assert len(seen) < 10, seen
