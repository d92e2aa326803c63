"""Looks that a worker takes: who may ask for one, and who is answered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_backup.actions.backup.backup import Run, backup
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import from_environment
from airflow_backup.schedules.model.schedule import Schedule
from support.airflow.home import AirflowHome

pytestmark = pytest.mark.service

API = "backup/api/v1"


@pytest.fixture(scope="module")
def stored(airflow: AirflowHome, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A set of a schedule that is there, and that is placed on the queue `nas`."""
    folder = tmp_path_factory.mktemp("looks")
    (folder / "source").mkdir()
    (folder / "source" / "a.txt").write_text("a")
    schedule = Schedule.model_validate(
        {
            "id": "metrics",
            "source": {"engine": "files", "path": str(folder / "source")},
            "repository": f"file://{folder}/repository",
            "preset": "daily",
        }
    )
    with Catalog.open(airflow.catalog_url) as catalog:
        result = backup(
            schedule,
            Run("looks", datetime.now(UTC)),
            catalog=catalog,
            connections=from_environment,
            clock=lambda: datetime.now(UTC),
        )
        yield result.set_id
        catalog.sets.forget(result.set_id)


def answered(client: httpx.Client, started: httpx.Response) -> Any:
    assert started.status_code == 202, started.text
    found = client.get(f"{API}/answers/{started.json()['run_id']}")
    assert found.status_code == 200, found.text
    return found.json()


def test_a_look_into_a_set_runs_where_its_schedule_does_and_waits(
    admin: httpx.Client, airflow: AirflowHome, stored: str
) -> None:
    started = admin.post(f"{API}/sets/{stored}/contents", json={"folder": "docs"})
    assert started.json()["dag_id"] == "backup_ask__nas"
    found = answered(admin, started)
    assert (found["state"], found["contents"], found["problem"]) == ("waiting", None, None)
    with Catalog.open(airflow.catalog_url) as catalog:
        ticket = catalog.tickets.asked_by("admin", started.json()["run_id"], now=datetime.now(UTC))
        assert ticket is not None
        assert dict(ticket.request) == {
            "what": "contents",
            "set_id": stored,
            "folder": "docs",
            "find": None,
            "place": "backup_ask__nas",
        }
        entry = {"path": "a", "name": "a", "kind": "file", "size": 1, "files": None}
        entry |= {"modified": None, "rows": None, "restorable": True}
        moment = "2026-11-20T02:00:00+00:00"
        told = {"set_id": stored, "consistent_at": moment, "total": 1, "entries": [entry]}
        catalog.tickets.answer(ticket.run_id, {"found": told})
    found = answered(admin, started)
    assert (found["state"], found["contents"]["entries"]) == ("done", [entry])


def test_only_who_asked_is_answered(
    admin: httpx.Client, clients: dict[str, httpx.Client], stored: str
) -> None:
    run_id = admin.post(f"{API}/sets/{stored}/contents", json={}).json()["run_id"]
    for other in (clients["op"], clients["viewer"]):
        assert other.get(f"{API}/answers/{run_id}").status_code == 404
    assert admin.get(f"{API}/answers/nope").status_code == 404
    restore = {"target": "copy", "confirm": "metrics"}
    asked = admin.post(f"{API}/sets/{stored}/restore", json=restore).json()["run_id"]
    assert admin.get(f"{API}/answers/{asked}").status_code == 404


def test_names_of_files_are_for_those_who_may_restore(
    clients: dict[str, httpx.Client], stored: str
) -> None:
    op = clients["op"]
    for role, status in (("viewer", 403), ("user", 403), ("op", 202)):
        answer = clients[role].post(f"{API}/sets/{stored}/contents", json={"find": "*.pdf"})
        assert answer.status_code == status
    both = op.post(f"{API}/sets/{stored}/contents", json={"find": "*", "folder": "a"})
    assert both.status_code == 422
    assert op.post(f"{API}/sets/20261101T000000Z-0123456789/contents", json={}).status_code == 404


def test_a_dry_run_of_a_schedule_is_for_those_who_may_run_it(
    user: httpx.Client, viewer: httpx.Client
) -> None:
    path = f"{API}/schedules/metrics/dry-run"
    assert viewer.post(path, json={}).status_code == 403
    assert user.post(path, json={"kind": "nope"}).status_code == 422
    started = user.post(path, json={"kind": "full"})
    assert started.json()["dag_id"] == "backup_ask__nas"
    assert answered(user, started)["state"] == "waiting"


def test_a_definition_is_tried_as_it_would_be_saved(
    admin: httpx.Client, user: httpx.Client, tmp_path: Path, airflow: AirflowHome
) -> None:
    path = f"{API}/schedules/dry-run"
    given: dict[str, Any] = {
        "id": "typed",
        "source": {"engine": "files", "path": "/srv/typed"},
        "repository": "s3://bucket/backups",
        "preset": "daily",
    }
    assert user.post(path, json=given).status_code == 403
    wrong = admin.post(path, json=given | {"preset": "never"})
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["field"] == "preset"
    beyond = admin.post(path, json=given | {"source": {"engine": "files", "path": "/etc"}})
    assert (beyond.status_code, beyond.json()["errors"][0]["field"]) == (422, "source")
    nowhere = admin.post(path, json=given | {"queue": "nobody"})
    assert nowhere.status_code in (409, 422)
    with Catalog.open(airflow.catalog_url) as catalog:
        before = catalog.schedules.newest("typed")
    assert before is None
