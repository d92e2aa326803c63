"""
Real installations of Airflow, without processes: a folder, a migrated database, connections, variables and a DAG that
ran.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from configparser import RawConfigParser
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECRET = "canary-a1b2%c/3"
DAG = """
from airflow.sdk import dag, task


@dag(schedule=None, tags=["%s"])
def hello():
    @task
    def greet():
        return "hello"

    greet()


hello()
"""
_COMMANDS = """
import json
import sys

from airflow.__main__ import main

for words in json.loads(sys.argv.pop(1)):
    sys.argv[1:] = words
    main()
"""
"""Several commands in one process: to import Airflow takes longer than they do."""

_SHIM = """
import sys
import pymysql
import pymysql.converters

pymysql.version_info = (2, 2, 4, "final", 0)
pymysql.converters.DateTime2literal = pymysql.converters.escape_datetime
pymysql.install_as_MySQLdb()
sys.modules["MySQLdb.converters"] = pymysql.converters
"""
"""Airflow asks for mysqlclient, which needs a compiler; PyMySQL does what these tests need of it."""


@dataclass(frozen=True)
class Installation:
    """One Airflow: its folder, and what its processes are told besides."""

    home: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, *commands: str, **more: str) -> str:
        """Run ``airflow`` commands, each written as one text, in one process; return what they print."""
        given = json.dumps([shlex.split(each) for each in commands])
        done = subprocess.run(
            [sys.executable, "-c", _COMMANDS, given],
            env=self.told | more,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,  # the assertion below shows what it said
        )
        assert done.returncode == 0, f"airflow {commands}: {done.stderr[-3000:]}"
        return done.stdout

    @property
    def told(self) -> dict[str, str]:
        """The environment of its processes."""
        kept = {name: text for name, text in os.environ.items() if "AIRFLOW" not in name}
        own = {"AIRFLOW_HOME": str(self.home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        return (
            kept
            | {"AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False"}
            | own
            | dict(self.environment)
        )

    @property
    def fernet_key(self) -> str:
        """The key that Airflow made when it wrote its configuration."""
        found = RawConfigParser()
        found.read(self.home / "airflow.cfg")
        return found["core"]["fernet_key"]

    def fill(self) -> None:
        """Migrate the database, and make everything that a backup has to bring back."""
        (self.home / "dags" / "sub").mkdir(parents=True, exist_ok=True)
        (self.home / "plugins").mkdir(exist_ok=True)
        (self.home / "dags" / "hello.py").write_text(DAG % "first")
        (self.home / "dags" / "sub" / "note.txt").write_text("beside the DAGs")
        (self.home / "plugins" / "own_plugin.py").write_text("WORD = 'own'\n")
        password = SECRET.replace("%", "%25").replace("/", "%2F")
        self.run(
            "db migrate",
            f"connections add shop --conn-uri postgres://app:{password}@db:5433/shop?sslmode=require",
            f"variables set colour 'blue {SECRET}'",
            "dags reserialize",
            "dags test hello 2026-01-02",
        )

    def content(self) -> dict[str, Any]:
        """Return what somebody would miss: as Airflow's own commands tell it."""
        files = {what: self.home / f"{what}.json" for what in ("connections", "variables")}
        printed = self.run(
            *(f"{what} export {shlex.quote(str(path))}" for what, path in files.items()),
            "dags list -o json",
            "dags list-runs hello -o json",
        )
        found: dict[str, Any] = {}
        for what, path in files.items():
            found[what] = json.loads(path.read_text())
            path.unlink()
        found["dags"], found["runs"] = _rows(printed)
        for each in found["dags"]:  # the folder may be another one
            each.pop("fileloc", None)
        return found


def _rows(printed: str) -> list[list[dict[str, Any]]]:
    return [json.loads(line) for line in printed.splitlines() if line.startswith("[{")]


def made(home: Path, template: Path | None = None) -> Installation:
    """Make an installation with SQLite in a new folder, or copy one that was made: a migration takes seconds."""
    found = Installation(home)
    if template is not None:
        shutil.copytree(template, home)
        config = home / "airflow.cfg"
        config.write_text(config.read_text().replace(str(template), str(home)))
        return found
    home.mkdir(parents=True)
    found.fill()
    return found


def shim(folder: Path) -> str:
    """Write what lets Airflow use PyMySQL; return the folder, for PYTHONPATH."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(_SHIM)
    return str(folder)


def query(database: Path, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Run a statement on a database file."""
    with closing(sqlite3.connect(database)) as connection, connection:
        return connection.execute(statement, values).fetchall()
