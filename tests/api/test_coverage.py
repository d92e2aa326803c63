"""Which connections no schedule protects, for those who may read connections."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.airflow.home import AirflowHome

pytestmark = pytest.mark.service

API = "backup/api/v1"
CONNECTIONS = {
    "billing": {"conn_type": "postgres", "host": "db", "login": "app", "password": "very-secret"},
    "hosted": {"conn_type": "mysql", "host": "crm", "password": "very-secret"},
    "measured": {"conn_type": "fs", "extra": {"path": "/srv/metrics/2026", "key": "very-secret"}},
    "orders_db": {"conn_type": "sqlite", "host": "/srv/orders.db"},
    "web": {"conn_type": "http", "host": "example.com"},
}


@pytest.fixture(scope="module")
def connected(airflow: AirflowHome) -> AirflowHome:
    """The Airflow of these tests, with connections."""
    file = airflow.folder / "connections.json"
    file.write_text(json.dumps(CONNECTIONS))
    airflow.run("connections", "import", "--overwrite", str(file))
    return airflow


def by_id(client: httpx.Client) -> dict[str, Any]:
    answer = client.get(f"{API}/coverage")
    assert answer.status_code == 200, answer.text
    assert "very-secret" not in answer.text
    return {each["connection_id"]: each for each in answer.json()["connections"]}


def test_each_connection_says_what_protects_it(connected: AirflowHome, admin: httpx.Client) -> None:
    found = by_id(admin)
    assert {name: each["state"] for name, each in found.items()} == {
        "billing": "unprotected",
        "hosted": "exception",
        "measured": "unprotected",  # its schedule is disabled
        "orders_db": "protected",
    }
    assert found["hosted"]["reason"] == "backed up by the hoster"
    assert found["measured"]["source"] == {"engine": "files", "path": "/srv/metrics/2026"}
    assert found["billing"]["source"] == {"engine": "postgres", "connection": "billing"}
    (protector,) = found["orders_db"]["schedules"]
    shown = admin.get(f"{API}/schedules/orders").json()
    assert protector == {"schedule_id": "orders", "protection": shown["protection"]["state"]}


def test_the_counts_are_those_of_the_status_and_of_the_metrics(
    connected: AirflowHome, admin: httpx.Client
) -> None:
    whole = admin.get(f"{API}/coverage").json()
    assert (whole["protected"], whole["unprotected"], whole["exceptions"]) == (1, 2, 1)
    assert whole["percent"] == 33.3
    assert whole["unknown_exceptions"] == ["gone"]
    assert admin.get(f"{API}/status").json()["coverage"] == {"unprotected": 2, "total": 3}
    lines = admin.get(f"{API}/metrics").text.splitlines()
    assert "airflow_backup_unprotected_connections 2" in lines
    assert "airflow_backup_connections 3" in lines


def test_who_may_not_read_connections_learns_nothing_of_them(
    connected: AirflowHome, viewer: httpx.Client, nobody: httpx.Client
) -> None:
    assert viewer.get(f"{API}/coverage").status_code == 403
    assert nobody.get(f"{API}/coverage").status_code == 401
    assert viewer.get(f"{API}/status").json()["coverage"] is None
    assert "connections" not in viewer.get(f"{API}/metrics").text


def test_a_schedule_that_was_just_made_protects(
    connected: AirflowHome, admin: httpx.Client
) -> None:
    source = by_id(admin)["billing"]["source"]
    made = admin.post(
        f"{API}/schedules",
        json={"id": "billing", "source": source, "repository": "file:///b", "preset": "daily"},
    )
    assert made.status_code == 201, made.text
    try:
        found = by_id(admin)["billing"]
        assert (found["state"], found["schedules"][0]["protection"]) == ("protected", "never")
    finally:
        gone = admin.request(
            "DELETE", f"{API}/schedules/billing", json={}, headers={"If-Match": "*"}
        )
        assert gone.status_code == 200, gone.text
    assert by_id(admin)["billing"]["state"] == "unprotected"


def test_the_command_lists_what_airflow_stores_and_names_exceptions_for_nothing(
    connected: AirflowHome,
) -> None:
    def said(*words: str) -> str:
        done = subprocess.run(
            [Path(sys.executable).parent / "airflow-backup", *words],
            env=connected.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert "very-secret" not in done.stdout + done.stderr
        return done.stdout

    file = str(connected.schedules)
    told = said("coverage", "--schedules", file)
    assert "2 of 3 connections are unprotected, 33 % are protected; 1 on purpose" in told
    assert "an exception for 'gone'" in told


INSERT = (
    "insert into connection (conn_id, conn_type, host, password, extra, is_encrypted, is_extra_encrypted)"
    " values (?, ?, 'elsewhere', 'of another key', ?, 1, ?)"
)
SPOILED = {
    "spoiled": ("postgres", "of another key", 1),
    "spoiled_folder": ("fs", "of another key", 1),
    "no_json": ("fs", "[", 0),
    "no_path": ("fs", json.dumps({"path": "/x/\ud800\0"}), 0),
}


@pytest.fixture
def spoiled(connected: AirflowHome) -> Iterator[AirflowHome]:
    """Add connections that cannot be decrypted, as after a change of Airflow's key, and some that nobody can follow."""
    with closing(sqlite3.connect(connected.folder / "airflow.db", timeout=60)) as database:
        with database:
            rows = [(name, *facts) for name, facts in SPOILED.items()]
            database.executemany(INSERT, rows)
        yield connected
        with database:
            database.execute("delete from connection where password = 'of another key'")


def test_a_connection_that_cannot_be_read_costs_only_itself(
    spoiled: AirflowHome, admin: httpx.Client
) -> None:
    found = by_id(admin)
    assert {found[name]["state"] for name in SPOILED} == {"unprotected"}
    assert found["orders_db"]["state"] == "protected"
    assert admin.get(f"{API}/status").json()["coverage"] == {"unprotected": 6, "total": 7}
    assert "airflow_backup_connections 7" in admin.get(f"{API}/metrics").text.splitlines()
    file = str(spoiled.schedules)
    told = subprocess.run(
        [Path(sys.executable).parent / "airflow-backup", "coverage", "--schedules", file],
        env=spoiled.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "6 of 7 connections are unprotected, 14 % are protected" in told.stdout
