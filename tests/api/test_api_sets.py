"""Sets, recovery chains, retention and verifications, as the API gives them; and who may verify, restore and pin."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_backup.actions.backup.backup import Run, backup
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import from_environment
from airflow_backup.core.words import Kind, VerificationLevel, VerificationOutcome
from airflow_backup.schedules.model.schedule import Schedule
from support.airflow.home import AirflowHome

pytestmark = pytest.mark.service

API = "backup/api/v1"
METRICS = f"{API}/schedules/metrics"
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def sets(airflow: AirflowHome, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Three sets of a schedule that is known, the second a change of the first."""
    folder = tmp_path_factory.mktemp("sets")
    schedule = stored(folder)
    ids: list[str] = []
    with Catalog.open(airflow.catalog_url) as catalog:
        for day, kind in ((3, Kind.FULL), (2, Kind.INCREMENTAL), (1, Kind.FULL)):
            at = NOW - timedelta(days=day)
            (folder / "source" / "a.txt").write_text(f"day {day}")
            result = backup(
                schedule,
                Run(f"api-{day}", at),
                catalog=catalog,
                connections=from_environment,
                clock=lambda at=at: at,  # type: ignore[misc]  # bound now
                kind=kind,
            )
            ids.append(result.set_id)
        yield ids
        catalog.sets.forget(*ids)


def stored(folder: Path) -> Schedule:
    (folder / "source").mkdir()
    return Schedule.model_validate(
        {
            "id": "metrics",
            "source": {"engine": "files", "path": str(folder / "source")},
            "repository": f"file://{folder}/repository",
            "preset": "daily",
        }
    )


def test_sets_are_listed_newest_first(viewer: httpx.Client, sets: list[str]) -> None:
    found = viewer.get(f"{METRICS}/sets", params={"limit": 2}).json()
    assert (found["total"], [each["set_id"] for each in found["sets"]]) == (3, sets[:0:-1])
    assert found["bytes_stored"] > sum(each["bytes_stored"] for each in found["sets"])
    assert {each["unrestorable"] for each in found["sets"]} == {None}
    assert found["spans"] == []


def test_the_list_says_what_may_be_done_with_its_sets(
    clients: dict[str, httpx.Client], sets: list[str]
) -> None:
    def may(role: str) -> set[str]:
        found = clients[role].get(f"{METRICS}/sets").json()["permissions"]
        return {name for name, allowed in found.items() if allowed}

    every = {"verify", "pin", "lock", "restore"}
    assert (may("viewer"), may("user"), may("op"), may("admin")) == (
        set(),
        {"verify"},
        every,
        every,
    )


def test_what_is_on_top_of_a_damaged_set_says_why_it_cannot_be_restored(
    viewer: httpx.Client, sets: list[str], airflow: AirflowHome
) -> None:
    with Catalog.open(airflow.catalog_url) as catalog:
        catalog.sets.mark(sets[0], "quarantined")
        listed = viewer.get(f"{METRICS}/sets").json()["sets"]
        one = viewer.get(f"{API}/sets/{sets[1]}").json()
        catalog.sets.mark(sets[0], "good")
    why = {each["set_id"]: each["unrestorable"] for each in listed}
    assert why == {
        sets[0]: "it is quarantined",
        sets[1]: f"'{sets[0]}' is quarantined",
        sets[2]: None,
    }
    assert one["unrestorable"] == why[sets[1]]
    assert [each["unrestorable"] for each in one["chain"]] == [why[each] for each in sets[:2]]


def test_one_set_tells_its_chain_and_its_proofs(
    viewer: httpx.Client, sets: list[str], airflow: AirflowHome
) -> None:
    damage = {"kind": "corrupt", "file": "x", "offset": 7, "length": 3}
    with Catalog.open(airflow.catalog_url) as catalog:
        for outcome in (VerificationOutcome.FAILED, VerificationOutcome.PASSED):
            catalog.verifications.record(
                sets[1],
                "metrics",
                level=VerificationLevel.FULL,
                outcome=outcome,
                started_at=NOW,
                finished_at=NOW,
                bytes_read=10,
                details={"damages": [damage]} if outcome is VerificationOutcome.FAILED else {},
            )
    found = viewer.get(f"{API}/sets/{sets[1]}").json()
    assert [each["set_id"] for each in found["chain"]] == sets[:2]
    assert (found["state"], found["verified_outcome"]) == ("good", "passed")
    assert [each["damages"] for each in found["verifications"]] == [[], [damage]]
    assert {each["stream"] for each in found["pieces"]} >= {"files.tar", "index"}
    assert viewer.get(f"{API}/sets/20200101T000000Z-0123456789").status_code == 404


