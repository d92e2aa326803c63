"""What the API says about schedules, and what it does to them."""

from __future__ import annotations

import csv
import io
import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from airflow_backup.catalog import Catalog
from support.airflow.home import AirflowHome

pytestmark = pytest.mark.service

API = "backup/api/v1"
ALL = ["broken", "crm", "metrics", "orders", "raced", "stopped", "wiki"]

FILTERS = {
    "part of the id": ("q=ord", ["orders"]),
    "part of the description, any case": ("q=SHOP", ["orders"]),
    "two words": ("q=shop+databases", ["orders"]),
    "a group": ("group=databases", ["orders"]),
    "a tag": ("tag=docs", ["wiki"]),
    "an engine": ("source=sqlite", ["crm", "orders"]),
    "rejected ones": ("state=rejected", ["broken"]),
    "what needs attention, the worst first": (
        "state=attention&sort=protection",
        ["broken", "wiki", "crm"],
    ),
    "disabled ones": ("state=disabled&q=metrics", ["metrics"]),
    "nothing": ("q=nothing", []),
    "the schedules of a group together": (
        "by_group=true&sort=-id",
        ["orders", "wiki", "stopped", "raced", "metrics", "crm", "broken"],
    ),
    "backwards": ("sort=-id&limit=2", ["wiki", "stopped"]),
    "the second page": ("limit=2&offset=2", ["metrics", "orders"]),
}


def ids(answer: httpx.Response) -> list[str]:
    """Name the schedules of a list."""
    return [schedule["id"] for schedule in answer.json()["schedules"]]


def paused(airflow: AirflowHome, schedule_id: str) -> bool:
    """Look into Airflow's own database."""
    with sqlite3.connect(airflow.folder / "airflow.db") as database:
        row = database.execute(
            "select is_paused from dag where dag_id = ?", [f"backup__{schedule_id}"]
        ).fetchone()
    return bool(row[0])


def show(client: httpx.Client, schedule_id: str) -> dict[str, Any]:
    """Get one schedule."""
    answer = client.get(f"{API}/schedules/{schedule_id}")
    assert answer.status_code == 200
    return dict(answer.json())


def test_all_schedules_are_listed_the_broken_one_too(admin: httpx.Client) -> None:
    answer = admin.get(f"{API}/schedules")
    assert ids(answer) == ALL
    assert answer.json()["total"] == len(ALL)
    assert answer.json()["groups"] == ["databases"]
    assert answer.json()["tags"] == ["docs", "prod"]
    assert answer.json()["engines"] == ["files", "sqlite"]
    assert answer.json()["group_sizes"] == {"databases": 1}


def test_all_that_match_are_named_however_many_a_page_shows(admin: httpx.Client) -> None:
    answer = admin.get(f"{API}/schedule-ids?source=files&sort=-id").json()
    assert answer["ids"] == ["wiki", "stopped", "raced", "metrics"]
    assert answer["total"] == 4
    assert admin.get(f"{API}/schedule-ids?limit=1").status_code == 422


