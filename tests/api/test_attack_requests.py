"""
Requests of somebody who means harm: at the same moment, of a hundred megabytes; and what the audit log says of all.
"""

from __future__ import annotations

import json
import re
import sqlite3
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import httpx
import pytest

from airflow_backup.catalog import Catalog
from airflow_backup.schedules.export.schedules_file import schedules_file
from support.airflow.home import AirflowHome

pytestmark = pytest.mark.service

API = "backup/api/v1"
SCHEDULES = f"{API}/schedules"
AT_ONCE = 12
MIB = 1024 * 1024


def definition(name: str) -> dict[str, Any]:
    return {
        "id": name,
        "source": {"engine": "files", "path": "/srv/raced"},
        "repository": "sftp://vault/srv",
        "cron": "0 2 * * *",
    }


@pytest.fixture
def name(admin: httpx.Client) -> Iterator[str]:
    """A name that is free; what was made under it is removed."""
    name = f"raced-{uuid.uuid4().hex[:8]}"
    yield name
    admin.request("DELETE", f"{SCHEDULES}/{name}", json={}, headers={"If-Match": "*"})


def at_once(ask: Callable[[int], httpx.Response]) -> Counter[int]:
    """Ask from many threads in the same moment; return how often each status came."""
    start = Barrier(AT_ONCE)

    def run(number: int) -> int:
        start.wait()
        return ask(number).status_code

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return Counter(pool.map(run, range(AT_ONCE)))


def test_of_many_who_make_the_same_schedule_one_does(admin: httpx.Client, name: str) -> None:
    found = at_once(lambda _: admin.post(SCHEDULES, json=definition(name)))
    assert found[201] == 1
    assert set(found) <= {201, 409, 503}
    versions = admin.get(f"{SCHEDULES}/{name}/versions").json()["versions"]
    assert len(versions) == 1


def test_of_many_who_import_the_same_file_one_does(admin: httpx.Client, name: str) -> None:
    names = [f"{name}-{number}" for number in range(8)]
    found = at_once(lambda _: admin.post(f"{API}/import", json=file_of(*names), timeout=60))
    try:
        told = [admin.get(f"{SCHEDULES}/{each}-file/versions").json()["versions"] for each in names]
        assert [len(versions) for versions in told] == [1] * 8
        assert found[200] >= 1
        assert set(found) <= {200, 409, 503}
    finally:
        for each in names:
            path = f"{SCHEDULES}/{each}-file"
            admin.request("DELETE", path, json={}, headers={"If-Match": "*"})


def test_of_many_who_change_the_same_version_one_does(admin: httpx.Client, name: str) -> None:
    assert admin.post(SCHEDULES, json=definition(name)).status_code == 201
    found = at_once(
        lambda number: admin.patch(
            f"{SCHEDULES}/{name}", json={"cron": f"{number} 3 * * *"}, headers={"If-Match": '"1"'}
        )
    )
    assert found[200] == 1
    assert set(found) <= {200, 409, 412, 503}
    versions = admin.get(f"{SCHEDULES}/{name}/versions").json()["versions"]
    assert [each["version"] for each in versions] == [2, 1]


def test_a_change_and_a_deletion_of_the_same_version_are_never_both(
    admin: httpx.Client, name: str
) -> None:
    assert admin.post(SCHEDULES, json=definition(name)).status_code == 201
    mine = {"If-Match": '"1"'}
    found = at_once(
        lambda number: (
            admin.request("DELETE", f"{SCHEDULES}/{name}", json={}, headers=mine)
            if number % 2
            else admin.patch(f"{SCHEDULES}/{name}", json={"cron": "5 3 * * *"}, headers=mine)
        )
    )
    done = sum(count for code, count in found.items() if code < 300)
    assert done == 1
    assert set(found) <= {200, 204, 404, 409, 412, 503}