def test_a_moment_has_a_path_or_a_reason(viewer: httpx.Client, sets: list[str]) -> None:
    at = (NOW - timedelta(days=1, hours=12)).isoformat()
    found = viewer.get(f"{METRICS}/recovery-path", params={"at": at}).json()
    assert [each["set_id"] for each in found["sets"]] == sets[:2]
    assert found["bytes_to_read"] == sum(each["bytes_stored"] for each in found["sets"])
    assert found["command"].startswith("airflow-backup restore metrics --at ")
    assert found["takes_paths"] is True
    early = viewer.get(f"{METRICS}/recovery-path", params={"at": "2020-01-01T00:00:00Z"}).json()
    assert (early["sets"], early["consistent_at"]) == ([], None)
    assert early["gaps"] == ["there is no set of that moment or before"]
    assert datetime.fromisoformat(early["earliest"]) == NOW - timedelta(days=3)
    assert viewer.get(f"{METRICS}/recovery-path", params={"at": "noon"}).status_code == 422


def test_other_rules_can_be_tried_and_nothing_goes(viewer: httpx.Client, sets: list[str]) -> None:
    own = viewer.get(f"{METRICS}/retention").json()
    assert (own["policy"], own["tried"], own["removed"]) == (None, False, 0)
    rules = json.dumps({"last": 1})
    tried = viewer.get(f"{METRICS}/retention", params={"policy": rules}).json()
    gone = {each["set_id"] for each in tried["sets"] if not each["kept"]}
    assert (tried["tried"], tried["removed"]) == (True, len(gone))
    assert sets[2] not in gone
    assert tried["bytes_removed"] + tried["bytes_kept"] == own["bytes_kept"]
    wrong = viewer.get(f"{METRICS}/retention", params={"policy": '{"lust": 1}'})
    assert wrong.status_code == 422
    assert wrong.json()["detail"].startswith("policy.lust: Extra inputs")


def test_a_report_says_what_is_proven(viewer: httpx.Client, sets: list[str]) -> None:
    found = viewer.get(f"{API}/reports/summary").json()
    metrics = next(each for each in found["reports"] if each["schedule_id"] == "metrics")
    assert (metrics["sets"], metrics["last_good_set"]) == (3, sets[2])
    assert "not protected" in found["sentence"]


def test_a_user_may_verify_and_neither_restore_nor_pin(
    user: httpx.Client, viewer: httpx.Client, sets: list[str]
) -> None:
    path = f"{API}/sets/{sets[0]}"
    started = user.post(f"{path}/verify", json={"level": "standard"})
    assert (started.status_code, started.json()["dag_id"]) == (202, "backup_verify__nas")
    assert viewer.post(f"{path}/verify", json={}).status_code == 403
    body = {"target": "copy", "confirm": "metrics"}
    assert user.post(f"{path}/restore", json=body).status_code == 403
    assert user.post(f"{path}/pin", json={"pinned": True}).status_code == 403


