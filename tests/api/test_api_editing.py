"""Schedules that are made through the API: created, changed, cloned, deleted, each edit a version."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from itertools import count
from typing import Any

import httpx
import pytest

from support.airflow.home import AirflowHome

pytestmark = pytest.mark.service

API = "backup/api/v1"
SCHEDULES = f"{API}/schedules"
_numbers = count()


@pytest.fixture
def op(clients: dict[str, httpx.Client]) -> httpx.Client:
    """May create connections, and so schedules."""
    return clients["op"]


@pytest.fixture
def name(op: httpx.Client) -> Iterator[str]:
    """An id that no other test uses; what is made under it is deleted in the end."""
    begin = f"made-{next(_numbers)}"
    yield begin
    for found in op.get(SCHEDULES, params={"q": begin}).json()["schedules"]:
        op.request(
            "DELETE", f"{SCHEDULES}/{found['id']}", json={}, headers={"If-Match": "*"}
        ).raise_for_status()


def definition(name: str, **keys: Any) -> dict[str, Any]:
    """Return a definition that is right."""
    return {
        "id": name,
        "source": {"engine": "files", "path": "/srv/made"},
        "repository": "sftp://vault/srv",
        "cron": "0 3 * * *",
    } | keys


def create(client: httpx.Client, name: str, **keys: Any) -> httpx.Response:
    """Create a schedule and return the answer."""
    answer = client.post(SCHEDULES, json=definition(name, **keys))
    assert answer.status_code == 201, answer.text
    return answer


def test_what_was_created_is_listed_at_once_though_it_has_no_dag_yet(
    op: httpx.Client, name: str
) -> None:
    answer = create(op, name, description="Made here")
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["location"].endswith(f"/schedules/{name}")
    listed = op.get(SCHEDULES, params={"q": name}).json()["schedules"]
    assert [(item["id"], item["state"], item["enabled"]) for item in listed] == [
        (name, "pending", None)
    ]
    assert listed[0]["origin"] == "catalog"
    assert listed[0]["made"]["author"] == "op"
    assert listed[0]["made"]["version"] == 1
    assert op.get(f"{SCHEDULES}/{name}").headers["etag"] == '"1"'
    assert op.get(f"{SCHEDULES}/{name}/next").json()["runs"]


def test_the_dag_processor_is_asked_to_look_at_the_file_first(
    op: httpx.Client, name: str, airflow: AirflowHome
) -> None:
    create(op, name)
    create(op, f"{name}-b")
    with sqlite3.connect(airflow.folder / "airflow.db") as database:
        asked = database.execute(
            "select bundle_name, relative_fileloc from dag_priority_parsing_request"
        ).fetchall()
    assert asked == [("dags-folder", "backup_dags.py")]


def test_every_problem_comes_back_with_its_key(op: httpx.Client) -> None:
    wrong = {"id": "Not A Name", "source": {"engine": "files"}, "crn": "* * * * *"}
    answer = op.post(SCHEDULES, json=wrong)
    assert answer.status_code == 422
    found = {item["field"]: item for item in answer.json()["errors"]}
    assert found["crn"]["hint"] == "did you mean `cron`?"
    assert found["source"]["message"] == "write either `path` or `paths`"
    assert {"id", "repository"} <= set(found)


@pytest.mark.parametrize("change", [{"after": ["nowhere"]}, {"cron": "0 2 30 2 *"}])
def test_what_a_file_may_not_say_may_not_be_made_either(
    op: httpx.Client, name: str, change: dict[str, Any]
) -> None:
    assert op.post(SCHEDULES, json=definition(name, **change)).status_code == 422


def test_an_id_of_a_file_is_taken(op: httpx.Client) -> None:
    answer = op.post(SCHEDULES, json=definition("orders"))
    assert answer.status_code == 409
    assert "schedules.yaml:6" in answer.json()["detail"]


def test_an_id_is_taken_once(op: httpx.Client, name: str) -> None:
    create(op, name)
    assert op.post(SCHEDULES, json=definition(name)).status_code == 409


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_schedule_of_a_file_is_changed_in_its_file(op: httpx.Client, method: str) -> None:
    answer = op.request(method, f"{SCHEDULES}/orders", json={}, headers={"If-Match": '"1"'})
    assert answer.status_code == 409
    assert "schedules.yaml:6" in answer.json()["hint"]


def test_a_user_who_may_run_may_not_edit(user: httpx.Client, op: httpx.Client, name: str) -> None:
    create(op, name)
    assert user.post(SCHEDULES, json=definition(f"{name}-b")).status_code == 403
    for method in ("PUT", "PATCH", "DELETE"):
        assert user.request(method, f"{SCHEDULES}/{name}", json={}).status_code == 403
    assert user.post(f"{SCHEDULES}/{name}/clone", json={"id": f"{name}-c"}).status_code == 403
    assert user.get(SCHEDULES).json()["may_create"] is False
    assert op.get(SCHEDULES).json()["may_create"] is True


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_change_says_which_version_it_is_meant_for(
    op: httpx.Client, name: str, method: str
) -> None:
    create(op, name)
    assert op.request(method, f"{SCHEDULES}/{name}", json={}).status_code == 428
    for wrong in ('"2"', '"0"', "1", 'W/"7", "9"', "nonsense"):
        answer = op.request(method, f"{SCHEDULES}/{name}", json={}, headers={"If-Match": wrong})
        assert answer.status_code == 412, wrong
        assert answer.json()["hint"] == "somebody changed it meanwhile; load it again"


def test_a_patch_joins_mappings_and_removes_what_is_null(op: httpx.Client, name: str) -> None:
    create(op, name, description="old", retry={"max_retries": 5, "delay": "10s"})
    patch = {"description": None, "retry": {"delay": "20s"}, "tags": ["new"]}
    answer = op.patch(f"{SCHEDULES}/{name}", json=patch, headers={"If-Match": '"1"'})
    assert answer.status_code == 200, answer.text
    assert answer.headers["etag"] == '"2"'
    found = answer.json()["definition"]
    assert "description" not in found
    assert found["retry"] == {"max_retries": 5, "delay": "20s"}
    assert found["tags"] == ["new"]


def test_an_edit_that_is_wrong_changes_nothing(op: httpx.Client, name: str) -> None:
    create(op, name)
    answer = op.patch(f"{SCHEDULES}/{name}", json={"cron": "x"}, headers={"If-Match": '"1"'})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "cron"
    assert op.get(f"{SCHEDULES}/{name}").headers["etag"] == '"1"'


def test_a_password_in_an_address_is_refused_and_shown_to_nobody(
    op: httpx.Client, name: str
) -> None:
    body = definition(name, repository="sftp://backup:s3cret@vault/srv")
    answer = op.post(SCHEDULES, json=body)
    assert answer.status_code == 422
    assert "credentials belong into `connection`" in answer.text
    assert "s3cret" not in answer.text
    assert op.get(f"{SCHEDULES}/{name}").status_code == 404


def test_the_id_stays(op: httpx.Client, name: str) -> None:
    create(op, name)
    body = definition(f"{name}-other")
    answer = op.put(f"{SCHEDULES}/{name}", json=body, headers={"If-Match": '"1"'})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "id"


def test_versions_tell_who_changed_what(op: httpx.Client, admin: httpx.Client, name: str) -> None:
    create(op, name)
    body = definition(name, cron="30 4 * * *", tags=["prod"])
    assert admin.put(f"{SCHEDULES}/{name}", json=body, headers={"If-Match": "*"}).status_code == 200
    newest, first = op.get(f"{SCHEDULES}/{name}/versions").json()["versions"]
    assert (newest["version"], newest["author"]) == (2, "admin")
    assert newest["changes"] == [
        {"key": "cron", "before": "0 3 * * *", "after": "30 4 * * *"},
        {"key": "tags", "before": None, "after": ["prod"]},
    ]
    assert (first["version"], first["author"]) == (1, "op")
    assert {change["key"] for change in first["changes"]} >= {"id", "source", "cron"}
    assert "s3cret" not in json.dumps(first)
    assert op.get(f"{SCHEDULES}/orders/versions").json()["versions"] == []


def test_what_was_deleted_is_gone_at_once_and_may_come_back(op: httpx.Client, name: str) -> None:
    create(op, name)
    gone = op.request("DELETE", f"{SCHEDULES}/{name}", json={}, headers={"If-Match": '"1"'})
    assert gone.json() == {"schedule_id": name, "version": 2}
    assert op.get(f"{SCHEDULES}/{name}").status_code == 404
    assert op.get(SCHEDULES, params={"q": name}).json()["total"] == 0
    assert create(op, name).headers["etag"] == '"3"'


def test_a_copy_of_a_file_schedule_is_made_here_and_disabled(op: httpx.Client, name: str) -> None:
    answer = op.post(f"{SCHEDULES}/orders/clone", json={"id": name})
    assert answer.status_code == 201, answer.text
    found = answer.json()["definition"]
    assert (found["id"], found["enabled"], found["group"]) == (name, False, "databases")
    assert op.post(f"{SCHEDULES}/orders/clone", json={"id": "orders"}).status_code == 409
    assert op.post(f"{SCHEDULES}/orders/clone", json={"id": "Wrong One"}).status_code == 422


def test_the_audit_log_tells_what_changed_and_no_password(
    op: httpx.Client, name: str, airflow: AirflowHome
) -> None:
    create(op, name)
    op.patch(f"{SCHEDULES}/{name}", json={"cron": "1 1 * * *"}, headers={"If-Match": '"1"'})
    with sqlite3.connect(airflow.folder / "airflow.db") as database:
        rows = database.execute(
            "select event, owner, extra from log where dag_id = ? order by id",
            (f"backup__{name}",),
        ).fetchall()
    assert [(event, owner) for event, owner, _ in rows] == [
        ("backup_schedule_created", "op"),
        ("backup_schedule_changed", "op"),
    ]
    assert json.loads(rows[1][2])["changes"] == {"cron": ["0 3 * * *", "1 1 * * *"]}
    assert "s3cret" not in rows[0][2]


def test_a_text_is_validated_with_lines_and_previewed(op: httpx.Client) -> None:
    text = (
        "# a comment\nid: typed\nsource: {engine: files, path: /srv/made}\n"
        "repository: file:///var/backups\npreset: daily\ntimezone: Europe/Berlin\n"
    )
    found = op.post(f"{SCHEDULES}/validate", json={"yaml": text}).json()
    assert found["valid"] is True
    assert found["definition"]["preset"] == "daily"
    assert len(found["next_runs"]) == 5
    assert found["timezone"] == "Europe/Berlin"
    wrong = op.post(f"{SCHEDULES}/validate", json={"yaml": text + "tgas: [x]\n"}).json()
    assert wrong["valid"] is False
    assert wrong["definition"] is None
    assert [(item["field"], item["line"]) for item in wrong["problems"]] == [("tgas", 7)]


@pytest.mark.parametrize("text", ["", "[", "- id: x", "&a [*a, *a]", "id: ${HOME}", "\t"])
def test_a_text_that_is_no_schedule_is_only_wrong(op: httpx.Client, text: str) -> None:
    found = op.post(f"{SCHEDULES}/validate", json={"yaml": text})
    assert found.status_code == 200
    assert found.json()["valid"] is False
    assert "/root" not in found.text


def test_what_gets_in_the_way_of_others_is_pointed_out(op: httpx.Client, name: str) -> None:
    body = definition(name, source={"engine": "sqlite", "path": "/srv/orders.db"}, cron="0 1 * * *")
    found = op.post(f"{SCHEDULES}/validate", json=body).json()
    assert found["valid"] is True
    body["timezone"] = "Europe/Berlin"
    body["cron"] = "0 2 * * *"
    told = op.post(f"{SCHEDULES}/validate", json=body).json()["warnings"]
    assert any("read /srv/orders.db at the same time" in item["message"] for item in told)


@pytest.mark.parametrize(
    "source",
    [
        {"engine": "postgres", "connection": "pg", "tools": "/srv/evil"},
        {"engine": "restic", "path": "/srv", "restic_repository": "/r", "connection": "c", "program": "/srv/evil"},
    ],
)  # fmt: skip
def test_no_program_of_somebodys_choice_is_named_here(
    op: httpx.Client, name: str, source: dict[str, Any]
) -> None:
    answer = op.post(SCHEDULES, json=definition(name, source=source))
    assert answer.status_code == 422
    found = {each["field"]: each["message"] for each in answer.json()["errors"]}
    told = found.get("source.tools") or found.get("source.program") or ""
    assert "'/srv/evil' is not on the list of allowed commands" in told
    create(op, name)
    changed = op.patch(f"{SCHEDULES}/{name}", json={"source": source}, headers={"If-Match": "*"})
    assert changed.status_code == 422


def test_a_schedule_made_here_runs_only_where_an_administrator_lets_it(
    op: httpx.Client, name: str
) -> None:
    create(op, name, queue="nas")
    places = {"queue": "dmz", "executor": "LocalExecutor", "pool": "slow", "executor_config": "pod"}
    answer = op.post(SCHEDULES, json=definition(f"{name}-2", **places))
    assert answer.status_code == 422
    assert {each["field"] for each in answer.json()["errors"]} == set(places)
    assert answer.json()["errors"][0]["message"] == "'dmz' is not on the list of allowed queues"


def test_no_schedule_waits_for_itself_by_way_of_others_that_are_there(
    op: httpx.Client, name: str
) -> None:
    after = {"after": [name]}
    create(op, name)
    last = definition(f"{name}-b") | after
    del last["cron"]
    assert op.post(SCHEDULES, json=last).status_code == 201
    turned = definition(name, after=[f"{name}-b"])
    del turned["cron"]
    told = f"`{name}` would wait for itself, by way of `{name}-b`"
    answer = op.put(f"{SCHEDULES}/{name}", json=turned, headers={"If-Match": '"1"'})
    assert (answer.status_code, answer.json()["errors"][0]["message"]) == (422, told)
    patch = {"cron": None, "after": [f"{name}-b"]}
    answer = op.patch(f"{SCHEDULES}/{name}", json=patch, headers={"If-Match": '"1"'})
    assert (answer.status_code, answer.json()["errors"][0]["message"]) == (422, told)
    for given in (turned, {"yaml": json.dumps(turned)}):
        answer = op.post(f"{SCHEDULES}/validate", json=given)
        assert (answer.json()["valid"], answer.json()["problems"][0]["message"]) == (False, told)
    file = {"version": 1, "schedules": [turned, definition(f"{name}-c")]}
    body = {"yaml": json.dumps(file), "on_conflict": "replace"}
    answer = op.post(f"{API}/import", json=body)
    assert answer.status_code == 422, answer.text
    assert told in answer.json()["detail"]
    # It may take the place of the other one, and then nobody waits for himself.
    file["schedules"] = [turned, definition(f"{name}-b")]
    answer = op.post(f"{API}/import", json=body | {"yaml": json.dumps(file)})
    assert answer.status_code == 200, answer.text
    op.request("DELETE", f"{SCHEDULES}/{name}", json={}, headers={"If-Match": "*"})


def test_what_others_wait_for_is_not_deleted(op: httpx.Client, name: str) -> None:
    create(op, name)
    last = definition(f"{name}-b", after=[name])
    del last["cron"]
    op.post(SCHEDULES, json=last).raise_for_status()
    match = {"If-Match": "*"}
    answer = op.request("DELETE", f"{SCHEDULES}/{name}", json={}, headers=match)
    assert answer.status_code == 409
    assert answer.json()["detail"] == f"'{name}-b' would wait for it in vain"
    for each in (f"{name}-b", name):
        answer = op.request("DELETE", f"{SCHEDULES}/{each}", json={}, headers=match)
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "wrong",
    [
        '{"id": "x", "preset": "\\ud800"}',
        '{"id": "x", "extends": "\\udfff\\ud800"}',
        '{"id": "x", "source": {"engine": "\\ud800"}}',
        '{"\\ud800": 1}',
    ],
)
def test_halves_of_characters_are_wrong_input_and_no_fault(op: httpx.Client, wrong: str) -> None:
    paths = (SCHEDULES, f"{SCHEDULES}/validate", f"{SCHEDULES}/wiki/clone", f"{API}/import")
    for path in paths:
        answer = op.post(path, content=wrong, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422, answer.text