def test_of_many_who_skip_the_next_run_one_does(admin: httpx.Client, airflow: AirflowHome) -> None:
    with Catalog.open(airflow.catalog_url) as catalog:
        before = len(catalog.holds.active("wiki", now=datetime.now(UTC)))
        found = at_once(lambda _: admin.post(f"{SCHEDULES}/wiki/skip-next", json={}))
        holds = catalog.holds.active("wiki", now=datetime.now(UTC))
    assert set(found) <= {201, 409, 503}
    assert len(holds) - before == found[201] == 1
    for each in holds:
        admin.request("DELETE", f"{SCHEDULES}/wiki/holds/{each.id}", json={})


def test_of_many_who_pause_one_pause_counts(admin: httpx.Client, airflow: AirflowHome) -> None:
    until = (datetime.now(UTC) + timedelta(hours=3)).isoformat()
    found = at_once(lambda _: admin.post(f"{SCHEDULES}/wiki/pause", json={"until": until}))
    with Catalog.open(airflow.catalog_url) as catalog:
        holds = catalog.holds.active("wiki", now=datetime.now(UTC))
    assert set(found) <= {201, 503}
    assert [each.kind for each in holds] == ["pause_until"]
    for each in holds:
        admin.request("DELETE", f"{SCHEDULES}/wiki/holds/{each.id}", json={})


def resident(airflow: AirflowHome) -> int:
    """Return the memory of the API server and its workers, in bytes."""
    server = airflow.pid("api-server")
    total = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
            group = (status.parent / "stat").read_text().rpartition(")")[2].split()[2]
        except OSError:
            continue
        found = re.search(r"VmRSS:\s+(\d+)", text)
        total += int(found[1]) * 1024 if found and int(group) == server else 0
    return total


@pytest.mark.parametrize("is_told", [True, False])
def test_a_hundred_megabytes_are_refused_and_not_kept(
    admin: httpx.Client, airflow: AirflowHome, is_told: bool
) -> None:
    def body() -> Iterator[bytes]:
        yield b'{"id": "'
        for _ in range(100):
            yield b"x" * MIB
        yield b'"}'

    headers = {"Content-Type": "application/json"}
    if is_told:
        headers["Content-Length"] = str(100 * MIB + 10)

    def send(_: int) -> httpx.Response | None:
        try:
            return admin.post(SCHEDULES, content=body(), headers=headers, timeout=60)
        except httpx.HTTPError:
            return None  # it hung up while we were writing, which is an answer too

    before = resident(airflow)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(send, range(4)))
        assert admin.get(f"{API}/status").status_code == 200
    assert {each.status_code for each in answers if each is not None} <= {413}
    assert resident(airflow) - before < 150 * MIB


BOMBS = {
    "aliases that grow": "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)),
    "merges that grow": "a0: &a0 {x: 1}\n"
    + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 10)),
    "an alias of itself": "a: &a [*a]\n",
    "a deep one": "a: " + "[" * 20_000 + "]" * 20_000,
    "many anchors": "".join(f"- &a{n} x\n" for n in range(15_000)),
    "a tag that makes things": "a: !!python/object/apply:os.system ['touch /tmp/bomb']\n",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_yaml_that_grows_is_only_wrong(admin: httpx.Client, bomb: str) -> None:
    answer = admin.post(f"{SCHEDULES}/validate", json={"yaml": bomb}, timeout=30)
    assert answer.status_code == 200, answer.text[:300]
    assert answer.json()["valid"] is False
    assert len(answer.text) < 20_000
    answer = admin.post(f"{API}/import", json={"yaml": bomb}, timeout=30)
    assert answer.status_code == 422, answer.text[:300]
    assert len(answer.text) < 40_000
    assert not Path("/tmp/bomb").exists()