@pytest.mark.parametrize(("query", "expected"), FILTERS.values(), ids=FILTERS)
def test_the_list_is_filtered_by(admin: httpx.Client, query: str, expected: list[str]) -> None:
    assert ids(admin.get(f"{API}/schedules?{query}")) == expected


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "offset=-1", "sort=colour", "state=fine", "unknown=1"]
)
def test_a_wrong_query_is_named(admin: httpx.Client, query: str) -> None:
    answer = admin.get(f"{API}/schedules?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == query.split("=")[0]
    assert "Traceback" not in answer.text


def test_a_broken_schedule_shows_its_problem_with_its_place(admin: httpx.Client) -> None:
    broken = show(admin, "broken")
    assert (broken["state"], broken["protection"]["state"], broken["enabled"]) == (
        "rejected",
        "broken",
        None,
    )
    (problem,) = broken["problems"]
    assert (problem["file"], problem["line"]) == ("schedules.yaml", 13)
    assert problem["message"].startswith("cron '0 2 30 2 *' never fires")


def test_a_schedule_shows_how_it_is_and_when_it_runs_next(admin: httpx.Client) -> None:
    orders = show(admin, "orders")
    assert orders["protection"]["state"] == "good"
    assert orders["rhythms"] == [{"kind": "full", "when": "0 2 * * *", "text": "At 02:00"}]
    assert orders["last_good"]["bytes_stored"] == 1_000_000
    assert orders["next_run"]["skipped"] is None
    assert orders["timezone"] == "Europe/Berlin"


def test_a_failure_says_why_and_what_to_try(admin: httpx.Client) -> None:
    crm = show(admin, "crm")
    shown = crm["protection"]
    assert (shown["state"], shown["needs_attention"], shown["failures_in_row"]) == ("good", True, 1)
    assert shown["reason"].endswith("the last run failed: no room left in sftp://vault/srv")
    assert shown["hint"] == "is the disk full?"
    assert crm["last_good"]["status"] == "completed"


def test_a_good_backup_that_is_too_old_is_late(admin: httpx.Client) -> None:
    wiki = show(admin, "wiki")
    assert wiki["protection"]["state"] == "late"
    assert re.fullmatch(  # an hour may pass while others run
        r"the newest good set is [5-7] hours old; the limit is 2 hours",
        wiki["protection"]["reason"],
    )


def test_the_definition_is_shown_as_it_is_in_effect(admin: httpx.Client) -> None:
    answer = admin.get(f"{API}/schedules/orders")
    assert answer.json()["repository"] == "sftp://vault/srv"


@pytest.mark.parametrize("schedule_id", ["none", "..%2F..%2Fetc", "x" * 64, "Größe"])
def test_a_schedule_that_is_not_there_is_not_found(admin: httpx.Client, schedule_id: str) -> None:
    for answer in (
        admin.get(f"{API}/schedules/{schedule_id}"),
        admin.get(f"{API}/schedules/{schedule_id}/runs"),
        admin.post(f"{API}/schedules/{schedule_id}/run", json={}),
    ):
        assert answer.status_code in (404, 422)
        assert answer.headers["content-type"] == "application/problem+json"


def test_coming_runs_are_previewed_also_for_a_disabled_schedule(admin: httpx.Client) -> None:
    answer = admin.get(f"{API}/schedules/metrics/next?count=3").json()
    assert answer["timezone"] == "Europe/Berlin"
    assert [run["at"][14:16] for run in answer["runs"]] == ["00", "00", "00"]
    assert admin.get(f"{API}/schedules/metrics/next?count=201").status_code == 422


def test_a_hold_shows_in_the_preview(admin: httpx.Client, airflow: AirflowHome) -> None:
    with Catalog.open(airflow.catalog_url) as catalog:
        catalog.holds.add("raced", "skip_next", by="ann", at=datetime.now(UTC), reason="migration")
    first, second = admin.get(f"{API}/schedules/raced/next?count=2").json()["runs"]
    assert (first["skipped"], second["skipped"]) == ("skip next, by ann: migration", None)


def test_the_switch_is_airflows_own_pause(user: httpx.Client, airflow: AirflowHome) -> None:
    assert not paused(airflow, "wiki")
    answer = user.post(f"{API}/schedules/wiki/toggle", json={"enabled": False})
    assert answer.json() == {"schedule_id": "wiki", "enabled": False}
    assert paused(airflow, "wiki")
    assert show(user, "wiki")["enabled"] is False
    assert show(user, "wiki")["next_run"] is None
    user.post(f"{API}/schedules/wiki/toggle", json={"enabled": True})
    assert not paused(airflow, "wiki")


def test_a_broken_schedule_cannot_be_switched_or_run(admin: httpx.Client) -> None:
    for answer in (
        admin.post(f"{API}/schedules/broken/toggle", json={"enabled": True}),
        admin.post(f"{API}/schedules/broken/run", json={}),
    ):
        assert answer.status_code == 409
        assert answer.json()["hint"]


def test_run_now_on_a_disabled_schedule_is_refused_with_a_hint(admin: httpx.Client) -> None:
    answer = admin.post(f"{API}/schedules/metrics/run", json={})
    assert answer.status_code == 409
    assert "disabled" in answer.json()["detail"]
    assert answer.json()["hint"] == "enable the schedule first"


def test_run_now_queues_one_run_and_refuses_a_second(user: httpx.Client) -> None:
    answer = user.post(
        f"{API}/schedules/crm/run", json={"kind": "full", "note": "before the upgrade"}
    )
    assert answer.status_code == 202
    started = answer.json()
    assert started["dag_id"] == "backup__crm"

    again = user.post(f"{API}/schedules/crm/run", json={})
    assert again.status_code == 409
    assert "already queued" in again.json()["detail"]

    (newest, *_) = user.get(f"{API}/schedules/crm/runs").json()["runs"]
    assert newest["run_id"] == started["run_id"]
    assert (newest["status"], newest["trigger"], newest["kind"]) == ("pending", "manual", "full")
    assert (newest["user"], newest["note"]) == ("user", "before the upgrade")
    assert show(user, "crm")["active_run"]["run_id"] == started["run_id"]
    assert show(user, "crm")["protection"]["needs_attention"] is True
    active = user.get(f"{API}/runs/active").json()["runs"]
    assert started["run_id"] in [run["run_id"] for run in active]

    cancelled = user.post(f"{API}/runs/backup__crm/{started['run_id']}/cancel", json={})
    assert cancelled.status_code == 202
    (newest, *_) = user.get(f"{API}/schedules/crm/runs").json()["runs"]
    assert (newest["status"], newest["reason"]) == ("cancelled", "cancelled by user")
    over = user.post(f"{API}/runs/backup__crm/{started['run_id']}/cancel", json={})
    assert over.status_code == 409


@pytest.mark.usefixtures("raced_is_idle")
def test_of_ten_requests_at_once_one_starts_a_run(admin: httpx.Client) -> None:
    def start(_: int) -> int:
        return admin.post(f"{API}/schedules/raced/run", json={}).status_code

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(start, range(10)))
    assert sorted(answers) == [202] + [409] * 9


