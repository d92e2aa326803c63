"""
The environment of every process that the package starts, over all engines and verbs: nothing of the worker's is in it.

An audit hook of Python sees each start, also one by a library; what those programs start inherits no more.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.backup.backup import backup
from airflow_backup.actions.sets.stored_set import StoredSet, open_chain
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import Connection
from airflow_backup.core.words import Kind
from airflow_backup.engines.capabilities import Decoder, Loader, RestoreTester
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.engines.registry import registry
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.storage.open import open_storage
from support.servers import firebird
from support.servers import postgres as servers
from support.servers.mariadb import mariadb, require
from support.servers.postgres import postgres
from support.stored.sets import Clock, run_number

pytestmark = pytest.mark.service

CANARY = "canary-of-the-worker-8c1"
CANARIES = (
    *(
        "AIRFLOW__CORE__FERNET_KEY",
        "AIRFLOW__API_AUTH__JWT_SECRET",
        "AIRFLOW_CONN_X",
        "AIRFLOW_HOME_X",
    ),
    *("AWS_SECRET_ACCESS_KEY", "RESTIC_PASSWORD_COMMAND", "PGPASSWORD", "PGOPTIONS_X", "MYSQL_PWD"),
    *(
        "ISC_PASSWORD",
        "DATABASE_URL",
        "BASH_ENV",
        "PERL5OPT",
        "GIT_SSH_COMMAND",
        "SECRET",
        "USER_X",
    ),
)
EVERYBODYS = {"PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR"}
"""Besides `LC_*`."""

OWN = {
    "postgres": {"PGPASSFILE", "PGPASSWORD"},
    "mysql": {"MYSQL_TEST_LOGIN_FILE", "MYSQL_HISTFILE"},
    "firebird": {"FIREBIRD", "FIREBIRD_LOCK", "FIREBIRD_TMP"},
    "restic": {
        "RESTIC_PASSWORD_FILE",
        "RESTIC_REPOSITORY_FILE",
        "RESTIC_PROGRESS_FPS",
        "RESTIC_CACHE_DIR",
    },
    "command": {"BACKUP_OUTPUT", "EXPORT_MODE"},
    "sqlite": set(),
    "files": set(),
}
"""What each engine sets itself."""

_seen: list[tuple[str, dict[str, str] | None]] = []
_is_looking = False


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _is_looking:
        return
    if event == "subprocess.Popen":
        _, command, _, environment = arguments
        _seen.append((str(command), None if environment is None else dict(environment)))
    elif event in ("os.system", "os.posix_spawn", "os.fork", "os.forkpty", "os.exec", "pty.spawn"):
        _seen.append((event, None))


sys.addaudithook(_hook)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, dict[str, str] | None]]]:
    global _is_looking
    for name in CANARIES:
        monkeypatch.setenv(name, CANARY)
    _seen.clear()
    _is_looking = True
    yield _seen
    _is_looking = False


CASES = (
    *(
        "postgres logical",
        "postgres physical",
        "mysql logical",
        "mysql physical",
        "firebird logical",
    ),
    *("firebird physical", "restic", "command", "sqlite", "files"),
)


@pytest.fixture(params=CASES)
def source(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[dict[str, Any], Connection]]:
    engine, _, method = request.param.partition(" ")
    written = {"engine": engine, "connection": "c", **({"method": method} if method else {})}
    tree = tmp_path / "tree"
    tree.mkdir()
    if engine == "postgres":
        servers.require()
        with postgres() as server:
            server.query("postgres", "CREATE TABLE kept AS SELECT 1 AS n")
            yield written, server.connection()
    elif engine == "mysql":
        require()
        with mariadb() as running:
            running.query("CREATE DATABASE bank;\nCREATE TABLE bank.kept (n INT PRIMARY KEY)")
            bank = {} if method == "physical" else {"database": "bank"}
            yield written | bank, running.connection()
    elif engine == "firebird":
        if not firebird.is_installed():
            pytest.skip("there is no Firebird on this machine")
        own = firebird.make_firebird(tmp_path / "firebird")
        monkeypatch.setenv("FIREBIRD", own.environment["FIREBIRD"])
        yield written | {"database": str(own.make("bank.fdb"))}, Connection("c")
    else:
        yield _plain(engine, tmp_path, tree), Connection("c", password="secret")


def _plain(engine: str, folder: Path, tree: Path) -> dict[str, Any]:
    if engine == "sqlite":
        import sqlite3

        with sqlite3.connect(tree / "x.db") as database:
            database.execute("CREATE TABLE kept (n)")
        return {"engine": engine, "path": f"{tree}/x.db"}
    for number in range(600):  # enough for the helpers of a restore
        (tree / f"{number}").write_text("x")
    if engine == "files":
        return {"engine": engine, "path": str(tree)}
    if engine == "restic":
        repository = {"restic_repository": f"{folder}/restic", "init": True}
        return {"engine": engine, "connection": "c", "path": str(tree), **repository}
    return {
        "engine": engine,
        "workflow": {"command": ["/usr/bin/env"]},
        "environment": {"EXPORT_MODE": "full"},
    }


def test_no_program_gets_anything_of_the_worker(
    source: tuple[dict[str, Any], Connection],
    seen: list[tuple[str, dict[str, str] | None]],
    tmp_path: Path,
) -> None:
    given, connection = source
    item = Schedule.model_validate(
        {
            "id": "x",
            "source": given,
            "repository": f"file://{tmp_path}/repository",
            "preset": "daily",
        }
    )
    engine = registry().get(item.source.engine)
    context = EngineContext(connections=lambda name: connection, source=item.source)
    paths = list(taken(item, connection, engine.kinds))
    for number, path in enumerate(paths):
        if isinstance(engine, Decoder):
            assert engine.decode(path, context).inconclusive is None
        if isinstance(engine, RestoreTester):
            assert engine.try_restore(path, context).inconclusive is None
        engine.restore(path, tmp_path / f"back-{number}", context)
    if isinstance(engine, Loader) and given.get("method") == "logical":
        engine.load(paths[0], context, connection="c", database="copy")
    _check(seen, OWN[item.source.engine])
    assert seen, "nothing was started, and so nothing was seen"


def taken(
    item: Schedule, connection: Connection, kinds: frozenset[Kind]
) -> Iterator[list[StoredSet]]:
    wanted = [Kind.FULL]
    if Kind.INCREMENTAL in (item.source.kinds or kinds) and item.source.engine != "postgres":
        wanted.append(Kind.INCREMENTAL)
    with Catalog.open("sqlite://") as catalog:
        for number, kind in enumerate(wanted):
            result = backup(
                item,
                run_number(number),
                catalog=catalog,
                connections=lambda name: connection,
                clock=Clock(run_number(number).at),
                kind=kind,
                allowed_commands=["/usr/bin/env"],
            )
            storage = open_storage(item.repository)
            yield list(open_chain(storage, Trust("x"), result.set_id))


def _check(seen: list[tuple[str, dict[str, str] | None]], own: set[str]) -> None:
    for command, environment in seen:
        assert environment is not None, f"{command} has our environment"
        more = {each for each in environment if not each.startswith("LC_")} - EVERYBODYS - own
        assert more == set(), f"{command} got {more}"
        assert CANARY not in "".join(environment.values()), command
        assert all(environment.get(name) == os.environ[name] for name in ("PATH",))
