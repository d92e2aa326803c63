"""An import is whole or nothing, whatever happens in the middle, and what was exported comes back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.api_fastapi.common.db.common import _get_session
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.log import Log
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import CatalogError, Refused
from airflow_backup.plugin.access import Access, Method, _access
from airflow_backup.plugin.airflow.transactions import DatabaseBusy
from airflow_backup.plugin.errors import ImportRefused, ImportWrong
from airflow_backup.plugin.http.routes import editing
from airflow_backup.plugin.schemas.exchange import ImportCounts, ImportRequest
from airflow_backup.plugin.services.catalog_access import catalog_handle
from airflow_backup.plugin.services.exchange import importing, plan
from airflow_backup.plugin.services.exchange.export import export
from airflow_backup.plugin.services.exchange.importing import Importer
from airflow_backup.plugin.views.listing import ExportChoice
from airflow_backup.schedules.export.schedules_file import schedules_file
from airflow_backup.schedules.model.schedule import Schedule
from support.definitions import definitions

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Everybody(SimpleAuthManager):
    """Lets everybody read every DAG; what SimpleAuthManager says of the rest holds."""

    def get_authorized_dag_ids(self, *, user: Any, session: Any = None, **_: Any) -> set[str]:
        return set(session.scalars(select(DagModel.dag_id)))


def importer(catalog: Catalog, session: Session, role: str = "ADMIN") -> Importer:
    user = SimpleAuthManagerUser(username=role.lower(), role=role)
    access = Access(user=user, session=session, manager=Everybody())  # type: ignore[no-untyped-call]
    return Importer(catalog, session, access, now=NOW)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        yield catalog


def whole(name: str, **keys: Any) -> dict[str, Any]:
    given = {
        "id": name,
        "source": {"engine": "sqlite", "connection": "wiki_db"},
        "repository": "sftp://vault/srv",
        "preset": "daily",
    }
    return Schedule.model_validate(given | keys).definition()


def body(*given: dict[str, Any], **keys: Any) -> ImportRequest:
    return ImportRequest(yaml=schedules_file(given), **keys)


def saved(catalog: Catalog) -> dict[str, int]:
    return {each.id: each.version for each in catalog.schedules.all()}


def told(session: Session) -> list[tuple[str, str | None]]:
    return [(each.event, each.dag_id) for each in session.scalars(select(Log).order_by(Log.id))]


class Reader(Everybody):
    """Somebody who may change connections and other DAGs, and of one DAG may only read it."""

    def is_authorized_dag(
        self, *, method: Any, user: Any, details: Any = None, **more: Any
    ) -> bool:
        if method != "GET" and details is not None and details.id == "backup__read_only":
            return False
        return super().is_authorized_dag(method=method, user=user, details=details, **more)


def test_who_may_only_look_at_a_dag_changes_its_schedule_by_no_door(
    catalog: Catalog, session: Session
) -> None:
    importer(catalog, session).carry_out(body(whole("read_only"), whole("other")))
    session.add(DagBundleModel(name="b"))
    session.flush()
    session.add_all(
        DagModel(dag_id=f"backup__{name}", bundle_name="b")  # type: ignore[no-untyped-call]
        for name in ("read_only", "other")
    )
    session.flush()
    user = SimpleAuthManagerUser(username="eve", role="OP")
    access = Access(user=user, session=session, manager=Reader())  # type: ignore[no-untyped-call]
    rows = {each.id: each for each in catalog.schedules.all()}
    methods: list[Method] = ["PUT", "DELETE"]
    for method in methods:
        assert access.may_change("other", rows["other"], method)
        assert not access.may_change("read_only", rows["read_only"], method)
    assert {each: may.edit for each, may in access.permissions(rows).items()} == {
        "other": True,
        "read_only": False,
    }
    eve = Importer(catalog, session, access, now=NOW)
    changed = body(whole("read_only", preset="hourly"), on_conflict="replace")
    with pytest.raises(ImportRefused, match="your role does not allow to change schedules"):
        eve.carry_out(changed)
    assert saved(catalog) == {"read_only": 1, "other": 1}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_request_to_edit_asks_for_the_dag_of_its_schedule(
    catalog: Catalog, session: Session, method: str
) -> None:
    importer(catalog, session).carry_out(body(whole("read_only"), whole("other")))
    user = SimpleAuthManagerUser(username="eve", role="OP")
    access = Access(user=user, session=session, manager=Reader())  # type: ignore[no-untyped-call]
    app = FastAPI()
    app.include_router(editing.router)
    app.dependency_overrides = {
        _access: lambda: access,
        _get_session: lambda: session,
        catalog_handle.catalog: lambda: catalog,
    }
    with TestClient(app, raise_server_exceptions=False) as client:
        for name, is_allowed in (("other", True), ("read_only", False)):
            answer = client.request(method, f"/schedules/{name}", json={})
            assert (answer.status_code != 403) is is_allowed, answer.text
    assert saved(catalog) == {"read_only": 1, "other": 1}


def test_who_just_made_a_schedule_may_change_it_before_it_has_a_dag(
    catalog: Catalog, session: Session
) -> None:
    user = SimpleAuthManagerUser(username="eve", role="OP")
    access = Access(user=user, session=session, manager=Reader())  # type: ignore[no-untyped-call]
    Importer(catalog, session, access, now=NOW).carry_out(body(whole("read_only")))
    (row,) = catalog.schedules.all()
    assert access.may_change("read_only", row)
    other = SimpleAuthManagerUser(username="bob", role="OP")
    theirs = Access(user=other, session=session, manager=Reader())  # type: ignore[no-untyped-call]
    assert not theirs.may_change("read_only", row)


def test_all_of_a_file_is_made_and_everybody_is_told(catalog: Catalog, session: Session) -> None:
    results = importer(catalog, session).carry_out(
        body(whole("a"), whole("b", after=["a"], preset=None))
    )
    assert (results.possible, results.saved, results.counts.created) == (True, True, 2)
    assert saved(catalog) == {"a": 1, "b": 1}
    assert [(each.action, each.subject) for each in catalog.events.recent()] == [
        ("schedule_created", "b"),
        ("schedule_created", "a"),
    ]
    assert told(session) == [
        ("backup_schedule_created", "backup__a"),
        ("backup_schedule_created", "backup__b"),
    ]
    again = importer(catalog, session).carry_out(
        body(whole("a"), whole("b", after=["a"], preset=None))
    )
    assert (again.possible, again.saved, again.counts.unchanged) == (True, False, 2)
    assert saved(catalog) == {"a": 1, "b": 1}


def test_a_dry_run_says_everything_and_saves_nothing(catalog: Catalog, session: Session) -> None:
    results = importer(catalog, session).carry_out(body(whole("a"), dry_run=True))
    assert (results.possible, results.saved, results.counts.created) == (True, False, 1)
    assert saved(catalog) == {}
    assert told(session) == []


def test_one_that_is_wrong_keeps_all_from_being_made(catalog: Catalog, session: Session) -> None:
    text = body(whole("a"), whole("b")).yaml.replace("preset: daily", "preset: dayly", 1)
    with pytest.raises(ImportWrong, match=r"line 11: no preset `dayly`") as caught:
        importer(catalog, session).carry_out(ImportRequest(yaml=text))
    assert [each["outcome"] for each in caught.value.results["schedules"]] == ["refused", "created"]
    assert caught.value.results["saved"] is False
    assert saved(catalog) == {}


def test_one_that_is_there_keeps_all_from_being_made(catalog: Catalog, session: Session) -> None:
    importer(catalog, session).carry_out(body(whole("b")))
    with pytest.raises(ImportRefused, match="there already is a schedule 'b'"):
        importer(catalog, session).carry_out(body(whole("a"), whole("b", preset="hourly")))
    assert saved(catalog) == {"b": 1}
    skipped = importer(catalog, session).carry_out(
        body(whole("a"), whole("b", preset="hourly"), on_conflict="skip")
    )
    assert skipped.counts == ImportCounts(created=1, skipped=1)
    importer(catalog, session).carry_out(body(whole("b", preset="hourly"), on_conflict="replace"))
    assert saved(catalog) == {"a": 1, "b": 2}


def test_nothing_is_made_when_the_database_fails_half_way(
    catalog: Catalog, session: Session
) -> None:
    asked = importer(catalog, session)
    with catalog.schedules._database.writing() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER broken BEFORE INSERT ON schedules WHEN NEW.id = 's9' "
            "BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
    with pytest.raises(CatalogError, match="disk full"):
        asked.carry_out(body(*(whole(f"s{number}") for number in range(10))))
    assert saved(catalog) == {}
    assert catalog.events.recent() == []
    assert told(session) == []


def test_who_was_slower_is_told_and_changes_nothing(
    catalog: Catalog, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide = plan.decide

    def decide_late(*given: Any, **named: Any) -> Any:
        found = decide(*given, **named)
        catalog.schedules.save("b", whole("b"), author="bob", at=NOW, after_version=0)
        return found

    monkeypatch.setattr(importing, "decide", decide_late)
    with pytest.raises(Refused, match="nothing was imported: schedule 'b' has version 1, not 0"):
        importer(catalog, session).carry_out(body(whole("a"), whole("b")))
    assert [(each.id, each.author) for each in catalog.schedules.all()] == [("b", "bob")]
    assert told(session) == []


def test_that_the_audit_log_could_not_be_written_is_said(
    catalog: Catalog, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: Any, **__: Any) -> None:
        raise DatabaseBusy("Airflow's database is busy, and nothing was changed")

    monkeypatch.setattr(importing, "tell", busy)
    with pytest.raises(DatabaseBusy, match="the schedules are imported, but Airflow's database"):
        importer(catalog, session).carry_out(body(whole("a")))
    assert saved(catalog) == {"a": 1}


def add_dag(session: Session, dag: str, *, is_stale: bool = False) -> None:
    if session.get(DagBundleModel, "bundle") is None:
        session.add(DagBundleModel(name="bundle"))
    session.flush()
    model = DagModel(dag_id=dag, bundle_name="bundle")  # type: ignore[no-untyped-call]
    model.is_paused, model.is_stale = False, is_stale
    session.add(model)
    session.commit()


def test_an_id_under_which_somebody_elses_dag_runs_is_refused(
    catalog: Catalog, session: Session
) -> None:
    add_dag(session, "backup__a")
    with pytest.raises(ImportRefused, match="there already is a DAG 'backup__a', and no schedule"):
        importer(catalog, session).carry_out(body(whole("a", enabled=False)))
    dag = session.get(DagModel, "backup__a")
    assert dag is not None
    assert dag.is_paused is False


def test_a_dag_that_comes_back_has_the_switch_of_its_schedule(
    catalog: Catalog, session: Session
) -> None:
    add_dag(session, "backup__a", is_stale=True)
    importer(catalog, session).carry_out(body(whole("a", enabled=False)))
    dag = session.get(DagModel, "backup__a")
    assert dag is not None
    assert dag.is_paused is True
    importer(catalog, session).carry_out(body(whole("a"), on_conflict="replace"))
    session.expire_all()
    assert dag.is_paused is True  # the switch that there is counts


def test_what_is_exported_of_one_catalog_is_imported_into_an_empty_one(
    catalog: Catalog, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for option in ("source_roots", "repository_roots"):
        monkeypatch.setenv(f"AIRFLOW__BACKUP__{option.upper()}", "/")
    given = [
        {**schedule.definition(), "id": f"s{number:03}"}
        for number, (_, schedule) in enumerate(definitions(200, seed=3))
        if not schedule.after and schedule.source.engine != "command"
    ]
    here = importer(catalog, session)
    fenceless = [each for each in given if fits(here, each)]
    assert len(fenceless) > 30
    for each in fenceless:
        catalog.schedules.save(each["id"], each, author="ann", at=NOW, after_version=0)
    text = export(catalog, session, here.access, ExportChoice(schedule=[])).text
    with Catalog.open(f"sqlite:///{tmp_path}/empty.db") as empty:
        there = replace(here, catalog=empty)
        results = there.carry_out(ImportRequest(yaml=text))
        assert results.counts.created == len(fenceless)
        assert export(empty, session, here.access, ExportChoice(schedule=[])).text == text
        assert {each.id: each.definition for each in empty.schedules.all()} == {
            each.id: each.definition for each in catalog.schedules.all()
        }


def fits(here: Importer, given: dict[str, Any]) -> bool:
    """Whether it names no path or program that is not allowed here."""
    return here.carry_out(body(given, dry_run=True)).possible
