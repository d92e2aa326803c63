"""
Canaries: secrets planted wherever one can be, and looked for wherever they must not be.

One Airflow runs a schedule of every engine and storage, some of which fail, since errors leak most easily.
Afterwards no canary may stand in any argument list, log, database (XCom, rendered fields, serialized DAGs and
our catalog are rows of them) or manifest.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.airflow.home import AirflowHome
from support.argument_lists import ArgumentLists
from support.servers.firebird import is_installed as has_firebird
from support.servers.postgres import PASSWORD as POSTGRES_PASSWORD
from support.servers.postgres import USER, postgres, programs
from support.servers.s3 import s3_server
from support.servers.sftp import PASSWORD as SFTP_PASSWORD
from support.servers.sftp import SftpServer, sftp_server

pytestmark = [pytest.mark.service, pytest.mark.slow(minutes=6)]

API = "backup/api/v1"


@dataclass
class Canaries:
    """Every secret that was planted, by where."""

    planted: dict[str, str] = field(default_factory=dict)

    def new(self, place: str) -> str:
        """Plant one."""
        secret = f"canary{len(self.planted):02d}x{os.urandom(6).hex()}"
        self.planted[place] = secret
        return secret

    def found_in(self, data: bytes) -> list[str]:
        """Name the places whose secret stands in ``data``."""
        return [place for place, secret in self.planted.items() if secret.encode() in data]


@dataclass
class World:
    """What the schedules read and where they store."""

    folder: Path
    canaries: Canaries = field(default_factory=Canaries)
    connections: dict[str, dict[str, Any]] = field(default_factory=dict)
    schedules: list[dict[str, Any]] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)

    def connect(self, name: str, **given: Any) -> None:
        """Add a connection."""
        self.connections[name] = given

    def schedule(
        self, name: str, source: dict[str, Any], *, fails: bool = False, **more: Any
    ) -> None:
        """Add a schedule that is run once."""
        if source.get("path") == str(self.folder / "data"):  # of its own: one source is read by one
            own = shutil.copytree(self.folder / "data", self.folder / f"data of {name}")
            source = {**source, "path": str(own)}
        plain = {"repository": f"file://{self.folder}/repository", "cron": "0 3 1 1 *"}
        self.schedules.append({"id": name, "source": source, **plain, **more})
        if fails:
            self.failing.add(name)

    def environment(self) -> dict[str, str]:
        """Return the connections as Airflow reads them."""
        return {
            f"AIRFLOW_CONN_{name.upper()}": json.dumps(given)
            for name, given in self.connections.items()
        }


@pytest.mark.timeout(1500)  # its schedules wait for each other where they read one source
def test_no_secret_leaves_its_place(tmp_path: Path) -> None:
    world = World(tmp_path)
    with ExitStack() as servers:
        _plant(world, servers)
        assert len(world.canaries.planted) >= 20
        settings = {
            **world.environment(),
            "AIRFLOW__BACKUP__ALLOWED_COMMANDS": f"{tmp_path}/export",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
        }
        text = json.dumps({"version": 1, "schedules": world.schedules, "defaults": _DEFAULTS})
        home = AirflowHome(tmp_path / "airflow", schedules=text, environment=settings)
        with home as airflow, ArgumentLists() as seen:
            airflow.start()
            with airflow.client("admin") as api:
                _run_all(world, airflow, api)
        assert len(seen) > 10
    leaks = {each: found for each in seen if (found := world.canaries.found_in(each.encode()))}
    assert not leaks
    looked_at = 0
    for path in _kept(tmp_path):
        assert not world.canaries.found_in(path.read_bytes()), path
        looked_at += 1
    assert looked_at > 20


_DEFAULTS = {
    "retry": {"max_retries": 0},
    "verify": {"level": "full"},
    "retention": {"last": 3},
}


def _kept(folder: Path) -> Iterator[Path]:
    """Yield every log, database and manifest that the runs left."""
    for path in (folder / "airflow").rglob("*"):
        if path.is_file() and path.name != "schedules.yaml":
            yield path
    yield from folder.rglob("manifest.json")
    yield from folder.rglob("result.json")


def _run_all(world: World, airflow: AirflowHome, api: httpx.Client) -> None:
    names = [schedule["id"] for schedule in world.schedules]

    def all_known() -> bool:
        answer = api.get(f"{API}/schedules", params={"limit": 100})
        assert not api.get(f"{API}/status").json()["load_problems"]
        return answer.status_code == 200 and {
            each["id"] for each in answer.json()["schedules"] if each["enabled"] is not None
        } >= set(names)

    airflow.wait_for(all_known, what="all schedules")
    for name in names:
        answer = api.post(f"{API}/schedules/{name}/run", json={})
        assert answer.status_code == 202, answer.text
    for name in names:
        airflow.wait_for(partial(_over, api, name), what=f"a run of {name}", patience=900)
    told = {name: api.get(f"{API}/schedules/{name}/runs").json()["runs"][0] for name in names}
    failed = {name for name, run in told.items() if run["status"] == "failed"}
    assert failed == world.failing, {name: told[name]["error"] for name in failed ^ world.failing}
    assert not world.canaries.found_in(json.dumps(told).encode())


def _over(api: httpx.Client, name: str) -> bool:
    runs = api.get(f"{API}/schedules/{name}/runs").json()["runs"]
    dag_runs = api.get(f"api/v2/dags/backup__{name}/dagRuns").json()["dag_runs"]
    is_settled = bool(dag_runs) and all(run["state"] in ("success", "failed") for run in dag_runs)
    return is_settled and bool(runs) and runs[0]["status"] in ("completed", "failed")


def _plant(world: World, servers: ExitStack) -> None:
    _plant_files(world)
    _plant_command(world)
    _plant_buckets(world, servers)
    _plant_sftp(world, servers)
    if programs() is not None or os.environ.get("CI"):
        _plant_postgres(world, servers)
    if shutil.which("restic") or os.environ.get("CI"):
        _plant_restic(world)
    if has_firebird() or os.environ.get("CI"):
        _plant_firebird(world)


def _plant_files(world: World) -> None:
    data = world.folder / "data"
    data.mkdir()
    (data / "secret.txt").write_text(world.canaries.new("content of a file"))
    with closing(sqlite3.connect(world.folder / "shop.db")) as shop:
        shop.execute("CREATE TABLE customer (token)")
        shop.execute("INSERT INTO customer VALUES (?)", (world.canaries.new("row of SQLite"),))
        shop.commit()
    world.connect(
        "shop",
        conn_type="sqlite",
        host=str(world.folder / "shop.db"),
        password=world.canaries.new("password of SQLite"),
        extra={"token": world.canaries.new("extra of SQLite")},
    )
    world.schedule("files", {"engine": "files", "path": str(data)})
    world.schedule("shop", {"engine": "sqlite", "connection": "shop"})


def _plant_command(world: World) -> None:
    program = world.folder / "export"
    program.write_text(
        f"#!{sys.executable}\nimport os, sys\n"
        "token = os.environ['API_TOKEN']\nprint('out', token)\nprint('err', token, file=sys.stderr)\n"
        "sys.exit(token in os.environ.get('FAIL', '') or int(os.environ.get('CODE', 0)))\n"
    )
    program.chmod(0o755)
    for name, code in (("told", 0), ("failed", 4)):
        extra = {"also": world.canaries.new(f"extra of the API, {name}")}
        secret = world.canaries.new(f"token of the API, {name}")
        world.connect(f"api_{name}", conn_type="http", password=secret, extra=extra)
        source = {
            "engine": "command",
            "workflow": {"command": [str(program)]},
            "secrets": {"API_TOKEN": f"api_{name}"},
            "environment": {"CODE": str(code)},
        }
        world.schedule(f"command-{name}", source, fails=code != 0)


def _plant_buckets(world: World, servers: ExitStack) -> None:
    server = servers.enter_context(s3_server())
    bucket = server.new_bucket()
    source = {"engine": "files", "path": str(world.folder / "data")}
    for name, endpoint in (("s3", server.endpoint), ("s3_away", "http://127.0.0.1:9")):
        world.connect(
            name,
            conn_type="aws",
            login="AKIAEXAMPLE",
            password=world.canaries.new(f"secret of {name}"),
            extra={
                "endpoint_url": endpoint,
                "aws_session_token": world.canaries.new(f"session token of {name}"),
            },
        )
    world.schedule("to-s3", source, repository=f"s3://{bucket}/b", connection="s3")
    world.schedule("no-s3", source, repository="s3://b/b", connection="s3_away", fails=True)
    world.connect(
        "azure",
        conn_type="wasb",
        login="account",
        extra={
            "sas_token": f"sig={world.canaries.new('signature of Azure')}",
            "endpoint_url": "http://127.0.0.1:9/a",
        },
    )
    world.schedule("no-azure", source, repository="az://c/b", connection="azure", fails=True)
    key = {"type": "service_account", "private_key": world.canaries.new("key of Google")}
    world.connect("google", conn_type="google_cloud_platform", extra={"keyfile_dict": key})
    world.schedule("no-google", source, repository="gs://c/b", connection="google", fails=True)


def _plant_sftp(world: World, servers: ExitStack) -> None:
    root = world.folder / "elsewhere"
    root.mkdir()
    server: SftpServer = servers.enter_context(sftp_server(root))
    world.canaries.planted["password of SFTP"] = SFTP_PASSWORD
    source = {"engine": "files", "path": str(world.folder / "data")}
    place = f"sftp://127.0.0.1:{server.port}/backups"
    login = {"conn_type": "sftp", "login": "backup"}
    wrong = world.canaries.new("wrong password of SFTP")
    phrase = world.canaries.new("passphrase of SFTP")
    broken = {
        "private_key": world.canaries.new("private key of SFTP"),
        "private_key_passphrase": phrase,
    }
    known = {"host_key": server.host_key}
    world.connect("sftp", **login, password=SFTP_PASSWORD, extra=known)
    world.connect("sftp_wrong", **login, password=wrong, extra=known)
    world.connect("sftp_broken", **login, extra={**known, **broken})
    world.schedule("to-sftp", source, repository=place, connection="sftp")
    world.schedule("no-sftp", source, repository=place, connection="sftp_wrong", fails=True)
    world.schedule("no-key", source, repository=place, connection="sftp_broken", fails=True)


def _plant_postgres(world: World, servers: ExitStack) -> None:
    server = servers.enter_context(postgres())
    server.query(
        "postgres", f"CREATE TABLE t AS SELECT '{world.canaries.new('row of PostgreSQL')}'"
    )
    world.canaries.planted["password of PostgreSQL"] = POSTGRES_PASSWORD
    given = {"conn_type": "postgres", "host": "127.0.0.1", "port": server.port, "login": USER}
    wrong = world.canaries.new("wrong password of PostgreSQL")
    world.connect("pg", **given, schema="postgres", password=POSTGRES_PASSWORD)
    world.connect("pg_wrong", **given, schema="postgres", password=wrong)
    tools = {"engine": "postgres", "tools": str(server.programs)}
    world.schedule("pg", {**tools, "connection": "pg"})
    world.schedule("pg-physical", {**tools, "connection": "pg", "method": "physical"})
    world.schedule("no-pg", {**tools, "connection": "pg_wrong"}, fails=True)


def _plant_restic(world: World) -> None:
    for name in ("restic", "restic_of_nobody"):
        world.connect(
            name,
            conn_type="generic",
            password=world.canaries.new(f"password of {name}"),
            extra={"AWS_SECRET_ACCESS_KEY": world.canaries.new(f"variable of {name}")},
        )
        source = {
            "engine": "restic",
            "path": str(world.folder / "data"),
            "restic_repository": str(world.folder / name),
            "connection": name,
            "init": name == "restic",
        }
        world.schedule(name.replace("_", "-"), source, fails=name != "restic")


def _plant_firebird(world: World) -> None:
    world.connect(
        "bird",
        conn_type="generic",
        host="127.0.0.1",
        port=9,
        login="SYSDBA",
        password=world.canaries.new("password of Firebird"),
    )
    (world.folder / "bird.fdb").touch()
    source = {
        "engine": "firebird",
        "connection": "bird",
        "database": str(world.folder / "bird.fdb"),
    }
    world.schedule("no-bird", source, fails=True)