def test_a_restore_wants_to_be_confirmed(
    admin: httpx.Client, sets: list[str], airflow: AirflowHome
) -> None:
    path = f"{API}/sets/{sets[0]}/restore"
    refused = admin.post(path, json={"target": "copy", "confirm": "metric"})
    assert refused.status_code == 409
    assert refused.json()["hint"] == "type the schedule's id, 'metrics', as `confirm`"
    started = admin.post(path, json={"target": "copy", "confirm": "metrics"})
    assert started.status_code == 202
    run = admin.get(f"api/v2/dags/backup_restore__nas/dagRuns/{started.json()['run_id']}").json()
    assert (run["conf"], run["note"]) == ({}, f"restore {sets[0]} of metrics")
    at = NOW.isoformat()
    meant = admin.post(path, json={"target": "copy", "confirm": "metrics", "at": at}).json()
    with Catalog.open(airflow.catalog_url) as catalog:
        tickets = [
            catalog.tickets.use(one["run_id"], "restore", at=datetime.now(UTC))
            for one in (started.json(), meant)
        ]
    assert [(each.schedule_id, each.person) for each in tickets] == [("metrics", "admin")] * 2
    assert [each.request for each in tickets] == [
        {"set_id": sets[0], "at": None, "target": "copy", "paths": []},
        {"set_id": None, "at": at, "target": "copy", "paths": []},
    ]
    with Catalog.open(airflow.catalog_url) as catalog:
        catalog.sets.mark(sets[0], "quarantined")
        held = admin.post(path, json={"target": "copy", "confirm": "metrics"})
        catalog.sets.mark(sets[0], "good")
    assert (held.status_code, held.json()["detail"]) == (
        409,
        f"set '{sets[0]}' failed its verification",
    )


def test_a_restore_is_followed_until_it_is_over(
    admin: httpx.Client, viewer: httpx.Client, sets: list[str], airflow: AirflowHome
) -> None:
    body = {"target": "copy", "confirm": "metrics", "paths": ["a.txt"]}
    run_id = admin.post(f"{API}/sets/{sets[0]}/restore", json=body).json()["run_id"]

    def told() -> dict[str, Any]:
        runs = admin.get(f"{METRICS}/requests").json()["runs"]
        return next(each for each in runs if each["run_id"] == run_id)

    pending = told()
    assert (pending["verb"], pending["person"], pending["paths"]) == ("restore", "admin", ["a.txt"])
    assert (pending["status"], pending["reason"]) == ("pending", "waits for a free place")
    begin_run(airflow, run_id, "restore")
    keep(airflow, run_id, "progress", {"stage": "restoring", "percent": 12.5})
    running = told()
    assert (running["status"], running["progress"]["percent"]) == ("running", 12.5)
    keep(
        airflow,
        run_id,
        "outcome",
        {"error": "cannot reach sftp://me:pw@vault", "hint": "is it up?"},
    )
    end_run(airflow, run_id, "failed")
    failed = told()
    assert (failed["status"], failed["progress"]) == ("failed", None)
    assert (failed["error"], failed["hint"]) == ("cannot reach sftp://me:***@vault", "is it up?")
    assert seen_by(viewer, run_id) | {"hint": None} == failed | {
        "target": None,
        "paths": [],
        "error": "the restore failed",
        "hint": None,
    }
    keep(airflow, run_id, "outcome", {"result": RESTORED})
    end_run(airflow, run_id, "success")
    done = told()
    seen = seen_by(viewer, run_id)["result"]
    assert (seen["files"], seen["target"], seen["warnings"]) == (2, None, [])
    assert (done["status"], done["error"]) == ("completed", None)
    assert (done["result"]["files"], done["result"]["host"]) == (2, "nas1")
    keep(airflow, run_id, "outcome", {"result": {"of": "another release"}})
    assert told()["result"] is None


def seen_by(client: httpx.Client, run_id: str) -> dict[str, Any]:
    """Return what somebody sees of a restore; names of files are for those who may restore."""
    runs = client.get(f"{METRICS}/requests").json()["runs"]
    return dict(next(each for each in runs if each["run_id"] == run_id))


def test_what_was_asked_for_is_told_to_those_only_who_see_the_schedule(
    clients: dict[str, httpx.Client],
) -> None:
    assert clients["nobody"].get(f"{METRICS}/requests").status_code == 401
    assert clients["admin"].get(f"{API}/schedules/none/requests").status_code == 404
    assert clients["admin"].get(f"{METRICS}/requests", params={"limit": 51}).status_code == 422


RESTORED = {
    "schedule_id": "metrics",
    "target": "/srv/copy",
    "host": "nas1",
    "consistent_at": NOW.isoformat(),
    "files": 2,
    "bytes_written": 10,
    "seconds": 1.5,
}


def begin_run(airflow: AirflowHome, run_id: str, task: str) -> None:
    """Let a run look as if it had begun: there is no scheduler."""
    with closing(sqlite3.connect(airflow.folder / "airflow.db", timeout=30)) as database, database:
        database.execute("update dag_run set state = 'running' where run_id = ?", (run_id,))
        database.execute(
            "update task_instance set state = 'running' where run_id = ? and task_id = ?",
            (run_id, task),
        )