@pytest.mark.usefixtures("raced_is_idle")
def test_a_request_that_is_repeated_starts_one_run(user: httpx.Client, admin: httpx.Client) -> None:
    body, key = {"note": "nightly, by the deploy job"}, {"Idempotency-Key": "deploy-4711"}

    def start(_: int) -> httpx.Response:
        return user.post(f"{API}/schedules/raced/run", json=body, headers=key)

    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(start, range(5)))
    assert {answer.status_code for answer in answers} == {202}
    (run_id,) = {answer.json()["run_id"] for answer in answers}

    other = user.post(f"{API}/schedules/raced/run", json={"kind": "full"}, headers=key)
    assert other.status_code == 409
    assert "this key was used for another request" in other.json()["detail"]
    another = admin.post(f"{API}/schedules/raced/run", json=body, headers=key)
    assert "already queued" in another.json()["detail"], "a key is one person's"

    user.post(f"{API}/runs/backup__raced/{run_id}/cancel", json={})
    assert start(0).json()["run_id"] == run_id, "also when it is over"
    too_long = user.post(
        f"{API}/schedules/raced/run", json=body, headers={"Idempotency-Key": "x" * 256}
    )
    assert too_long.status_code == 422


@pytest.mark.parametrize("dag", ["etl", "backup__none", "backup__"])
def test_only_our_runs_can_be_cancelled(admin: httpx.Client, dag: str) -> None:
    assert admin.post(f"{API}/runs/{dag}/manual__1/cancel", json={}).status_code == 404


def test_history_comes_in_pages_without_gap_or_repeat(admin: httpx.Client) -> None:
    seen: list[str] = []
    before: str | None = None
    while True:
        query = {"limit": 2} | ({} if before is None else {"before": before})
        page = admin.get(f"{API}/schedules/orders/runs", params=query).json()
        seen += [run["run_id"] for run in page["runs"]]
        before = page["next_before"]
        if before is None:
            break
    assert len(seen) == len(set(seen)) == 3
    assert seen == sorted(seen, reverse=True)


def test_the_history_of_all_schedules_is_read_page_by_page(admin: httpx.Client) -> None:
    seen: list[tuple[str, str, str]] = []
    cursor: str | None = None
    while True:
        query: dict[str, Any] = {"limit": 2, "status": ["completed", "failed"]}
        page = admin.get(
            f"{API}/runs", params=query | ({"cursor": cursor} if cursor else {})
        ).json()
        seen += [(run["since"], run["schedule_id"], run["run_id"]) for run in page["runs"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) >= 8
    assert seen == sorted(seen, reverse=True)
    assert {name for _, name, _ in seen} >= {"orders", "crm", "wiki"}
    wrong = admin.get(f"{API}/runs", params={"cursor": "x"})
    assert wrong.status_code == 422
    assert "this is no cursor; send the `next_cursor` of an answer" in wrong.text


def test_the_history_is_exported_as_a_table(admin: httpx.Client) -> None:
    answer = admin.get(f"{API}/runs/csv", params={"schedule": "crm", "status": "failed"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["x-more"] == "false"
    (line,) = csv.DictReader(io.StringIO(answer.text))
    assert (line["schedule_id"], line["failure_class"]) == ("crm", "space")
    assert line["error"] == "no room left in sftp://vault/srv"


def test_history_tells_what_the_catalog_remembers(admin: httpx.Client) -> None:
    (newest, *_) = admin.get(f"{API}/schedules/orders/runs").json()["runs"]
    assert newest["status"] == "completed"
    assert newest["duration"] == 41.0
    assert newest["attempts"] == 1
    assert newest["set_id"].endswith("-0123456789")


def test_status_counts_what_needs_attention(admin: httpx.Client) -> None:
    status = admin.get(f"{API}/status").json()
    assert status["total"] == len(ALL)
    assert status["protection"]["broken"] == 1
    assert status["protection"]["late"] == 1
    assert sum(status["protection"].values()) == len(ALL)
    assert status["troubled"] == 3
    assert len(status["next_runs"]) == 3
    assert status["oldest_good"]["schedule_id"] == "wiki"
    assert [problem["schedule_id"] for problem in status["load_problems"]] == ["broken"]


def test_status_says_that_nothing_can_start_without_a_scheduler(admin: httpx.Client) -> None:
    status = admin.get(f"{API}/status").json()
    assert status["healthy"] is False
    scheduler = next(part for part in status["components"] if part["name"] == "scheduler")
    assert (scheduler["healthy"], bool(scheduler["hint"])) == (False, True)