CHANGES: dict[str, tuple[str, Any]] = {
    "POST /maintenance": ("maintenance", {"enabled": False}),
    "POST /schedules": ("schedules", "DEFINITION"),
    "POST /import": ("import", "FILE"),
    "POST /schedules/bulk": ("schedules/bulk", {"action": "disable", "ids": ["metrics"]}),
    "POST /schedules/{schedule_id}/clone": ("schedules/orders/clone", {"id": "COPY"}),
    "PUT /schedules/{schedule_id}": ("schedules/NAME", "DEFINITION"),
    "PATCH /schedules/{schedule_id}": ("schedules/NAME", {"cron": "0 1 * * *"}),
    "DELETE /schedules/{schedule_id}": ("schedules/NAME", {}),
    "POST /schedules/{schedule_id}/toggle": ("schedules/stopped/toggle", {"enabled": True}),
    "POST /schedules/{schedule_id}/run": ("schedules/stopped/run", {}),
    "POST /schedules/{schedule_id}/skip-next": ("schedules/crm/skip-next", {}),
    "POST /schedules/{schedule_id}/pause": ("schedules/crm/pause", {"until": "LATER"}),
    "DELETE /schedules/{schedule_id}/holds/{hold_id}": ("schedules/crm/holds/HOLD", {}),
    "POST /runs/active/pause": ("runs/active/pause", {}),
    "POST /runs/active/resume": ("runs/active/resume", {}),
    "POST /runs/{dag_id}/{run_id}/pause": ("runs/backup__stopped/RUN/pause", {}),
    "POST /runs/{dag_id}/{run_id}/resume": ("runs/backup__stopped/RUN/resume", {}),
    "POST /runs/{dag_id}/{run_id}/cancel": ("runs/backup__stopped/RUN/cancel", {}),
    "POST /schedules/dry-run": ("schedules/dry-run", "DEFINITION"),
    "POST /schedules/{schedule_id}/dry-run": ("schedules/crm/dry-run", {}),
    "POST /sets/{set_id}/contents": ("sets/SET/contents", {}),
    "POST /sets/{set_id}/verify": ("sets/SET/verify", {}),
    "POST /sets/{set_id}/restore": ("sets/SET/restore", {"target": "x", "confirm": "no"}),
    "POST /sets/{set_id}/pin": ("sets/SET/pin", {"pinned": False}),
    "POST /receivers/{name}/test": ("receivers/none/test", {}),
}
"""Every operation that changes something, in an order in which each finds what it needs."""

CHANGES_NOTHING = {"POST /schedules/validate"}


def file_of(*names: str) -> dict[str, Any]:
    """Return what imports a file with a schedule of each name and `-file`."""
    return {"yaml": schedules_file(definition(f"{name}-file") for name in names)}


def rows(airflow: AirflowHome) -> list[tuple[int, str, str, str]]:
    with sqlite3.connect(airflow.folder / "airflow.db", timeout=30) as database:
        return database.execute(
            "select id, event, owner, coalesce(dag_id, '') from log where event like 'backup_%' order by id"
        ).fetchall()


def test_every_request_that_changes_something_is_in_the_audit_log(
    admin: httpx.Client, airflow: AirflowHome, name: str
) -> None:
    described = admin.get(f"{API}/openapi.json").json()["paths"]
    wanted = {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, methods in described.items()
        for method in methods
        if method != "get"
    }
    assert wanted - CHANGES_NOTHING == {*CHANGES}
    with Catalog.open(airflow.catalog_url) as catalog:
        (row, *_) = catalog.sets.of("orders")
    words = {
        "NAME": name,
        "SET": row.set_id,
        "COPY": f"{name}-copy",
        "LATER": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
    }
    unnoted = []
    for operation, (path, body) in CHANGES.items():
        before = len(rows(airflow))
        text = json.dumps(
            {"DEFINITION": definition(name), "FILE": file_of(name)}.get(str(body), body)
        )
        for word, value in words.items():
            path, text = path.replace(word, value), text.replace(word, value)
        answer = admin.request(
            operation.split()[0],
            f"{API}/{path}",
            content=text,
            headers={"Content-Type": "application/json", "If-Match": "*"},
        )
        assert answer.status_code < 500, (operation, answer.text)
        told = rows(airflow)[before:]
        if not told or {each[2] for each in told} != {"admin"}:
            unnoted.append((operation, answer.status_code, told))
        if operation.endswith("/run"):
            words["RUN"] = answer.json()["run_id"]
        if operation.endswith("/pause") and "crm" in path:
            words["HOLD"] = str(answer.json()["id"])
    for made in (f"{name}-copy", f"{name}-file"):
        admin.request("DELETE", f"{SCHEDULES}/{made}", json={}, headers={"If-Match": "*"})
    assert unnoted == []


