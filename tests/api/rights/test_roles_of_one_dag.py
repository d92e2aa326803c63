"""Rights that FAB gives for single DAGs: what somebody may do with one schedule, they may not do with its neighbour."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from airflow_backup.catalog import Catalog
from support.airflow.home import AirflowHome
from support.stored.of_airflow import store_set

pytestmark = [pytest.mark.service, pytest.mark.slow(minutes=2)]

API = "backup/api/v1"
SCHEDULES = """\
version: 1
schedules:
  - {id: orders, source: {engine: sqlite, path: /srv/orders.db}, repository: "sftp://vault/srv", cron: "0 2 * * *"}
  - {id: bank, source: {engine: sqlite, path: /srv/bank.db}, repository: "sftp://vault/srv", cron: "0 3 * * *"}
"""
FAR = """\
  - {id: far, source: {engine: sqlite, path: /srv/far.db}, repository: "sftp://vault/srv", cron: "0 4 * * *",
     queue: nas}
"""
MAKER = {"can_create", "can_read", "can_edit", "can_delete"}
ROLES = {
    # All that a schedule asks for but its DAG: connections, pools, and one of the two DAGs.
    "keeper": {
        "DAG:backup__orders": MAKER,
        "DAG Run:backup__orders": MAKER,
        "DAGs": {"can_read"},
        "DAG Runs": {"can_read"},
        "Connections": MAKER,
        "Pools": MAKER,
    },
    "restorer": {
        "DAG:backup__orders": {"can_read"},
        "DAG:backup__far": {"can_read"},
        "DAG:backup_restore": {"can_read", "can_edit"},
        "DAG Run:backup_restore": MAKER,
        "Connections": MAKER,
    },
    "stranger": {"DAG:backup__orders": {"can_read"}, "DAG Run:backup__orders": {"can_read"}},
}
CHANGES: dict[str, tuple[str, str, Any]] = {
    "PUT": ("PUT", "schedules/ID", {"id": "ID"}),
    "PATCH": ("PATCH", "schedules/ID", {"cron": "0 1 * * *"}),
    "DELETE": ("DELETE", "schedules/ID", {}),
    "toggle": ("POST", "schedules/ID/toggle", {"enabled": True}),
    "run": ("POST", "schedules/ID/run", {}),
    "dry run": ("POST", "schedules/ID/dry-run", {}),
    "skip-next": ("POST", "schedules/ID/skip-next", {}),
    "pause": ("POST", "schedules/ID/pause", {"until": "2099-01-01T00:00:00Z"}),
    "holds": ("DELETE", "schedules/ID/holds/999", {}),
    "cancel": ("POST", "runs/backup__ID/none/cancel", {}),
    "pause a run": ("POST", "runs/backup__ID/none/pause", {}),
    "resume a run": ("POST", "runs/backup__ID/none/resume", {}),
    "verify": ("POST", "sets/SET/verify", {}),
    "pin": ("POST", "sets/SET/pin", {"pinned": False}),
    "lock": ("POST", "sets/SET/pin", {"lock_until": "2099-01-01T00:00:00Z", "confirm": "no"}),
}
READS = (
    *("schedules/ID", "schedules/ID/next", "schedules/ID/runs", "schedules/ID/sets"),
    *("schedules/ID/versions", "schedules/ID/retention", "schedules/ID/recovery-path"),
    *("sets/SET", "runs/backup__ID/r1"),
)
LISTS = (
    *("schedules", "runs", "runs/active", "timeline", "events", "export", "reports/summary"),
    *("days?ids=orders&ids=bank", "metrics", "status"),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowHome]:
    """An API server with two schedules and a set of each, and a user for each role."""
    folder = tmp_path_factory.mktemp("single-dags")
    with AirflowHome(folder / "home", schedules=SCHEDULES + FAR, auth="fab") as airflow:
        airflow.run("db", "migrate")
        for schedule_id in ("orders", "bank"):
            store_set(airflow, folder, schedule_id)
        airflow.reserialize()
        rights = [
            {"name": role, "resource": resource, "action": ",".join(sorted(actions))}
            for role, resources in ROLES.items()
            for resource, actions in resources.items()
        ]
        (folder / "roles.json").write_text(json.dumps(rights))
        airflow.run("roles", "import", str(folder / "roles.json"))
        for role in ROLES:
            airflow.add_user(role, role=role)
        airflow.start("api-server")
        yield airflow


@pytest.fixture
def set_ids(home: AirflowHome) -> dict[str, str]:
    with Catalog.open(home.catalog_url) as catalog:
        return {each: catalog.sets.of(each)[0].set_id for each in ("orders", "bank")}


def ask(client: httpx.Client, way: tuple[str, str, Any], schedule_id: str, set_id: str) -> int:
    method, path, body = json.loads(
        json.dumps(way).replace("ID", schedule_id).replace("SET", set_id)
    )
    answer = client.request(method, f"{API}/{path}", json=body)
    assert answer.status_code < 500, (way, answer.text)
    return answer.status_code


@pytest.mark.parametrize("change", CHANGES)
def test_who_may_change_one_schedule_may_not_change_its_neighbour(
    home: AirflowHome, set_ids: dict[str, str], change: str
) -> None:
    with home.client("keeper") as keeper:
        assert ask(keeper, CHANGES[change], "orders", set_ids["orders"]) not in (401, 403)
        assert ask(keeper, CHANGES[change], "bank", set_ids["bank"]) in (403, 404)


def test_a_bulk_change_reaches_only_what_may_be_changed(home: AirflowHome) -> None:
    with home.client("keeper") as keeper:
        body = {"action": "disable", "ids": ["orders", "bank"]}
        answer = keeper.post(f"{API}/schedules/bulk", json=body)
        bank = keeper.get(f"{API}/schedules/bank").json()
    assert answer.status_code in (200, 403), answer.text
    if answer.status_code == 200:
        outcomes = {each["schedule_id"]: each for each in answer.json()["results"]}
        assert not outcomes["bank"]["done"]
        assert outcomes["orders"]["done"]
    assert bank["enabled"] is True


@pytest.mark.parametrize("path", READS)
def test_who_may_not_see_a_dag_does_not_see_its_schedule(
    home: AirflowHome, set_ids: dict[str, str], path: str
) -> None:
    with home.client("stranger") as stranger:
        way = ("GET", path, None)
        assert ask(stranger, way, "bank", set_ids["bank"]) in (403, 404)
        assert ask(stranger, way, "orders", set_ids["orders"]) not in (401, 403)


@pytest.mark.parametrize("path", LISTS)
def test_no_list_has_a_word_of_what_may_not_be_seen(home: AirflowHome, path: str) -> None:
    with home.client("stranger") as stranger:
        answer = stranger.get(f"{API}/{path}")
    assert answer.status_code in (200, 403), answer.text
    assert "bank" not in answer.text


@pytest.mark.parametrize("change", CHANGES)
def test_who_may_only_look_changes_nothing(
    home: AirflowHome, set_ids: dict[str, str], change: str
) -> None:
    with home.client("stranger") as stranger:
        for schedule_id in ("orders", "bank"):
            found = ask(stranger, CHANGES[change], schedule_id, set_ids[schedule_id])
            assert found in (403, 404)


def test_who_may_restore_on_some_workers_may_not_restore_on_others(
    home: AirflowHome, set_ids: dict[str, str]
) -> None:
    with home.client("restorer") as restorer:
        places = [each["id"] for each in restorer.get(f"{API}/places").json()["places"]]
        assert places == ["backup_restore", "backup_restore__nas"]
        asked = [
            {"target": "copy", "confirm": "orders", "place": place}
            for place in ("backup_restore", "backup_restore__nas")
        ]
        path = f"{API}/sets/{set_ids['orders']}/restore"
        allowed, refused = (restorer.post(path, json=body) for body in asked)
        assert (allowed.status_code, refused.status_code) == (202, 409)
        assert refused.json()["detail"] == "you may not start DAG 'backup_restore__nas'"
