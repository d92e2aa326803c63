"""
Airflow from its own backup: on an empty machine, with each kind of database, with the kept key and with another one.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.fernet import Fernet

from airflow_backup.actions.contract.promises import PROMISES
from airflow_backup.engine import EngineCase, check_engine
from airflow_backup.engines.airflow.engine import AirflowEngine
from airflow_backup.engines.airflow.options import AirflowOptions
from support.servers import mariadb as mariadb_servers
from support.servers import postgres as servers
from support.sources import airflows, trees
from support.sources.airflows import SECRET, Installation

pytestmark = pytest.mark.service

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "airflow-itself.md"


@dataclass(frozen=True)
class Place:
    """A server, or none, and how Airflow and we are told of it."""

    kind: str
    environment: Mapping[str, str]
    connection: Mapping[str, Any] | None = None

    def empty(self) -> None:
        """Lose the database."""


@dataclass(frozen=True)
class OnPostgres(Place):
    server: servers.Postgres | None = None

    def empty(self) -> None:
        assert self.server is not None
        self.server.run("dropdb", "airflow")
        self.server.run("createdb", "airflow")


@dataclass(frozen=True)
class OnMariaDB(Place):
    server: mariadb_servers.MariaDB | None = None

    def empty(self) -> None:
        assert self.server is not None
        self.server.query("DROP DATABASE airflow;\nCREATE DATABASE airflow CHARACTER SET utf8mb4")


@pytest.fixture(params=["sqlite", "postgres", "mysql"], scope="module")
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    if request.param == "sqlite":
        yield Place("sqlite", {})
    elif request.param == "postgres":
        servers.require()
        with servers.postgres() as server:
            server.run("createdb", "airflow")
            url = f"postgresql+psycopg://{_account(servers)}@127.0.0.1:{server.port}/airflow"
            told = _told(url, url)
            yield OnPostgres("postgres", told, _connection(server.connection("airflow")), server)
    else:
        mariadb_servers.require()
        with mariadb_servers.mariadb() as maria:
            maria.query("CREATE DATABASE airflow CHARACTER SET utf8mb4")
            url = f"mysql+pymysql://{_account(mariadb_servers)}@127.0.0.1:{maria.port}/airflow"
            shim = airflows.shim(tmp_path_factory.mktemp("shim"))
            told = _told(url, "sqlite+aiosqlite:////nowhere") | {"PYTHONPATH": shim}
            yield OnMariaDB("mysql", told, _connection(maria.connection("airflow")), maria)


def _account(module: Any) -> str:
    return f"{module.USER}:{quote(module.PASSWORD, safe='')}"


def _told(url: str, async_url: str) -> dict[str, str]:
    prefix = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
    return {prefix: url, f"{prefix}_ASYNC": async_url}


def _connection(found: Any) -> dict[str, Any]:
    return {
        "conn_type": found.type,
        "host": found.host,
        "port": found.port,
        "login": found.login,
        "password": found.password,
        "schema": found.schema,
    }


def commands(kind: str) -> str:
    """The bash blocks of the page, but those of another kind of database."""
    found = []
    for section in re.split(r"^#+ ", PAGE.read_text(), flags=re.MULTILINE):
        other = "PostgreSQL or MySQL" if kind == "sqlite" else "SQLite"
        if not section.startswith(other):
            found += re.findall(r"^```bash\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return "set -euo pipefail\n" + "\n".join(found)


class Machine:
    """The command, as somebody types it beside an Airflow."""

    def __init__(self, folder: Path, place: Place) -> None:
        self.folder, self.place = folder, place
        named = "" if place.connection is None else ", connection: airflow_db"
        (folder / "schedules.yaml").write_text(
            f"version: 1\ndefaults: {{repository: 'file://{folder}/repository', preset: daily}}\n"
            f"schedules:\n  - {{id: itself, source: {{engine: airflow{named}}}}}\n"
        )

    def type(
        self, airflow: Installation, *words: str, **more: str
    ) -> subprocess.CompletedProcess[str]:
        told = airflow.told | more
        if self.place.connection is not None:
            told["AIRFLOW_CONN_AIRFLOW_DB"] = json.dumps(self.place.connection)
        return subprocess.run(
            [
                Path(sys.executable).parent / "airflow-backup",
                *words,
                "--schedules",
                "schedules.yaml",
            ],
            env=told,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,  # the caller looks
        )

    def follow_the_page(self, airflow: Installation) -> str:
        """Run the commands of the page as they stand, for this kind of database."""
        told = airflow.told | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "REPOSITORY": f"file://{self.folder}/repository",
            "TARGET": f"{self.folder}/back",
        }
        if self.place.connection is not None:
            told["AIRFLOW_CONN_AIRFLOW_DB"] = json.dumps(self.place.connection)
        done = subprocess.run(
            ["bash", "-c", commands(self.place.kind)],
            env=told,
            cwd=self.folder / "empty",
            capture_output=True,
            text=True,
            check=False,  # the assertion below shows what it said
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
        return done.stdout + done.stderr

    def good(self, airflow: Installation, *words: str, **more: str) -> str:
        done = self.type(airflow, *words, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


def test_an_airflow_comes_back_into_an_empty_machine(place: Place, tmp_path: Path) -> None:
    machine = Machine(tmp_path, place)
    old = Installation(tmp_path / "old", place.environment)
    old.home.mkdir()
    old.fill()
    before, key, dags = old.content(), old.fernet_key, trees.tree_at(old.home / "dags" / "sub")
    assert before["connections"]["shop"]["password"] == SECRET
    assert [run["state"] for run in before["runs"]] == ["success"]
    machine.good(old, "run", "itself")
    for level in ("standard", "full", "restore_test"):
        machine.good(old, "verify", "itself", "--level", level)

    # everything is lost but the repository and the key
    shutil.rmtree(old.home)
    place.empty()
    kept = {"AIRFLOW__CORE__FERNET_KEY": key}
    back = Installation(old.home, {**place.environment, **kept})
    (tmp_path / "empty").mkdir()
    said = machine.follow_the_page(back)
    assert "Fernet key" not in said
    assert back.content() == before
    assert trees.tree_at(old.home / "dags" / "sub") == dags
    assert (old.home / "plugins" / "own_plugin.py").read_text() == "WORD = 'own'\n"
    back.run("dags test hello 2026-01-03")
    assert len(back.content()["runs"]) == 2


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation with SQLite, to be copied."""
    return airflows.made(tmp_path_factory.mktemp("template") / "airflow").home