FOREIGN = [
    ("dag_id", "backup__orders"),
    ("dag_id", {}),
    ("task_id", []),
    ("run_id", 7),
    ("dag_run_id", "x" * 300),
]
"""What the audit log of Airflow takes from a request into columns of their own."""


@pytest.mark.parametrize("where", ["body", "query"])
@pytest.mark.parametrize(("column", "value"), FOREIGN, ids=lambda each: str(each)[:20])
def test_nobody_writes_another_dag_into_the_audit_log(
    admin: httpx.Client, airflow: AirflowHome, where: str, column: str, value: object
) -> None:
    before = len(rows(airflow))
    for operation, (path, _) in CHANGES.items():
        address = path.replace("schedules/orders", "schedules/crm").replace("NAME", "crm")
        answer = admin.request(
            operation.split()[0],
            f"{API}/{address}",
            json={column: value} if where == "body" else {},
            params={column: str(value)} if where == "query" else {},
            headers={"If-Match": "*"},
        )
        assert 400 <= answer.status_code < 500, (operation, answer.text)
    assert {each[3] for each in rows(airflow)[before:]} <= {"backup__crm"}


MOMENTS = (
    "2020-01-01",
    "99999999999999999999-01-01",
    "2020/2021",
    "0001-01-01T00:00:00+23:59",
    "x",
)
"""Airflow's log takes the first for the date of a run; the others break its answer, but the last."""


@pytest.mark.parametrize("name", ["logical_date", "is_paused", "schedule_id", "anything"])
def test_a_change_says_nothing_after_its_address(
    admin: httpx.Client, airflow: AirflowHome, name: str
) -> None:
    before = len(rows(airflow))
    for moment in MOMENTS:
        for verb in ("toggle", "run", "skip-next", "pause"):
            answer = admin.post(f"{SCHEDULES}/crm/{verb}", json={}, params={name: moment})
            assert answer.status_code == 422, answer.text
    assert rows(airflow)[before:] == []


NAMED = {
    "schedules/crm/toggle": "schedule_id",
    "schedules/crm/holds/1": "hold_id",
    "sets/20260101T000000Z-0123456789/pin": "set_id",
    "receivers/mail/test": "name",
}


@pytest.mark.parametrize(("path", "name"), NAMED.items(), ids=NAMED)
def test_a_body_names_no_other_thing_than_the_address(
    admin: httpx.Client, airflow: AirflowHome, path: str, name: str
) -> None:
    before = len(rows(airflow))
    method = "DELETE" if "holds" in path else "POST"
    answer = admin.request(method, f"{API}/{path}", json={name: "other", "reason": "none"})
    assert (answer.status_code, name in answer.text) == (422, True)
    assert rows(airflow)[before:] == []


def test_an_address_longer_than_the_audit_log_holds_is_not_found(
    admin: httpx.Client, airflow: AirflowHome
) -> None:
    before = len(rows(airflow))
    for name in ("r" * 300, "r%00r"):
        for verb in ("cancel", "pause", "resume"):
            answer = admin.post(f"{API}/runs/backup__crm/{name}/{verb}", json={})
            assert answer.status_code in (404, 422), answer.text
    for verb in ("toggle", "run", "skip-next"):
        answer = admin.post(f"{SCHEDULES}/{'s' * 300}/{verb}", json={"enabled": True})
        assert answer.status_code in (404, 422), answer.text
    assert rows(airflow)[before:] == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("sets/SET/restore", {"target": "postgresql://me:s3cret@host/db", "confirm": "orders"}),
        ("schedules/raced/run", {"note": "see https://me:s3c@ret@host/"}),
        ("schedules/raced/skip-next", {"reason": "of sftp://:s3cret@host"}),
        ("schedules/bulk", {"action": "enable", "ids": ["raced"], "more": [["ftp://a:s3cret@b"]]}),
    ],
)
def test_no_password_comes_into_the_audit_log(
    admin: httpx.Client, airflow: AirflowHome, path: str, body: dict[str, Any]
) -> None:
    with Catalog.open(airflow.catalog_url) as catalog:
        (row, *_) = catalog.sets.of("orders")
    before = len(rows(airflow))
    answer = admin.post(f"{API}/{path.replace('SET', row.set_id)}", json=body)
    assert answer.status_code == 422, answer.text
    assert "s3c" not in answer.text
    assert rows(airflow)[before:] == []


