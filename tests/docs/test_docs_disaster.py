"""The page for the worst day is executed as it stands, with the catalog deleted and Airflow out of reach."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.backup.backup import Run, backup
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import Connection, from_environment
from airflow_backup.schedules.model.schedule import Schedule
from support.servers import mariadb as mariadb_servers
from support.servers import postgres as servers
from support.sources import trees

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "disaster.md"


SERVERS = ("PostgreSQL", "MySQL")


def commands(server: str | None = None) -> str:
    """The bash blocks of the page: those that need this server, or those that need none."""
    found = []
    for section in re.split(r"^#+ ", PAGE.read_text(), flags=re.MULTILINE):
        needs = next((name for name in SERVERS if section.startswith(name)), None)
        if needs == server:
            found += re.findall(r"^```bash\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return "set -euo pipefail\n" + "\n".join(found)


def store(folder: Path, identifier: str, source: dict[str, Any], connections: Any = None) -> None:
    """Take a full set, and an incremental where the source has changed since."""
    schedule = Schedule.model_validate(
        {
            "id": identifier,
            "source": source,
            "repository": f"file://{folder}/repository",
            "preset": "daily",
        }
    )
    now = datetime.now(UTC)
    with Catalog.open(f"sqlite:///{folder}/lost.db") as catalog:
        backup(
            schedule,
            Run("r1", now),
            catalog=catalog,
            connections=connections or from_environment,
            clock=lambda: now,
        )


def run(script: str, folder: Path, **more: str) -> str:
    """Run it as on a new machine: no Airflow, no catalog, no schedules file."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder / "empty"),
        "REPOSITORY": f"file://{folder}/repository",
        "TARGET": str(folder / "back"),
    }
    (folder / "empty").mkdir(exist_ok=True)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder / "empty",
        env=environment | more,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_files_and_sqlite_come_back_from_the_repository_alone(tmp_path: Path) -> None:
    trees.make_tree(tmp_path / "documents")
    with closing(sqlite3.connect(tmp_path / "bank.db")) as bank:
        bank.execute("CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER)")
        bank.executemany("INSERT INTO accounts (balance) VALUES (?)", ((1000,) for _ in range(500)))
        bank.commit()
    store(tmp_path, "documents", {"engine": "files", "path": str(tmp_path / "documents")})
    store(tmp_path, "bank", {"engine": "sqlite", "path": str(tmp_path / "bank.db")})
    (tmp_path / "lost.db").unlink()
    told = run(commands(), tmp_path)
    assert "2 sets added, 0 lost" in told
    assert "full passed" in told
    assert "restore_test passed" in told
    assert "restore documents as of" in told
    assert trees.tree_at(tmp_path / "back/documents") == trees.tree_at(tmp_path / "documents")
    with closing(sqlite3.connect(tmp_path / "back/bank/bank.db")) as restored:
        assert restored.execute("SELECT count(*), sum(balance) FROM accounts").fetchone() == (
            500,
            500_000,
        )


@pytest.fixture
def postgres() -> Iterator[servers.Postgres]:
    servers.require()
    with servers.postgres() as running:
        yield running


@pytest.mark.service
def test_a_postgres_database_comes_back_into_another_server(
    tmp_path: Path, postgres: servers.Postgres
) -> None:
    postgres.run("createdb", "shop")
    postgres.query(
        "shop", "CREATE TABLE sold (id int); INSERT INTO sold SELECT generate_series(1, 700)"
    )

    def connections(name: str) -> Connection:
        return postgres.connection("shop")

    source = {"engine": "postgres", "connection": "pg"}
    store(tmp_path, "shop", source, connections)
    (tmp_path / "lost.db").unlink()
    postgres.query("postgres", "DROP DATABASE shop")
    standby = postgres.connection("postgres")
    found = {
        "conn_type": "postgres",
        "host": standby.host,
        "port": standby.port,
        "login": standby.login,
        "password": standby.password,
    }
    run(commands("PostgreSQL"), tmp_path, AIRFLOW_CONN_STANDBY=json.dumps(found))
    assert postgres.query("shop", "SELECT count(*) FROM sold") == "700"


@pytest.fixture
def mariadb() -> Iterator[mariadb_servers.MariaDB]:
    mariadb_servers.require()
    with mariadb_servers.mariadb() as running:
        yield running


@pytest.mark.service
def test_a_mariadb_database_comes_back_into_another_server(
    tmp_path: Path, mariadb: mariadb_servers.MariaDB
) -> None:
    mariadb.query("CREATE DATABASE crm;\nCREATE TABLE crm.people (id INT PRIMARY KEY)")
    mariadb.query(f"INSERT INTO crm.people VALUES {', '.join(f'({n})' for n in range(700))}")

    def connections(name: str) -> Connection:
        return mariadb.connection("crm")

    store(tmp_path, "crm", {"engine": "mysql", "connection": "my"}, connections)
    (tmp_path / "lost.db").unlink()
    mariadb.query("DROP DATABASE crm")
    standby = mariadb.connection()
    found = {
        "conn_type": "mysql",
        "host": standby.host,
        "port": standby.port,
        "login": standby.login,
        "password": standby.password,
    }
    run(commands("MySQL"), tmp_path, AIRFLOW_CONN_STANDBY=json.dumps(found))
    assert mariadb.query("SELECT count(*) FROM crm.people") == [(700,)]