def test_another_key_is_told_before_anybody_believes_in_it(template: Path, tmp_path: Path) -> None:
    old = airflows.made(tmp_path / "old", template)
    machine, ours = Machine(tmp_path, Place("sqlite", {})), old.fernet_key
    machine.good(old, "run", "itself")
    other = Fernet.generate_key().decode()
    said = machine.good(old, "restore", "itself", "--to", "back", AIRFLOW__CORE__FERNET_KEY=other)
    assert "WARNING: the Fernet key that is known here is not the one of the set" in said
    again = machine.type(old, "run", "itself", AIRFLOW__CORE__FERNET_KEY=other)
    assert again.returncode != 0
    assert "decrypts none of the 3 secrets" in again.stdout + again.stderr
    both = f"{other},{ours}"
    said = machine.good(old, "restore", "itself", "--to", "again", AIRFLOW__CORE__FERNET_KEY=both)
    assert "Fernet" not in said


def test_no_secret_is_in_the_set_or_in_anything_that_is_said(
    template: Path, tmp_path: Path
) -> None:
    old = airflows.made(tmp_path / "old", template)
    machine, config = Machine(tmp_path, Place("sqlite", {})), old.home / "airflow.cfg"
    added = """
[smtp_of_mine]
smtp_password = canary-smtp-77
# smtp_password = canary-old-76
number_pin = 4711471147
url = https://me:canary-url@host/x
plain = 50%%
api_key_cmd = echo canary-cmd
"""
    config.write_text(config.read_text() + added)
    told = {"AIRFLOW_CONN_OTHER": "http://u:canary-conn@h", "AIRFLOW_VAR_V": "canary-var"}
    told |= {"AIRFLOW__MINE__SOME_TOKEN": "canary-env", "AIRFLOW__MINE__WORD": "50% is kept"}
    said = machine.good(old, "run", "itself", **told)
    said += machine.good(old, "restore", "itself", "--to", "back", **told)
    kept = (tmp_path / "back" / "airflow.cfg").read_text()
    assert "plain = 50%%\n" in kept
    assert "word = 50%% is kept\n" in kept
    left_out = ["number_pin", "smtp_password", "url", "api_key_cmd"]
    for name in ("AIRFLOW_CONN_OTHER", "mine/some_token", *(f"smtp_of_mine/{x}" for x in left_out)):
        assert f"#   {name}\n" in kept
    manifest = next((tmp_path / "repository").rglob("manifest.json")).read_text()
    # Airflow's own audit log has the arguments of its commands; they are in its database in any case.
    airflows.query(tmp_path / "back" / "database" / "airflow.db", "UPDATE log SET extra = NULL")
    airflows.query(tmp_path / "back" / "database" / "airflow.db", "VACUUM")
    files = [each for each in (tmp_path / "back").rglob("*") if each.is_file()]
    everything = [said, manifest, *(each.read_bytes().decode("latin-1") for each in files)]
    secrets = [old.fernet_key, SECRET, "4711471147", "canary-"]
    found = [word for word in secrets if any(word in text for text in everything)]
    assert found == []


def test_airflow_keeps_the_promises_of_every_engine(template: Path, tmp_path: Path) -> None:
    home = airflows.made(tmp_path / "home", template).home
    note = home / "dags" / "hello.py"

    def state(database: Path, dags: Path) -> object:
        rows = [
            airflows.query(database, f"SELECT * FROM {table}")
            for table in ("connection", "variable", "dag_run", "task_instance", "dag")
        ]
        return rows, trees.tree_at(dags)

    def change(step: int) -> None:
        note.write_text(airflows.DAG % step)
        statement = "INSERT INTO variable (key, val, is_encrypted) VALUES (?, 'x', 0)"
        airflows.query(home / "airflow.db", statement, f"v{step}")

    shutil.rmtree(home / "dags" / "__pycache__", ignore_errors=True)
    case = EngineCase(
        engine=AirflowEngine(),
        source=AirflowOptions(engine="airflow", home=str(home)),
        missing=AirflowOptions(engine="airflow", home=str(tmp_path / "gone")),
        state=lambda: state(home / "airflow.db", home / "dags"),
        restored=lambda folder: state(
            folder / "database" / "airflow.db", folder / "bundles" / "dags-folder"
        ),
        change=change,
    )
    assert len(check_engine(case, tmp_path / "place")) == len(PROMISES)
