"""
Who may do what: every operation of the API, as every role, with both of Airflow's common auth managers.

The page docs/reference/permissions.md is made here: UPDATE_DOCS=1 pytest tests/api/rights/test_permissions.py
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_backup.catalog import Catalog
from support.airflow.home import ROLES, AirflowHome
from support.stored.of_airflow import store_set

pytestmark = [pytest.mark.service, pytest.mark.slow(minutes=4)]

API = "/api/v1"
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "permissions.md"
MANAGERS = ("simple", "fab")
EVERYBODY = (*ROLES, "nobody")
LATER = "2099-01-01T00:00:00Z"
SCHEDULES = """\
version: 1
schedules:
  - {id: orders, source: {engine: sqlite, path: /srv/orders.db}, repository: "sftp://vault/srv", cron: "0 2 * * *"}
"""

REQUESTS: dict[str, tuple[str, Any]] = {
    "GET /status": ("status", None),
    "GET /coverage": ("coverage", None),
    "POST /maintenance": ("maintenance", {"enabled": False}),
    "GET /metrics": ("metrics", None),
    "GET /events": ("events", None),
    "GET /events/stream": ("events/stream?seconds=1", None),
    "GET /receivers": ("receivers", None),
    "POST /receivers/{name}/test": ("receivers/nobody/test", {}),
    "GET /schedules": ("schedules", None),
    "GET /schedule-ids": ("schedule-ids", None),
    "POST /schedules": ("schedules", {"id": "x"}),
    "POST /schedules/validate": ("schedules/validate", {"id": "x"}),
    "POST /schedules/bulk": ("schedules/bulk", {"action": "enable", "ids": ["orders"]}),
    "GET /schedules/{schedule_id}": ("schedules/orders", None),
    "PUT /schedules/{schedule_id}": ("schedules/orders", {"id": "orders"}),
    "PATCH /schedules/{schedule_id}": ("schedules/orders", {"cron": "0 1 * * *"}),
    "DELETE /schedules/{schedule_id}": ("schedules/orders", {}),
    "GET /schedules/{schedule_id}/next": ("schedules/orders/next", None),
    "GET /schedules/{schedule_id}/runs": ("schedules/orders/runs", None),
    "GET /schedules/{schedule_id}/trend": ("schedules/orders/trend", None),
    "GET /schedules/{schedule_id}/sets": ("schedules/orders/sets", None),
    "GET /schedules/{schedule_id}/requests": ("schedules/orders/requests", None),
    "GET /schedules/{schedule_id}/versions": ("schedules/orders/versions", None),
    "GET /schedules/{schedule_id}/retention": ("schedules/orders/retention", None),
    "GET /schedules/{schedule_id}/recovery-path": ("schedules/orders/recovery-path", None),
    "POST /schedules/{schedule_id}/toggle": ("schedules/orders/toggle", {"enabled": True}),
    "POST /schedules/{schedule_id}/run": ("schedules/orders/run", {}),
    "POST /schedules/{schedule_id}/clone": ("schedules/orders/clone", {"id": "orders"}),
    "POST /schedules/{schedule_id}/skip-next": ("schedules/orders/skip-next", {}),
    "POST /schedules/{schedule_id}/pause": ("schedules/orders/pause", {"until": LATER}),
    "DELETE /schedules/{schedule_id}/holds/{hold_id}": ("schedules/orders/holds/999", {}),
    "GET /export": ("export", None),
    "POST /import": ("import", {"yaml": "version: 1"}),
    "GET /templates": ("templates", None),
    "GET /engines": ("engines", None),
    "GET /runs": ("runs", None),
    "GET /runs/csv": ("runs/csv", None),
    "GET /runs/active": ("runs/active", None),
    "POST /runs/active/pause": ("runs/active/pause", {}),
    "POST /runs/active/resume": ("runs/active/resume", {}),
    "GET /runs/{dag_id}/{run_id}": ("runs/backup__orders/r1", None),
    "POST /runs/{dag_id}/{run_id}/cancel": ("runs/backup__orders/none/cancel", {}),
    "POST /runs/{dag_id}/{run_id}/pause": ("runs/backup__orders/none/pause", {}),
    "POST /runs/{dag_id}/{run_id}/resume": ("runs/backup__orders/none/resume", {}),
    "GET /timeline": ("timeline", None),
    "GET /days": ("days?ids=orders", None),
    "GET /places": ("places", None),
    "GET /sets/{set_id}": ("sets/SET", None),
    "POST /sets/{set_id}/verify": ("sets/SET/verify", {}),
    "POST /sets/{set_id}/restore": ("sets/SET/restore", {"target": "x", "confirm": "no"}),
    "POST /sets/{set_id}/pin": ("sets/SET/pin", {"pinned": False}),
    "POST /sets/{set_id}/contents": ("sets/SET/contents", {}),
    "POST /schedules/dry-run": ("schedules/dry-run", {"id": "x"}),
    "POST /schedules/{schedule_id}/dry-run": ("schedules/orders/dry-run", {}),
    "GET /answers/{run_id}": ("answers/none", None),
    "GET /reports/summary": ("reports/summary", None),
}
"""By operation: a request that nothing but a missing right keeps from an answer, or from a reason of its own."""

LOCK = {"lock_until": (datetime.now(UTC) + timedelta(days=1)).isoformat(), "confirm": "no"}


@pytest.fixture(scope="module", params=MANAGERS)
def home(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AirflowHome]:
    """An API server with one schedule and one set, under one of the auth managers."""
    folder = tmp_path_factory.mktemp(f"permissions-{request.param}")
    with AirflowHome(folder / "home", schedules=SCHEDULES, auth=request.param) as airflow:
        airflow.run("db", "migrate")
        if request.param == "fab":
            airflow.add_users()
        airflow.reserialize()
        store_set(airflow, folder, "orders")
        airflow.start("api-server")
        yield airflow


def asked(airflow: AirflowHome) -> dict[str, dict[str, bool]]:
    """Ask every operation as everybody; return by operation and role whether it was allowed."""
    with Catalog.open(airflow.catalog_url) as catalog:
        (row,) = catalog.sets.of("orders")
    found: dict[str, dict[str, bool]] = {}
    for role in EVERYBODY:
        with airflow.client(None if role == "nobody" else role) as client:
            for operation, (path, body) in REQUESTS.items():
                found.setdefault(operation, {})[role] = _allowed(
                    client, operation.split()[0], path.replace("SET", row.set_id), body
                )
            found.setdefault("POST /sets/{set_id}/pin with lock_until", {})[role] = _allowed(
                client, "POST", f"sets/{row.set_id}/pin", LOCK
            )
    return found


def _allowed(client: httpx.Client, method: str, path: str, body: Any) -> bool:
    answer = client.request(method, f"backup{API}/{path}", json=body)
    assert answer.status_code < 500, (method, path, answer.text)
    return answer.status_code not in (401, 403)


def operations(client: httpx.Client) -> set[str]:
    """Return every operation that the API describes."""
    paths = client.get(f"backup{API}/openapi.json").json()["paths"]
    return {
        f"{method.upper()} {path.removeprefix(API)}"
        for path, methods in paths.items()
        for method in methods
    }


TABLES: dict[str, dict[str, dict[str, bool]]] = {}


def test_every_operation_has_a_row(home: AirflowHome) -> None:
    with home.client("admin") as admin:
        assert operations(admin) == set(REQUESTS)


def test_what_each_role_may_do_is_what_the_page_says(
    home: AirflowHome, request: pytest.FixtureRequest
) -> None:
    manager = request.node.callspec.params["home"]
    TABLES[manager] = asked(home)
    if os.environ.get("UPDATE_DOCS") and len(TABLES) == len(MANAGERS):
        PAGE.write_text(page(TABLES))
    told = PAGE.read_text(encoding="utf-8")
    for line in rows(TABLES[manager]):
        section = told.partition(f"## {HEADINGS[manager]}")[2].partition("\n## ")[0]
        assert line in section, (manager, line)


HEADINGS = {"simple": "Simple auth manager", "fab": "FAB auth manager"}


def rows(table: dict[str, dict[str, bool]]) -> list[str]:
    """Return the table's lines."""
    return [
        f"| `{operation}` | " + " | ".join("yes" if may[role] else "–" for role in EVERYBODY) + " |"
        for operation, may in sorted(table.items(), key=lambda item: item[0].split()[::-1])
    ]


