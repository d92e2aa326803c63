"""Holds, bulk, the switch and the timeline, as the API gives them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from airflow_backup.catalog import Catalog
from support.airflow.home import AirflowHome

pytestmark = pytest.mark.service

API = "backup/api/v1"
ORDERS = f"{API}/schedules/orders"


@pytest.fixture(autouse=True)
def _lift(admin: httpx.Client) -> Iterator[None]:
    """Leave no hold behind."""
    yield
    admin.post(f"{API}/maintenance", json={"enabled": False})
    for name in ("orders", "wiki"):
        for hold in admin.get(f"{API}/schedules/{name}").json()["holds"]:
            admin.request("DELETE", f"{API}/schedules/{name}/holds/{hold['id']}", json={})


def later(**span: float) -> str:
    """Return a moment to come."""
    return (datetime.now(UTC) + timedelta(**span)).isoformat()


def test_a_skipped_run_is_seen_everywhere(user: httpx.Client) -> None:
    user.post(f"{ORDERS}/toggle", json={"enabled": True})
    before = user.get(ORDERS).json()["next_run"]["at"]
    held = user.post(f"{ORDERS}/skip-next", json={"reason": "the shop migrates"})
    assert held.status_code == 201
    assert held.json()["text"] == "skip next, by user: the shop migrates"
    shown = user.get(ORDERS).json()
    assert [hold["kind"] for hold in shown["holds"]] == ["skip_next"]
    assert shown["next_run"]["at"] > before
    first, second = user.get(f"{ORDERS}/next", params={"count": 2}).json()["runs"]
    assert first["skipped"] == "skip next, by user: the shop migrates"
    assert second["skipped"] is None
    lanes = user.get(f"{API}/timeline", params={"hours": 48}).json()["lanes"]
    lane = next(item for item in lanes if item["schedule_id"] == "orders")
    assert lane["runs"][0]["skipped"] is not None
    assert user.post(f"{ORDERS}/skip-next", json={}).status_code == 409


def test_a_pause_replaces_a_pause_and_is_lifted(user: httpx.Client) -> None:
    assert user.post(f"{ORDERS}/pause", json={"until": later(days=2)}).status_code == 201
    second = user.post(f"{ORDERS}/pause", json={"until": later(days=4), "reason": "freeze"}).json()
    shown = user.get(ORDERS).json()
    assert [hold["id"] for hold in shown["holds"]] == [second["id"]]
    assert "by user: freeze" in second["text"]
    gone = user.request("DELETE", f"{ORDERS}/holds/{second['id']}", json={})
    assert gone.json() == {"schedule_id": "orders", "hold_id": second["id"]}
    assert user.get(ORDERS).json()["holds"] == []
    again = user.request("DELETE", f"{ORDERS}/holds/{second['id']}", json={})
    assert again.status_code == 404


def test_in_maintenance_nothing_starts_and_nothing_is_switched_off(
    admin: httpx.Client, user: httpx.Client, viewer: httpx.Client, airflow: AirflowHome
) -> None:
    user.post(f"{ORDERS}/toggle", json={"enabled": True})
    before = user.get(ORDERS).json()
    begun = admin.post(f"{API}/maintenance", json={"enabled": True, "reason": "the vault moves"})
    assert begun.status_code == 200
    told = begun.json()["maintenance"]
    assert (told["author"], told["reason"], told["until"]) == ("admin", "the vault moves", None)
    seen = viewer.get(f"{API}/status").json()
    assert (seen["maintenance"], seen["may_maintain"], seen["next_runs"]) == (told, False, [])
    assert "\nairflow_backup_maintenance 1\n" in admin.get(f"{API}/metrics").text
    shown = user.get(ORDERS).json()
    assert (shown["enabled"], shown["holds"]) == (True, [])
    assert shown["next_run"]["skipped"] == "maintenance, by admin: the vault moves"
    refused = user.post(f"{ORDERS}/run", json={})
    assert refused.status_code == 409
    assert refused.json()["detail"] == "maintenance, by admin: the vault moves"
    many = user.post(f"{API}/schedules/bulk", json={"action": "run", "ids": ["orders", "crm"]})
    assert many.json()["done"] == 0
    with Catalog.open(airflow.catalog_url) as catalog:
        (hold,) = catalog.holds.active("orders", now=datetime.now(UTC))
    gone = user.request("DELETE", f"{ORDERS}/holds/{hold.id}", json={})
    assert gone.status_code == 404, "only who may begin it may end it"

    assert admin.post(f"{API}/maintenance", json={"enabled": False}).json() == {"maintenance": None}
    assert user.get(ORDERS).json()["next_run"] == before["next_run"]
    assert "\nairflow_backup_maintenance 0\n" in admin.get(f"{API}/metrics").text


def test_a_maintenance_ends_by_itself(admin: httpx.Client, user: httpx.Client) -> None:
    user.post(f"{ORDERS}/toggle", json={"enabled": True})
    until = later(days=2)
    admin.post(f"{API}/maintenance", json={"enabled": True, "until": until})
    again = admin.post(f"{API}/maintenance", json={"enabled": True, "until": later(days=3)})
    assert again.json()["maintenance"]["until"] > until, "the second one replaces the first"
    assert user.get(ORDERS).json()["next_run"]["at"] > until
    past = admin.post(f"{API}/maintenance", json={"enabled": True, "until": later(hours=-1)})
    assert past.status_code == 409
    wrong = admin.post(f"{API}/maintenance", json={"enabled": False, "reason": "x"})
    assert wrong.status_code == 422


@pytest.mark.parametrize(
    ("until", "status"),
    [
        pytest.param(later(hours=-1), 409, id="an-hour-ago"),
        ("2030-01-01T00:00:00", 422),
        ("soon", 422),
    ],
)
def test_a_pause_needs_a_moment_to_come(user: httpx.Client, until: str, status: int) -> None:
    assert user.post(f"{ORDERS}/pause", json={"until": until}).status_code == status


def test_many_are_switched_with_a_result_for_each(user: httpx.Client) -> None:
    body: dict[str, Any] = {"action": "skip_next", "ids": ["orders", "wiki", "nowhere"]}
    first = user.post(f"{API}/schedules/bulk", json=body).json()
    assert (first["done"], first["refused"]) == (2, 0)
    again = user.post(f"{API}/schedules/bulk", json=body).json()
    assert (again["done"], again["refused"]) == (0, 2)
    assert again["results"][0]["hint"] == "lift that hold to let it run"


def test_many_are_chosen_by_group_or_tag(user: httpx.Client) -> None:
    body = {"action": "pause", "until": later(hours=1)}
    by_group = user.post(f"{API}/schedules/bulk", json={**body, "group": "databases"}).json()
    assert [item["schedule_id"] for item in by_group["results"]] == ["orders"]
    by_tag = user.post(f"{API}/schedules/bulk", json={**body, "tag": "docs"}).json()
    assert [item["schedule_id"] for item in by_tag["results"]] == ["wiki"]
    both = user.post(f"{API}/schedules/bulk", json={**body, "tag": "docs", "group": "databases"})
    assert both.status_code == 422


def test_a_rejected_schedule_does_not_keep_the_others(user: httpx.Client) -> None:
    body = {"action": "enable", "ids": ["broken", "metrics"]}
    found = user.post(f"{API}/schedules/bulk", json=body).json()
    assert [(item["schedule_id"], item["done"]) for item in found["results"]] == [
        ("broken", False),
        ("metrics", True),
    ]
    user.post(f"{API}/schedules/metrics/toggle", json={"enabled": False})


def test_enabling_forgets_what_was_due_meanwhile(user: httpx.Client, airflow: AirflowHome) -> None:
    name = "backup__metrics"
    with sqlite3.connect(airflow.folder / "airflow.db") as database:
        database.execute(
            "update dag set is_paused = 1, next_dagrun = '2020-01-01 00:00:00', "
            "next_dagrun_create_after = '2020-01-01 00:00:00' where dag_id = ?",
            (name,),
        )
    user.post(f"{API}/schedules/metrics/toggle", json={"enabled": True})
    with sqlite3.connect(airflow.folder / "airflow.db") as database:
        (fire_time,) = database.execute(
            "select next_dagrun_create_after from dag where dag_id = ?", (name,)
        ).fetchone()
    # a slot that began within the last minute is not "the past" to the timetable
    assert datetime.fromisoformat(fire_time).replace(tzinfo=UTC) > datetime.now(UTC) - timedelta(
        minutes=1
    )
    user.post(f"{API}/schedules/metrics/toggle", json={"enabled": False})


def test_a_running_backup_is_told_to_wait_and_to_go_on(
    user: httpx.Client, airflow: AirflowHome
) -> None:
    user.post(f"{API}/schedules/stopped/toggle", json={"enabled": True})
    started = user.post(f"{API}/schedules/stopped/run", json={}).json()
    run = f"{API}/runs/{started['dag_id']}/{started['run_id']}"
    assert user.post(f"{run}/pause", json={}).status_code == 409
    _let_it_run(airflow, started["run_id"])
    assert user.post(f"{run}/pause", json={"reason": "month end"}).json()["paused"] is True
    found = _active(user, started["run_id"])
    assert found["status"] == "paused"
    assert found["reason"].startswith("paused by user: month end, ")
    assert user.post(f"{run}/resume", json={}).json()["paused"] is False
    assert _active(user, started["run_id"])["status"] == "running"
    user.post(f"{run}/cancel", json={"reason": "too slow"})
    history = user.get(f"{API}/schedules/stopped/runs").json()["runs"]
    (cancelled,) = [each for each in history if each["run_id"] == started["run_id"]]
    assert (cancelled["status"], cancelled["reason"]) == (
        "cancelled",
        "cancelled by user: too slow",
    )
    assert user.post(f"{run}/cancel", json={}).status_code == 409
    shown = user.get(run).json()
    assert shown["run"]["status"] == "cancelled"
    told = [(each["action"], each["by"], each["reason"]) for each in shown["orders"]]
    assert told == [
        ("pause", "user", "month end"),
        ("resume", "user", None),
        ("cancel", "user", "too slow"),
    ]
    assert user.get(f"{API}/runs/backup__stopped/none").status_code == 404


def test_all_that_runs_can_be_told_to_wait_at_once(
    user: httpx.Client, viewer: httpx.Client, airflow: AirflowHome
) -> None:
    user.post(f"{API}/schedules/stopped/toggle", json={"enabled": True})
    started = user.post(f"{API}/schedules/stopped/run", json={}).json()
    _let_it_run(airflow, started["run_id"])
    assert viewer.post(f"{API}/runs/active/pause", json={}).status_code == 403
    told = user.post(f"{API}/runs/active/pause", json={"reason": "load"}).json()
    assert {"schedule_id": "stopped", "done": True, "detail": None, "hint": None} in told["results"]
    assert _active(user, started["run_id"])["status"] == "paused"
    again = user.post(f"{API}/runs/active/pause", json={}).json()
    assert "stopped" not in [each["schedule_id"] for each in again["results"]]
    user.post(f"{API}/runs/active/resume", json={})
    assert _active(user, started["run_id"])["status"] == "running"
    user.post(f"{API}/runs/{started['dag_id']}/{started['run_id']}/cancel", json={})


def _active(user: httpx.Client, run_id: str) -> dict[str, Any]:
    found = user.get(f"{API}/runs/active").json()["runs"]
    return next(each for each in found if each["run_id"] == run_id)


def _let_it_run(airflow: AirflowHome, run_id: str) -> None:
    with sqlite3.connect(airflow.folder / "airflow.db") as database:
        database.execute(
            "update dag_run set state = 'running' where run_id = ? and dag_id = 'backup__stopped'",
            (run_id,),
        )
        database.execute(
            "update task_instance set state = 'running' where run_id = ? and task_id = 'backup' "
            "and dag_id = 'backup__stopped'",
            (run_id,),
        )


def test_the_timeline_is_in_order_with_expected_durations(user: httpx.Client) -> None:
    found = user.get(f"{API}/timeline", params={"hours": 48}).json()
    firsts = [lane["runs"][0]["at"] for lane in found["lanes"] if lane["runs"]]
    assert firsts == sorted(firsts)
    assert found["slots"] == 2
    orders = next(lane for lane in found["lanes"] if lane["schedule_id"] == "orders")
    assert (orders["group"], orders["engine"]) == ("databases", "sqlite")
    few = user.get(f"{API}/timeline", params={"hours": 48, "lanes": 1}).json()
    assert (len(few["lanes"]), few["total"]) == (1, found["total"])
    assert orders["expected"] == pytest.approx(41, abs=2)
    assert "broken" not in {lane["schedule_id"] for lane in found["lanes"]}


def test_a_strip_shows_the_worst_of_each_day(user: httpx.Client) -> None:
    found = user.get(
        f"{API}/days", params={"ids": ["orders", "crm", "nowhere"], "count": 10}
    ).json()
    assert len(found["days"]) == 10
    assert set(found["schedules"]["nowhere"]) == {None}
    assert found["schedules"]["orders"].count("completed") == 3
    assert "failed" in found["schedules"]["crm"]
    assert sum(found["runs"]["orders"]) == 3
    assert set(found["stored"]["orders"]) == {None, 1_000_000}


def test_a_trend_has_the_runs_that_are_over_the_oldest_first(user: httpx.Client) -> None:
    points = user.get(f"{API}/schedules/crm/trend", params={"count": 50}).json()["points"]
    assert [point["since"] for point in points] == sorted(point["since"] for point in points)
    assert [each["status"] for each in points[:4]] == ["completed"] * 3 + ["failed"]
    assert [each["bytes_stored"] for each in points[:4]] == [1_000_000] * 3 + [None]
    assert user.get(f"{API}/schedules/crm/trend", params={"count": 201}).status_code == 422
    assert user.get(f"{API}/schedules/nowhere/trend").status_code == 404