@pytest.mark.parametrize("key", ["hook", "reason", "enabled", "target"])
def test_what_a_change_does_not_take_comes_not_into_the_audit_log(
    admin: httpx.Client, airflow: AirflowHome, key: str
) -> None:
    """Airflow masks what it knows by its name; the address of a webhook is a secret without one."""
    with Catalog.open(airflow.catalog_url) as catalog:
        (row, *_) = catalog.sets.of("orders")
    hook = {"at": ["https://hooks.example.com/services/T0/B0/s3cret"]}
    refused = 0
    for operation, (path, _) in CHANGES.items():
        address = path.replace("schedules/orders", "schedules/crm").replace("NAME", "crm")
        answer = admin.request(
            operation.split()[0],
            f"{API}/{address.replace('SET', row.set_id)}",
            json={key: hook},
            headers={"If-Match": "*"},
        )
        assert 400 <= answer.status_code < 500, (operation, answer.text)
        refused += answer.status_code == 422
    assert refused > len(CHANGES) / 2
    with sqlite3.connect(airflow.folder / "airflow.db", timeout=30) as database:
        kept = database.execute("select event, extra from log").fetchall()
    assert [event for event, extra in kept if "s3cret" in str(extra)] == []


def in_paths(path: str, given: str) -> Iterator[str]:
    """Put what is given into each place of a path, and what is nowhere into the others."""
    places = re.findall(r"{\w+}", path)
    for one in places:
        filled = path
        for each in places:
            filled = filled.replace(each, given if each == one else "nowhere")
        yield filled


def test_no_address_names_what_is_no_text(admin: httpx.Client) -> None:
    """PostgreSQL can compare no text with a NUL: each of these was an error there."""
    described = admin.get(f"{API}/openapi.json").json()["paths"]
    asked = 0
    for path, operations in described.items():
        relative = path.removeprefix("/api/v1/")
        for method, operation in operations.items():
            body: dict[str, Any] | None = None if method == "get" else {}
            for address in in_paths(relative, "a%00b"):
                answer = admin.request(method, f"{API}/{address}", json=body)
                assert answer.status_code == 404, (method, address, answer.text)
                asked += 1
            names = [
                each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"
            ]
            for name in names:
                (address, *_) = [*in_paths(relative, "crm"), relative]
                answer = admin.request(method, f"{API}/{address}", params={name: "a\0b"})
                assert answer.status_code == 422, (method, address, name, answer.text)
                asked += 1
    assert asked > 50


@pytest.mark.usefixtures("raced_is_idle")
def test_what_is_told_to_airflow_is_text(admin: httpx.Client, airflow: AirflowHome) -> None:
    with Catalog.open(airflow.catalog_url) as catalog:
        (row, *_) = catalog.sets.of("orders")
    wanted = {"target": "a\0b", "confirm": "orders"}
    started = admin.post(f"{API}/sets/{row.set_id}/restore", json=wanted)
    assert started.status_code == 202, started.text
    admin.post(f"{SCHEDULES}/raced/toggle", json={"enabled": True})
    key = {"Idempotency-Key": uuid.uuid4().hex}
    runs = [
        admin.post(f"{SCHEDULES}/raced/run", json={"note": "c\0d"}, headers=key) for _ in range(2)
    ]
    assert [each.status_code for each in runs] == [202, 202]
    (run_id,) = {each.json()["run_id"] for each in runs}
    with sqlite3.connect(airflow.folder / "airflow.db", timeout=30) as database:
        kept = database.execute(
            "select r.run_id, n.content, cast(r.conf as text) from dag_run r"
            " join dag_run_note n on n.dag_run_id = r.id where r.run_id in (?, ?)",
            (run_id, started.json()["run_id"]),
        ).fetchall()
    assert len(kept) == 2
    for name, note, conf in kept:
        assert "\0" not in note
        assert r"\u0000" not in conf, name
    admin.post(f"{API}/runs/backup__raced/{run_id}/cancel", json={})