def page(tables: dict[str, dict[str, dict[str, bool]]]) -> str:
    """Return the page."""
    parts = [INTRODUCTION]
    for manager, table in tables.items():
        head = f"| operation | {' | '.join(EVERYBODY)} |"
        parts.append(f"\n## {HEADINGS[manager]}\n\n{NOTES[manager]}\n\n{head}\n|{'---|' * 6}\n")
        parts.append("\n".join(rows(table)) + "\n")
    return "".join(parts)


INTRODUCTION = """\
# Permissions

*Made by a test, which asks every operation as every role: `UPDATE_DOCS=1 pytest tests/api/rights/test_permissions.py`.*

The API asks Airflow's auth manager on every request. What it asks for:

| right | what Airflow must allow |
|---|---|
| view | to read the schedule's DAG |
| view coverage | to read connections; those that the user may not read are left out |
| operate: enable, run, cancel, pause, hold, verify | to change the DAG, or to make and change its runs |
| edit: make, change, clone, delete schedules | to make, change or delete connections, for a schedule names paths and connections; to change or delete one, its DAG too |
| pin | to change connections, and the schedule's DAG |
| restore | to make runs of the DAG `backup_restore` (and of that of chosen workers), and connections |
| lock | to delete the schedule's DAG, and connections; cannot be taken back, so the schedule's id is typed |
| maintenance | to change every DAG, and the pool `backup` |

Whoever may not view a schedule gets 404, as if it did not exist.
"""
NOTES = {
    "simple": "Airflow's default, with its four roles.",
    "fab": "Its own roles as they are installed. A right can be given for single DAGs: *can edit* on\n"
    "*DAG:backup_restore*, *can create* on *DAG Run:backup_restore* and *can create* on *Connections* together make\n"
    "somebody who may restore; for workers that are chosen, it is their own DAG, such as `backup_restore__nas`.",
}
