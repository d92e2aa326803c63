"""How the sets of each engine are made in tests: a job, and changes of its source."""

from __future__ import annotations

import json
import os
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_backup.engines.airflow.options import AirflowOptions
from airflow_backup.engines.command.options import CommandOptions
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.firebird.options import FirebirdOptions
from airflow_backup.engines.mysql.options import MysqlOptions
from airflow_backup.engines.postgres.options import PostgresOptions
from airflow_backup.engines.restic.options import ResticOptions
from airflow_backup.engines.sqlite.options import SqliteOptions
from support.servers import firebird as firebird_servers
from support.servers import mariadb as mariadb_servers
from support.servers import postgres as servers
from support.sources import airflows
from support.stored.sets import PlainJob

SEED = 20260504


@dataclass(frozen=True)
class Making:
    """How an engine's sets are made: a job, and the n-th change of its source."""

    job: PlainJob
    change: Callable[[int], None]
    takes_incrementals: bool = True


def files_making(folder: Path) -> Iterator[Making]:
    rng = random.Random(SEED)
    root = folder / "source"
    (root / "deep" / "er").mkdir(parents=True)
    for number in range(40):
        (root / "deep" / f"{number}.txt").write_bytes(rng.randbytes(rng.randrange(900)))
    (root / "large").write_bytes(rng.randbytes(2_500_000))
    (root / "link").symlink_to("large")

    def change(step: int) -> None:
        (root / "deep" / f"{step}.txt").write_text(f"changed {step}")
        (root / "deep" / "er" / f"{step}").write_bytes(rng.randbytes(3000))
        with (root / "large").open("r+b") as file:
            file.seek(1_200_000)
            file.write(rng.randbytes(1000))

    yield Making(
        PlainJob(FilesOptions(engine="files", path=str(root)), f"file://{folder}/repository"),
        change,
    )


def sqlite_making(folder: Path) -> Iterator[Making]:
    path = folder / "orders.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, note)")
        rows = ((os.urandom(80),) for _ in range(3000))
        connection.executemany("INSERT INTO orders (note) VALUES (?)", rows)
        connection.commit()

    def change(step: int) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE orders SET note = ? WHERE id % 500 = ?", (f"{step}", step))
            connection.commit()

    yield Making(
        PlainJob(SqliteOptions(engine="sqlite", path=str(path)), f"file://{folder}/repository"),
        change,
    )


def postgres_making(folder: Path, method: str = "logical") -> Iterator[Making]:
    servers.require()
    with servers.postgres() as server, pytest.MonkeyPatch.context() as patch:
        server.run("createdb", "shop")
        server.query(
            "shop", "CREATE TABLE sold AS SELECT i, md5(i::text) FROM generate_series(1, 4000) i"
        )
        found = server.connection("shop")
        told = {
            "conn_type": "postgres",
            "host": found.host,
            "port": found.port,
            "login": found.login,
            "password": found.password,
            "schema": "shop",
        }
        patch.setenv("AIRFLOW_CONN_PG", json.dumps(told))

        def change(step: int) -> None:
            server.query("shop", f"INSERT INTO sold VALUES (-{step}, 'more')")

        source = PostgresOptions.model_validate(
            {"engine": "postgres", "connection": "pg", "method": method}
        )
        yield Making(PlainJob(source, f"file://{folder}/repository"), change, False)


def mysql_making(folder: Path, method: str = "logical") -> Iterator[Making]:
    mariadb_servers.require()
    with mariadb_servers.mariadb() as server, pytest.MonkeyPatch.context() as patch:
        server.query(
            "CREATE DATABASE crm;\nCREATE TABLE crm.people (id INT PRIMARY KEY, name TEXT)"
        )
        rows = ", ".join(f"({number}, 'person {number * 7919}')" for number in range(3000))
        server.query(f"INSERT INTO crm.people VALUES {rows}")
        found = server.connection("crm")
        told = {
            "conn_type": "mysql",
            "host": found.host,
            "port": found.port,
            "login": found.login,
            "password": found.password,
            "schema": "crm",
        }
        patch.setenv("AIRFLOW_CONN_MY", json.dumps(told))

        def change(step: int) -> None:
            server.query(f"INSERT INTO crm.people VALUES (-{step}, 'more')")

        source = MysqlOptions.model_validate(
            {"engine": "mysql", "connection": "my", "method": method}
        )
        yield Making(PlainJob(source, f"file://{folder}/repository"), change, False)


def command_making(folder: Path) -> Iterator[Making]:
    program = folder / "export"
    program.write_text(
        '#!/bin/sh\nfor n in $(seq 60); do seq $n 900 > "$BACKUP_OUTPUT/$n.csv"; done\n'
    )
    program.chmod(0o755)
    source = CommandOptions.model_validate(
        {"engine": "command", "workflow": {"command": [str(program)]}}
    )
    yield Making(PlainJob(source, f"file://{folder}/repository"), lambda step: None, False)


def firebird_making(folder: Path) -> Iterator[Making]:
    if not firebird_servers.is_installed() and not os.environ.get("CI"):
        pytest.skip("Firebird is not installed")
    firebird = firebird_servers.make_firebird(folder)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in firebird.environment.items():
            patch.setenv(name, value)
        database = firebird.make("bank.fdb")
        patch.setenv("AIRFLOW_CONN_BANK", json.dumps({"conn_type": "generic", "login": "SYSDBA"}))
        source = FirebirdOptions.model_validate(
            {
                "engine": "firebird",
                "connection": "bank",
                "database": str(database),
                "method": "physical",
            }
        )
        yield Making(
            PlainJob(source, f"file://{folder}/repository"),
            lambda step: firebird.note(database, step, rows=50),
        )


def restic_making(folder: Path) -> Iterator[Making]:
    (folder / "tree").mkdir()
    (folder / "tree" / "0.txt").write_text("one")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            "AIRFLOW_CONN_VAULT", json.dumps({"conn_type": "generic", "password": "sesame"})
        )
        source = ResticOptions.model_validate(
            {
                "engine": "restic",
                "connection": "vault",
                "path": f"{folder}/tree",
                "restic_repository": f"{folder}/restic",
                "init": True,
            }
        )

        def change(step: int) -> None:
            (folder / "tree" / f"{step}.txt").write_text("more")

        yield Making(PlainJob(source, f"file://{folder}/repository"), change, False)


def postgres_physical_making(folder: Path) -> Iterator[Making]:
    yield from postgres_making(folder, "physical")


def mysql_physical_making(folder: Path) -> Iterator[Making]:
    yield from mysql_making(folder, "physical")


def airflow_making(folder: Path) -> Iterator[Making]:
    home = airflows.made(folder / "home").home

    def change(step: int) -> None:
        (home / "dags" / "hello.py").write_text(airflows.DAG % step)

    source = AirflowOptions(engine="airflow", home=str(home))
    yield Making(PlainJob(source, f"file://{folder}/repository"), change, False)


MAKINGS: dict[str, Callable[[Path], Iterator[Making]]] = {
    "files": files_making,
    "sqlite": sqlite_making,
    "postgres": postgres_making,
    "mysql": mysql_making,
    "command": command_making,
    "firebird": firebird_making,
    "restic": restic_making,
    "postgres physical": postgres_physical_making,
    "mysql physical": mysql_physical_making,
    "airflow": airflow_making,
}
