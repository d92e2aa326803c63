"""The example engine of the documentation: built, installed beside us, and used on a real Redis."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from airflow_backup.engine import EngineCase, check_engine

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "redis_engine"
PASSWORD = "canary-redis-1c9"

if shutil.which("redis-server") is None and not os.environ.get("CI"):
    pytest.skip("Redis is not installed", allow_module_level=True)
pytestmark = pytest.mark.service


@contextmanager
def redis(folder: Path) -> Iterator[int]:
    """Run a server in ``folder``, which loads the snapshot that lies there; yield its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    options = {
        "bind": "127.0.0.1",
        "port": str(port),
        "dir": str(folder),
        "save": "",
        "requirepass": PASSWORD,
    }
    (folder / "redis.conf").write_text(
        "".join(f'{key} "{text}"\n' for key, text in options.items())
    )
    server = subprocess.Popen(
        ["redis-server", str(folder / "redis.conf")], stdout=subprocess.DEVNULL
    )
    try:
        for _ in range(200):
            if ask(port, "PING") == "PONG":
                break
            time.sleep(0.05)
        yield port
    finally:
        server.terminate()
        server.wait(20)


def ask(port: int, *words: str, text: str | None = None) -> str:
    done = subprocess.run(
        ["redis-cli", "-p", str(port), *words],
        env={**os.environ, "REDISCLI_AUTH": PASSWORD},
        input=text,
        capture_output=True,
        text=True,
        check=False,  # it may not listen yet
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example package, installed into a folder."""
    folder = tmp_path_factory.mktemp("engine")
    shutil.copytree(EXAMPLE, folder / "source")
    uv = Path(sys.executable).parent / "uv"
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--python", sys.executable]
    where = ["--target", str(folder / "site"), str(folder / "source")]
    subprocess.run([str(uv), "pip", "install", *options, *where], check=True)
    return folder / "site"


def test_an_engine_of_another_package_is_as_good_as_ours(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    schedules = tmp_path / "schedules.yaml"
    schedules.write_text(
        f"version: 1\ndefaults: {{repository: 'file://{tmp_path}/repository', preset: daily}}\n"
        "schedules:\n  - {id: cache, source: {engine: redis, connection: cache}}\n"
    )
    with redis(tmp_path / "one") as port:
        ask(port, text="".join(f"SET key:{n} value-{n * n}\n" for n in range(5000)))
        connection = {"conn_type": "redis", "host": "127.0.0.1", "port": port, "password": PASSWORD}

        def command(*words: str) -> subprocess.CompletedProcess[str]:
            environment = {
                **os.environ,
                "PYTHONPATH": str(installed),
                "AIRFLOW_CONN_CACHE": json.dumps(connection),
                "AIRFLOW_HOME": str(tmp_path),
            }
            program = Path(sys.executable).parent / "airflow-backup"
            return subprocess.run(
                [program, *words],
                env=environment,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,  # the caller looks
            )

        assert command("validate").returncode == 0
        taken = command("run", "cache", "--format", "json")
        assert taken.returncode == 0, taken.stderr
        assert json.loads(taken.stdout)["engine"] == "redis"
        verified = command("verify", "cache")
        assert verified.returncode == 0, verified.stdout + verified.stderr
    target = tmp_path / "restored"
    restored = command("restore", "cache", "--to", str(target))
    assert restored.returncode == 0, restored.stderr
    with redis(target) as port:
        assert ask(port, "DBSIZE") == "5000"
        assert ask(port, "GET", "key:70") == "value-4900"
    wrong = schedules.read_text().replace("connection: cache", "conection: cache")
    schedules.write_text(wrong)
    refused = command("validate")
    assert refused.returncode == 1
    assert "schedules.yaml:4:" in refused.stdout
    assert "conection" in refused.stdout


def test_the_example_keeps_the_promises_of_every_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_from_file_location("airflow_backup_redis", EXAMPLE / "airflow_backup_redis.py")
    assert spec is not None
    assert spec.loader is not None
    example = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, example)
    spec.loader.exec_module(example)
    (tmp_path / "one").mkdir()
    with redis(tmp_path / "one") as port:
        for name, where in (("CACHE", port), ("GONE", 1)):
            told = {"conn_type": "redis", "host": "127.0.0.1", "port": where, "password": PASSWORD}
            monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(told))
        ask(port, "SET", "first", "value")

        def content(at: int) -> dict[str, str]:
            return {name: ask(at, "GET", name) for name in ask(at, "KEYS", "*").split()}

        def change(step: int) -> None:
            ask(port, "SET", f"changed-{step}", str(step))

        def restored(folder: Path) -> dict[str, str]:
            with redis(folder) as other:
                return content(other)

        kept = check_engine(
            EngineCase(
                engine=example.RedisEngine(),
                source=example.RedisOptions(engine="redis", connection="cache"),
                missing=example.RedisOptions(engine="redis", connection="gone"),
                state=lambda: content(port),
                restored=restored,
                change=change,
            ),
            tmp_path / "place",
        )
    assert "Where half of a piece is missing, a restore fails, or does not need it." in kept