def end_run(airflow: AirflowHome, run_id: str, state: str) -> None:
    with closing(sqlite3.connect(airflow.folder / "airflow.db", timeout=30)) as database, database:
        database.execute("update dag_run set state = ? where run_id = ?", (state, run_id))


def keep(airflow: AirflowHome, run_id: str, key: str, value: dict[str, Any]) -> None:
    """Keep something as the task of a restore does."""
    with closing(sqlite3.connect(airflow.folder / "airflow.db", timeout=30)) as database, database:
        number, dag = database.execute(
            "select id, dag_id from dag_run where run_id = ?", (run_id,)
        ).fetchone()
        database.execute("delete from task_state_store where run_id = ? and key = ?", (run_id, key))
        database.execute(
            "insert into task_state_store (dag_run_id, task_id, map_index, key, dag_id, run_id, value, updated_at)"
            " values (?, 'restore', -1, ?, ?, ?, ?, '2026-01-01 00:00:00')",
            (number, key, dag, run_id, json.dumps(value)),
        )


def test_a_pin_holds_and_a_lock_is_never_made_shorter(admin: httpx.Client, sets: list[str]) -> None:
    path = f"{API}/sets/{sets[0]}/pin"
    assert admin.post(path, json={"pinned": True}).json()["pinned"] is True
    rules = json.dumps({"last": 1})
    view = admin.get(f"{METRICS}/retention", params={"policy": rules}).json()
    verdict = next(each for each in view["sets"] if each["set_id"] == sets[0])
    assert (verdict["kept"], verdict["reasons"][0]) == (True, "pinned")
    assert admin.post(path, json={"pinned": False}).json()["pinned"] is False
    lock = {"lock_until": (NOW + timedelta(days=2)).isoformat(), "confirm": "metrics"}
    unconfirmed = admin.post(path, json={"lock_until": lock["lock_until"]})
    assert (unconfirmed.status_code, unconfirmed.json()["hint"]) == (
        409,
        "type the schedule's id, 'metrics', as `confirm`",
    )
    absurd = lock | {"lock_until": (NOW + timedelta(days=31 * 366)).isoformat()}
    assert admin.post(path, json=absurd).status_code == 409
    assert admin.post(path, json=lock).status_code == 200
    shorter = lock | {"lock_until": (NOW + timedelta(days=1)).isoformat()}
    assert admin.post(path, json=shorter).status_code == 409
    assert admin.post(path, json={}).status_code == 422


def test_a_restore_goes_to_the_workers_that_a_person_chooses(
    admin: httpx.Client, sets: list[str], airflow: AirflowHome
) -> None:
    places = admin.get(f"{API}/places").json()["places"]
    assert {each["id"]: each["queue"] for each in places} == {
        "backup_restore": None,
        "backup_restore__nas": "nas",
    }
    listed = admin.get(f"{API}/schedules").json()["schedules"]
    running = [each for each in listed if each["state"] != "rejected"]
    assert len(running) < len(listed)
    assert sum(each["schedules"] for each in places) == len(running)
    body = {"target": "copy", "confirm": "metrics", "place": "backup_restore"}
    started = admin.post(f"{API}/sets/{sets[0]}/restore", json=body).json()
    assert started["dag_id"] == "backup_restore"
    with Catalog.open(airflow.catalog_url) as catalog:
        assert catalog.tickets.asked(started["run_id"], "restore") == (
            "metrics",
            {
                "set_id": sets[0],
                "at": None,
                "target": "copy",
                "paths": [],
                "place": "backup_restore",
            },
        )


@pytest.mark.parametrize("dag", ["backup__metrics", "backup_restore__elsewhere", "backup_verify"])
def test_a_restore_starts_no_other_dag(admin: httpx.Client, sets: list[str], dag: str) -> None:
    body = {"target": "copy", "confirm": "metrics", "place": dag}
    refused = admin.post(f"{API}/sets/{sets[0]}/restore", json=body)
    assert refused.status_code == 409, refused.text
    assert dag in refused.json()["detail"]
