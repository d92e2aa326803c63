"""Who gets in: nobody without a login, viewers only to look, and nothing but JSON changes anything."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator

import httpx
import pytest

from support.airflow.home import AirflowHome

pytestmark = pytest.mark.service

API = "backup/api/v1"
PROBLEM = "application/problem+json"

CHANGES: dict[str, tuple[str, str, object]] = {
    "toggle": ("POST", f"{API}/schedules/orders/toggle", {"enabled": True}),
    "run": ("POST", f"{API}/schedules/orders/run", {}),
    "cancel": ("POST", f"{API}/runs/backup__orders/manual__1/cancel", {}),
    "pause run": ("POST", f"{API}/runs/backup__orders/manual__1/pause", {}),
    "resume run": ("POST", f"{API}/runs/backup__orders/manual__1/resume", {}),
    "skip next": ("POST", f"{API}/schedules/orders/skip-next", {}),
    "pause": ("POST", f"{API}/schedules/orders/pause", {"until": "2099-01-01T00:00:00Z"}),
    "lift": ("DELETE", f"{API}/schedules/orders/holds/1", {}),
    "bulk": ("POST", f"{API}/schedules/bulk", {"action": "run", "ids": ["orders"]}),
    "clone": ("POST", f"{API}/schedules/orders/clone", {"id": "copy"}),
    "restore": ("POST", f"{API}/sets/x/restore", {"target": "a", "confirm": "orders"}),
    "contents": ("POST", f"{API}/sets/x/contents", {}),
    "dry run": ("POST", f"{API}/schedules/orders/dry-run", {}),
    "pin": ("POST", f"{API}/sets/x/pin", {"pinned": True}),
    "delete": ("DELETE", f"{API}/schedules/orders", {}),
}
DEFINITIONS: dict[str, tuple[str, str, object]] = {
    "create": ("POST", f"{API}/schedules", {"id": "x"}),
    "replace": ("PUT", f"{API}/schedules/orders", {"id": "orders"}),
    "change": ("PATCH", f"{API}/schedules/orders", {"cron": "0 1 * * *"}),
    "try": ("POST", f"{API}/schedules/dry-run", {"id": "x"}),
    "validate": ("POST", f"{API}/schedules/validate", {"id": "x"}),
}
"""Their bodies may hold any key; what is wrong with it is said in the words of schedules files."""

UNKNOWN = (
    "backup/",
    "backup/api",
    "backup/api/v1",
    "backup/api/v1/",
    "backup/api/v1/nothing/here",
    "backup/api/v2/schedules",
    "backup/docs",
    "backup/redoc",
    "backup/openapi.json",
    "backup/api/v1/openapi.json",
    "backup/static%2F..%2Fapi/v1/status",
)


def routes(admin: httpx.Client) -> Iterator[tuple[str, str]]:
    """Walk every route of the API with made-up parameters."""
    for path, methods in admin.get(f"{API}/openapi.json").json()["paths"].items():
        for method in methods:
            yield method.upper(), "backup" + re.sub(r"\{\w+\}", "orders", path)


def test_no_route_answers_somebody_who_is_not_logged_in(
    nobody: httpx.Client, admin: httpx.Client
) -> None:
    found = list(routes(admin))
    assert len(found) >= 9
    for method, path in found:
        for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Cookie": "_token=nonsense"}):
            answer = nobody.request(method, path, headers=headers)
            assert answer.status_code == 401, (method, path, headers)


def test_the_refusal_is_a_problem_document(nobody: httpx.Client) -> None:
    answer = nobody.get(f"{API}/status")
    assert answer.headers["content-type"] == PROBLEM
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["detail"] == "you are not logged in"


@pytest.mark.parametrize("path", UNKNOWN)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_what_does_not_exist_is_closed_too(nobody: httpx.Client, method: str, path: str) -> None:
    expected = {404, 405} if "static" in path else {401}
    assert nobody.request(method, path).status_code in expected


def test_nothing_is_parsed_before_the_login(nobody: httpx.Client) -> None:
    for method, path, _ in (CHANGES | DEFINITIONS).values():
        answer = nobody.request(
            method, path, content="{", headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 401


@pytest.mark.parametrize("change", CHANGES | DEFINITIONS)
def test_a_viewer_changes_nothing(viewer: httpx.Client, change: str) -> None:
    method, path, body = (CHANGES | DEFINITIONS)[change]
    answer = viewer.request(method, path, json=body)
    assert answer.status_code == 403
    assert answer.headers["content-type"] == PROBLEM
    assert answer.json()["detail"] == "your role does not allow this"


def test_a_viewer_may_look_and_is_told_that_this_is_all(viewer: httpx.Client) -> None:
    shown = viewer.get(f"{API}/schedules/orders")
    assert shown.status_code == 200
    assert shown.json()["permissions"] == {
        "toggle": False,
        "run": False,
        "cancel": False,
        "edit": False,
        "reason": "your role may look at backups, but not run or change all of them",
    }


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    ("body", "media", "status"),
    [
        ("{}", "text/plain", 415),
        ("{}", None, 415),
        ("enabled=true", "application/x-www-form-urlencoded", 415),
        ("", "application/json", 422),
        ("{", "application/json", 422),
        ("[]", "application/json", 422),
        ("null", "application/json", 422),
        ('{"surprise": 1}', "application/json", 422),
    ],
)
def test_only_a_json_object_changes_anything(
    admin: httpx.Client, change: str, body: str, media: str | None, status: int
) -> None:
    method, path, _ = CHANGES[change]
    headers = {} if media is None else {"Content-Type": media}
    answer = admin.request(method, path, content=body, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == PROBLEM
    assert answer.json()["hint"]


@pytest.mark.parametrize(("method", "status"), [("GET", 405), ("DELETE", 405)])
def test_another_method_is_refused_in_words(admin: httpx.Client, method: str, status: int) -> None:
    answer = admin.request(
        method, f"{API}/schedules/orders/run", headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == status
    assert answer.headers["content-type"] == PROBLEM


def test_an_unknown_address_is_a_problem_document(admin: httpx.Client) -> None:
    answer = admin.get(f"{API}/nothing/here")
    assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM)


def test_every_change_is_in_the_audit_log_with_its_dag(
    user: httpx.Client, airflow: AirflowHome
) -> None:
    user.post(f"{API}/schedules/stopped/toggle", json={"enabled": False})
    user.post(f"{API}/schedules/stopped/run", json={"note": "audited"})
    with sqlite3.connect(airflow.folder / "airflow.db") as database:
        rows = database.execute(
            "select event, owner, extra from log where dag_id = 'backup__stopped' order by id"
        ).fetchall()
    assert [(event, owner) for event, owner, _ in rows][-2:] == [
        ("backup_toggle", "user"),
        ("backup_run_now", "user"),
    ]
    assert '"enabled": false' in rows[-2][2]
    assert "audited" in rows[-1][2]


def test_the_files_of_the_page_are_for_everybody_and_always_checked_for_news(
    nobody: httpx.Client,
) -> None:
    answer = nobody.get("backup/static/icon.svg")
    if answer.status_code == 404:
        pytest.skip("the page is not built: npm --prefix ui run build")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["content-type"].startswith("image/svg")


def test_airflow_knows_page_tab_and_card(admin: httpx.Client) -> None:
    plugins = admin.get("api/v2/plugins").json()["plugins"]
    ours = next(plugin for plugin in plugins if plugin["name"] == "airflow_backup")
    assert {(app["name"], app["destination"]) for app in ours["react_apps"]} == {
        ("Backups", "nav"),
        ("Backup", "dag"),
        ("Backups overview", "dashboard"),
    }
    assert ours["timetables"] == ["airflow_backup.dags.timetable.BackupTimetable"]
    assert admin.get("api/v2/plugins/importErrors").json()["total_entries"] == 0


def test_the_pool_of_the_backups_is_made(admin: httpx.Client) -> None:
    assert admin.get("api/v2/pools/backup").json()["slots"] == 2
