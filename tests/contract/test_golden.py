"""Sets that earlier releases wrote are restored and verified by this one, and what they hold is what was backed up."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from airflow_backup.actions.maintain.sync import sync
from airflow_backup.actions.restore.restore import restore
from airflow_backup.actions.restore.target import ServerTarget
from airflow_backup.actions.sets.encryption import read_keys
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.actions.verify.inspect import Inspection, inspect_set
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import Connection, from_environment
from airflow_backup.core.words import VerificationLevel, VerificationOutcome
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.storage.open import open_storage
from support.servers import postgres as servers
from support.servers.mariadb import mariadb, require
from support.stored.sets import Clock

GOLDEN = Path(__file__).parents[1] / "golden" / "0.1.0"
KEY = str(GOLDEN / "test.key")
ENGINES = {
    "notes": "files",
    "secrets": "files",
    "shop": "sqlite",
    "crm": "postgres",
    "bank": "mysql",
}
WRITTEN_AT = 1_000_000_000_123_456_789
LARGE = random.Random(7).randbytes(300) * 7000


@pytest.fixture
def repository(tmp_path: Path) -> str:
    shutil.copytree(GOLDEN / "repository", tmp_path / "repository")
    return f"file://{tmp_path}/repository"


def sets_of(repository: str, schedule_id: str) -> list[str]:
    return sorted(open_storage(repository).folders(f"{schedule_id}/sets/"))


def back(repository: str, schedule_id: str, number: int, target: Path) -> Path:
    restore(
        Trust(schedule_id, ENGINES[schedule_id]),
        repository=repository,
        target=target,
        connections=from_environment,
        clock=Clock(),
        set_id=sets_of(repository, schedule_id)[number],
        keys=read_keys(KEY),
    )
    return target


@pytest.mark.parametrize("schedule_id", ["notes", "secrets"])
def test_files_come_back_as_they_were(repository: str, schedule_id: str, tmp_path: Path) -> None:
    full = back(repository, schedule_id, 0, tmp_path / "full")
    sub = full / "sub"
    plain = full / "plain.txt"
    found = plain.stat()
    assert (plain.read_text(), stat.S_IMODE(found.st_mode), found.st_nlink) == ("one\n", 0o4755, 2)
    assert found.st_mtime_ns == WRITTEN_AT
    assert os.getxattr(plain, "user.note") == b"kept"
    assert plain.samefile(sub / "hard-link")
    assert os.readlink(sub / "symbolic-link") == "../plain.txt"
    assert (full / "empty").read_bytes() == b""
    assert (sub / "ünïcödé – \n newline").read_text() == "strange name"
    assert (sub / ("n" * 200)).read_text() == "long name"
    sparse = (full / "sparse").read_bytes()
    assert sparse == b"\0" * 2_000_000 + b"data in the middle" + b"\0" * 999_982
    assert (sub / "deeper" / "large.bin").read_bytes() == LARGE

    later = back(repository, schedule_id, 1, tmp_path / "later")
    assert (later / "plain.txt").read_text() == "two\n"
    assert (later / "sub" / "new").read_text() == "new\n"
    assert not (later / "empty").exists()
    after = (later / "sub" / "deeper" / "large.bin").read_bytes()
    assert after == LARGE[:1_500_000] + b"x" + LARGE[1_500_001:]


def test_an_sqlite_database_comes_back_as_it_was(repository: str, tmp_path: Path) -> None:
    for number, expected in ((0, "thing 249"), (1, "changed")):
        target = back(repository, "shop", number, tmp_path / str(number))
        with closing(sqlite3.connect(target / "shop.db")) as connection:
            rows = dict(connection.execute("SELECT id, what FROM sold"))
        assert (len(rows), rows[250], rows[1]) == (500, expected, "thing 0")


@pytest.mark.parametrize("schedule_id", ENGINES)
def test_every_level_passes(repository: str, schedule_id: str) -> None:
    if schedule_id == "bank":
        require()
    storage, trust = open_storage(repository), Trust(schedule_id, ENGINES[schedule_id])
    for level in VerificationLevel:
        how = Inspection(level=level, context=EngineContext(), keys=tuple(read_keys(KEY)))
        for set_id in sets_of(repository, schedule_id):
            result = inspect_set(storage, trust, set_id, how)[0]
            assert (result.outcome, result.proven) == (VerificationOutcome.PASSED, level), result


@pytest.mark.service
def test_a_postgres_database_comes_back_as_it_was(repository: str) -> None:
    servers.require()
    with servers.postgres() as server:
        server.query("postgres", "CREATE ROLE postgres")
        load(repository, "crm", server.connection())
        assert server.query("copy", "SELECT count(*), max(name) FROM people") == "200|person 99"
        assert server.query("copy", "SELECT count(*) FROM short") == "9"


@pytest.mark.service
def test_a_mariadb_database_comes_back_as_it_was(repository: str) -> None:
    require()
    with mariadb() as server:
        load(repository, "bank", server.connection())
        rows = server.query("SELECT count(*), max(owner) FROM copy.accounts")
        assert rows == [(200, "owner 99")]


def load(repository: str, schedule_id: str, connection: Connection) -> None:
    restore(
        Trust(schedule_id, ENGINES[schedule_id]),
        repository=repository,
        target=ServerTarget("standby", "copy"),
        connections=lambda name: connection,
        clock=Clock(),
    )


def test_the_catalog_takes_them_in(repository: str) -> None:
    with Catalog.open("sqlite://") as catalog:
        found = sync(open_storage(repository), repository, catalog)
        assert (found.recorded, found.problems) == (8, ())
        assert {row.schedule_id for row in catalog.sets.of("notes")} == {"notes"}
