"""The firebird engine with the real programs: chains of nbackup's levels, gbak's counts, a server with a password."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_backup.actions.backup.backup import BackupResult, backup
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import Connection
from airflow_backup.core.errors import (
    BackupError,
    ConfigError,
    SourceDenied,
    SourceError,
    SourceUnavailable,
    VerifyError,
)
from airflow_backup.core.process import commands
from airflow_backup.core.words import Kind
from airflow_backup.engines.firebird import runner as firebird_runner
from airflow_backup.engines.firebird.engine import FirebirdEngine
from airflow_backup.engines.firebird.options import FirebirdOptions
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.engines.shared import assertions as shared_assertions
from support.argument_lists import ArgumentLists
from support.servers.firebird import PASSWORD, Firebird, is_installed, make_firebird
from support.stored.sets import START, Clock, PlainJob, chain_of, run_number, stored

if not is_installed() and not os.environ.get("CI"):
    pytest.skip("Firebird is not installed", allow_module_level=True)
pytestmark = pytest.mark.service


@dataclass
class Place:
    """A database, its connection, a repository and a catalog."""

    firebird: Firebird
    database: Path
    catalog: Catalog
    connection: Connection

    def connections(self, connection_id: str) -> Connection:
        return self.connection

    def job(self, method: str) -> PlainJob:
        source = FirebirdOptions.model_validate(
            {
                "engine": "firebird",
                "connection": "bank",
                "database": str(self.database),
                "method": method,
            }
        )
        return PlainJob(source, f"file://{self.firebird.folder}/repository", id="bank")

    def take(self, number: int, method: str, kind: Kind = Kind.FULL) -> BackupResult:
        return backup(
            self.job(method),
            run_number(number),
            catalog=self.catalog,
            connections=self.connections,
            clock=Clock(START + timedelta(days=number)),
            kind=kind,
        )

    @property
    def context(self) -> EngineContext:
        return EngineContext(connections=self.connections)

    def notes(self, database: Path | None = None) -> dict[str, str]:
        words = self.firebird.ask(
            database or self.database, "SELECT id, COUNT(*) FROM note GROUP BY id ORDER BY id"
        )
        return dict(zip(words[::2], words[1::2], strict=True))

    def total(self, database: Path) -> int:
        return int(self.firebird.ask(database, "SELECT SUM(balance) FROM account")[0])


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    firebird = make_firebird(tmp_path)
    for name, value in firebird.environment.items():
        monkeypatch.setenv(name, value)
    local = Connection(id="bank", type="generic", login="SYSDBA")
    with Catalog.open("sqlite://") as catalog:
        yield Place(firebird, firebird.make("bank.fdb"), catalog, local)


KINDS = [
    Kind.FULL,
    Kind.INCREMENTAL,
    Kind.INCREMENTAL,
    Kind.DIFFERENTIAL,
    Kind.INCREMENTAL,
    Kind.INCREMENTAL,
    Kind.DIFFERENTIAL,
]


def test_every_link_of_a_chain_of_levels_restores_its_own_moment(
    place: Place, tmp_path: Path
) -> None:
    expected: dict[str, dict[str, str]] = {}
    results: list[BackupResult] = []
    with place.firebird.writer(place.database):
        for step, kind in enumerate(KINDS, 1):
            place.firebird.note(place.database, step)
            result = place.take(step, "physical", kind)
            assert (result.kind, result.reason) == (kind, None)
            expected[result.set_id] = place.notes()
            results.append(result)
    assert results[1].bytes_read < results[0].bytes_read / 2
    for result in results:
        chain = chain_of(place.job("physical"), result)
        target = tmp_path / f"restored-{result.set_id}"
        FirebirdEngine().restore(chain, target, place.context)
        assert place.notes(target / "bank.fdb") == expected[result.set_id]
        assert place.total(target / "bank.fdb") == 20_000


def test_a_dump_holds_the_rows_that_it_counted(place: Place, tmp_path: Path) -> None:
    place.firebird.note(place.database, 1)
    with place.firebird.writer(place.database):
        result = place.take(1, "logical")
    reader = stored(place.job("logical"), result)
    assert dict(reader.manifest.counts) == {"ACCOUNT": 200, "NOTE": 300}
    FirebirdEngine().restore([reader], tmp_path / "restored", place.context)
    restored = tmp_path / "restored" / "bank.fdb"
    assert place.total(restored) == 20_000
    assert place.notes(restored) == {"1": "300"}


def test_another_programs_nbackup_breaks_the_chain_and_is_noticed(
    place: Place, tmp_path: Path
) -> None:
    place.take(1, "physical")
    subprocess.run(
        ["nbackup", "-B", "0", str(place.database), str(tmp_path / "foreign.nbk")], check=True
    )
    result = place.take(2, "physical", Kind.INCREMENTAL)
    assert result.kind is Kind.FULL
    assert "nbackup builds upon" in (result.reason or "")


def test_a_restore_test_counts_and_asks(place: Place) -> None:
    place.firebird.note(place.database, 1)
    path = [stored(place.job("logical"), place.take(1, "logical"))]
    engine = FirebirdEngine()
    holds = ["SELECT SUM(balance) = 20000 FROM account"]
    report = engine.try_restore(path, place.context, assertions=holds)
    assert report.counts == {"ACCOUNT": 200, "NOTE": 300}
    assert engine.check_format(path[0])
    with pytest.raises(VerifyError, match="the assertion does not hold: SELECT 1 = 2"):
        engine.try_restore(path, place.context, assertions=["SELECT 1 = 2 FROM rdb$database"])


def test_an_nbackup_that_was_ended_leaves_the_database_usable(place: Place) -> None:
    place.firebird.note(place.database, 1, rows=40_000)
    slow = place.firebird.folder / "tools"
    slow.mkdir()
    for name in ("gbak", "nbackup"):
        (slow / name).write_text(f'#!/bin/sh\nexec /usr/bin/{name} "$@"\n')
        (slow / name).chmod(0o755)
    # It is stopped once it has locked the database and written, as a cancel would.
    (slow / "nbackup").write_text(
        '#!/bin/sh\nif [ "$1" = -user ]; then shift 2; fi\n'
        'if [ "$1" = -NODBTRIGGERS ]; then shift; fi\n'
        'if [ "$1" = -B ]; then /usr/bin/nbackup -L "$3"; head -c 100000 /dev/zero | tr "\\\\0" x; sleep 60; fi\n'
        'exec /usr/bin/nbackup "$@"\n'
    )
    job = place.job("physical")
    source = job.source.model_copy(update={"tools": str(slow)})
    with pytest.raises(BackupError):
        backup(
            PlainJob(source, job.repository, id="bank"),
            run_number(1),
            catalog=place.catalog,
            connections=place.connections,
            clock=Clock(),
        )
    assert place.take(2, "physical").kind is Kind.FULL


def test_a_server_is_asked_with_a_password_that_shows_nowhere(place: Place) -> None:
    with place.firebird.server() as port:
        place.connection = Connection(
            id="bank",
            type="generic",
            host="127.0.0.1",
            port=port,
            login="SYSDBA",
            password=PASSWORD,
        )
        place.firebird.note(place.database, 1, rows=2000)
        with ArgumentLists(only="backup") as seen:
            result = place.take(1, "logical")
            place.take(2, "physical")
        place.connection = Connection(
            id="bank", host="127.0.0.1", port=port, login="SYSDBA", password="wrong"
        )
        with pytest.raises(SourceDenied):
            place.take(3, "logical")
    assert any("-fetch_password" in each for each in seen)
    assert not any(PASSWORD in each for each in seen)
    manifest = stored(place.job("logical"), result).manifest
    assert PASSWORD not in manifest.to_bytes().decode()
    with pytest.raises(SourceUnavailable):
        place.take(4, "logical")


def test_what_is_in_the_way_is_said(place: Place) -> None:
    engine = FirebirdEngine()
    source = place.job("physical").source
    place.connection = Connection(id="bank", host="db.example", login="SYSDBA")
    (problem,) = engine.check(source, place.context)
    assert isinstance(problem, ConfigError)
    assert "another machine" in problem.message
    place.connection = Connection(id="bank")
    (problem,) = engine.check(
        source.model_copy(update={"database": "/nowhere/x.fdb"}), place.context
    )
    assert isinstance(problem, SourceError)
    assert "there is no database '/nowhere/x.fdb'" in problem.message


def test_a_user_in_the_environment_of_the_worker_is_not_ours(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISC_USER", "nobody_here")
    monkeypatch.setenv("ISC_PASSWORD", "wrong")
    seen = commands.run(["sh", "-c", "env"], environment=firebird_runner.environment()).output
    assert b"ISC_" not in seen
    assert b"FIREBIRD=" in seen


@pytest.mark.parametrize(
    "assertion",
    [
        "SHELL touch {folder}/mark",
        "SELECT 1 FROM rdb$database; SHELL touch {folder}/mark",
        "SELECT 1 FROM rdb$database;\nSHELL touch {folder}/mark;",
        "OUTPUT {folder}/mark",
        "IN {folder}/mark",
        "SELECT 1 /* ; */ FROM rdb$database",
        "DELETE FROM account",
        "EXECUTE BLOCK AS BEGIN END",
        "SELECT id FROM account WITH LOCK",
        "SELECT result FROM forget",
    ],
)
def test_an_assertion_is_one_question_that_only_reads(
    place: Place, tmp_path: Path, assertion: str
) -> None:
    place.firebird.run(
        place.database,
        "SET TERM ^;CREATE PROCEDURE forget RETURNS (result INT) AS BEGIN DELETE FROM account; "
        "result = 1; SUSPEND; END^ SET TERM ;^ COMMIT;",
    )
    path = [stored(place.job("logical"), place.take(1, "logical"))]
    asked = assertion.replace("{folder}", str(tmp_path))
    with pytest.raises(VerifyError, match="the assertion"):
        FirebirdEngine().try_restore(path, place.context, assertions=[asked])
    assert not (tmp_path / "mark").exists()


def test_an_assertion_without_an_end_is_ended(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_assertions, "LIMIT", 1.0)
    path = [stored(place.job("logical"), place.take(1, "logical"))]
    query = "SELECT count(*) FROM account a, account b, account c, account d, account e, account f"
    with pytest.raises(VerifyError, match="was ended after 1 seconds"):
        FirebirdEngine().try_restore(path, place.context, assertions=[query])
