"""SQLite databases as applications have them: what cannot be told here is never called corrupt."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.backup.backup import BackupResult
from airflow_backup.actions.verify.verify import Bare, Verifier
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import from_environment
from airflow_backup.core.errors import EngineError, SourceChanged, VerifyError
from airflow_backup.core.words import Kind, VerificationLevel, VerificationOutcome
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.engines.shared.restore_marker import MARKER
from airflow_backup.engines.sqlite import engine, wal
from airflow_backup.engines.sqlite import reader as sqlite_reader
from airflow_backup.engines.sqlite.engine import SqliteEngine
from airflow_backup.engines.sqlite.open import Looked, look_through
from airflow_backup.engines.sqlite.options import SqliteOptions
from airflow_backup.engines.sqlite.wal import pin
from support.stored.sets import Clock, PlainJob, chain_of, run_number, take

OF_THE_APPLICATION = {
    "an index with its collation": "CREATE TABLE t (a); CREATE INDEX i ON t (a COLLATE ICU_DE)",
    "a key with its collation": "CREATE TABLE t (a TEXT COLLATE ICU_DE PRIMARY KEY) WITHOUT ROWID",
    "a virtual generated column": "CREATE TABLE t (a, s TEXT GENERATED ALWAYS AS (slug(a)) VIRTUAL)",
    "a stored generated column": "CREATE TABLE t (a, s TEXT GENERATED ALWAYS AS (slug(a)) STORED)",
    "an index on an expression": "CREATE TABLE t (a); CREATE INDEX i ON t (slug(a))",
    "a partial index": "CREATE TABLE t (a); CREATE INDEX i ON t (a) WHERE slug(a) = 'x'",
    "a check": "CREATE TABLE t (a CHECK (slug(a) <> ''))",
    "a default": "CREATE TABLE t (a, b DEFAULT (slug('X')))",
    "a view and a trigger": (
        "CREATE TABLE t (a); CREATE VIEW v AS SELECT slug(a) FROM t;"
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT slug(new.a); END"
    ),
}


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    with Catalog.open("sqlite://") as catalog:
        yield catalog


def application(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    connection.create_collation(
        "ICU_DE", lambda a, b: (a.lower() > b.lower()) - (a.lower() < b.lower())
    )
    connection.create_function("slug", 1, lambda text: str(text).lower(), deterministic=True)
    return connection


def job_of(path: Path, tmp_path: Path) -> PlainJob:
    return PlainJob(SqliteOptions(engine="sqlite", path=str(path)), f"file://{tmp_path}/repository")


def verified(job: PlainJob, result: BackupResult, level: VerificationLevel) -> VerificationOutcome:
    verifier = Verifier(
        Bare(job.id, job.repository), catalog=None, connections=from_environment, clock=Clock()
    )
    return verifier.verify(result.set_id, level)[0].outcome


@pytest.mark.parametrize("schema", OF_THE_APPLICATION.values(), ids=OF_THE_APPLICATION)
def test_what_only_the_application_can_compute_is_not_damage(
    tmp_path: Path, catalog: Catalog, schema: str
) -> None:
    path = tmp_path / "app.sqlite"
    with closing(application(path)) as live:
        live.executescript(f"CREATE TABLE plain (a); INSERT INTO plain VALUES (1), (2); {schema}")
        live.executemany("INSERT INTO t (a) VALUES (?)", [("Zebra",), ("apfel",), ("Öl",)])
        live.commit()
    job = job_of(path, tmp_path)
    first = take(job, catalog, run=run_number(1))
    assert chain_of(job, first)[0].manifest.counts["plain"] == 2
    with closing(application(path)) as live:
        live.execute("INSERT INTO t (a) VALUES ('birne')")
        live.commit()
    second = take(job, catalog, run=run_number(2), kind=Kind.INCREMENTAL)
    for result in (first, second):
        for level in ("standard", "full", "restore_test"):
            found = verified(job, result, VerificationLevel(level))
            assert found is VerificationOutcome.PASSED
    SqliteEngine().restore(chain_of(job, second), tmp_path / "back", EngineContext())
    with closing(application(tmp_path / "back/app.sqlite")) as back:
        assert back.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert back.execute("SELECT count(*) FROM t").fetchone() == (4,)


def test_what_could_not_be_looked_through_is_told(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "app.sqlite"
    with closing(application(path)) as live:
        live.executescript("CREATE TABLE t (a); CREATE INDEX i ON t (a COLLATE ICU_DE)")
    result = take(job_of(path, tmp_path), catalog)
    assert result.warnings == (
        "table 't' was not looked through: no such collation sequence: ICU_DE",
    )


def test_damage_beside_what_cannot_be_told_is_still_damage(tmp_path: Path) -> None:
    path = tmp_path / "app.sqlite"
    with closing(application(path)) as live:
        live.executescript("CREATE TABLE t (a); CREATE INDEX i ON t (a COLLATE ICU_DE)")
        live.execute("CREATE TABLE plain (a)")
        live.executemany("INSERT INTO plain VALUES (?)", [("x" * 900,)] * 200)
        live.commit()
    with path.open("r+b") as file:
        file.seek(4096 * 20)
        file.write(os.urandom(4096))
    with pytest.raises(VerifyError, match="the copy is damaged"):
        look_through(path, "the copy")


def test_a_disk_that_cannot_be_read_is_not_a_damaged_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "gone.sqlite"
    with pytest.raises(EngineError, match="cannot be looked through: unable to open"):
        look_through(path, "the copy")


def test_an_assertion_that_only_the_application_can_answer_says_nothing_of_the_set(
    tmp_path: Path, catalog: Catalog
) -> None:
    path = tmp_path / "app.sqlite"
    with closing(sqlite3.connect(path)) as live:
        live.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1)")
    job = job_of(path, tmp_path)
    result = take(job, catalog)
    verifier = Verifier(
        Bare(job.id, job.repository), catalog=None, connections=from_environment, clock=Clock()
    )
    (found,) = verifier.verify(
        result.set_id, VerificationLevel.RESTORE_TEST, assertions=["SELECT slug(a) FROM t"]
    )
    assert found.outcome is VerificationOutcome.INCONCLUSIVE
    assert "cannot be asked here: no such function: slug" in str(found.reason)


def changed_twice(tmp_path: Path, catalog: Catalog) -> tuple[PlainJob, BackupResult, Path]:
    path = tmp_path / "app.sqlite"
    with closing(sqlite3.connect(path)) as live:
        live.execute("CREATE TABLE t (a)")
        live.executemany("INSERT INTO t VALUES (?)", [("x" * 900,)] * 2000)
        live.commit()
    job = job_of(path, tmp_path)
    take(job, catalog, run=run_number(1))
    with closing(sqlite3.connect(path)) as live:
        live.execute("UPDATE t SET a = 'y' || a WHERE rowid % 500 = 0")
        live.commit()
    return job, take(job, catalog, run=run_number(2), kind=Kind.INCREMENTAL), path


@pytest.mark.parametrize("how", ["a page is left out", "a page is another one", "out of order"])
def test_the_default_verification_finds_a_set_that_would_not_restore(
    tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    job, good, path = changed_twice(tmp_path, catalog)
    assert verified(job, good, VerificationLevel.STANDARD) is VerificationOutcome.PASSED
    said = sqlite_reader.messages
    size = 4 + 4096

    def spoilt(chunks: Iterator[bytes]) -> Iterator[tuple[bytes, bytes]]:
        for kind, payload in said(chunks):
            if kind == b"P" and len(payload) >= 2 * size and how == "out of order":
                payload = payload[size : 2 * size] + payload[:size] + payload[2 * size :]
            elif kind == b"P" and payload and how == "a page is left out":
                payload = payload[size:]
            elif kind == b"P" and payload and how == "a page is another one":
                payload = payload[:-1] + bytes([payload[-1] ^ 1])
            yield kind, payload

    with closing(sqlite3.connect(path)) as live:
        live.execute("UPDATE t SET a = 'z' || a WHERE rowid % 300 = 0")
        live.commit()
    monkeypatch.setattr("airflow_backup.engines.sqlite.dump.messages", spoilt)
    bad = take(job, catalog, run=run_number(3), kind=Kind.INCREMENTAL)
    monkeypatch.undo()
    assert verified(job, bad, VerificationLevel.STANDARD) is VerificationOutcome.FAILED


def test_a_database_that_is_replaced_while_it_is_opened_is_not_mixed_with_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = tmp_path / "a.sqlite", tmp_path / "b.sqlite"
    for each in (path, other):
        with closing(sqlite3.connect(each)) as live:
            live.execute("CREATE TABLE t (a)")
            live.execute("INSERT INTO t VALUES (?)", (each.name,))
            live.commit()
    (tmp_path / "table").write_bytes(b"")

    def replacing(live: sqlite3.Connection, given: Path) -> object:
        found = pin(live, given)
        other.rename(path)
        return found

    monkeypatch.setattr("airflow_backup.engines.sqlite.reader.pin", replacing)
    with (
        (tmp_path / "table").open("rb") as earlier,
        (tmp_path / "out").open("wb") as out,
        pytest.raises(SourceChanged, match="was replaced by another file"),
    ):
        sqlite_reader._read(path, earlier, 4096, out)


WRONG_IN_THE_SOURCE = {
    "a rule that was written later": (
        "PRAGMA writable_schema = ON;"
        "UPDATE sqlite_master SET sql = 'CREATE TABLE t (a, b NOT NULL)' WHERE name = 't'"
    ),
    "pages that nothing leads to": (
        "CREATE INDEX i ON t (a); PRAGMA writable_schema = ON;"
        "DELETE FROM sqlite_master WHERE name = 'i'"
    ),
}


@pytest.mark.parametrize("script", WRONG_IN_THE_SOURCE.values(), ids=WRONG_IN_THE_SOURCE)
def test_what_an_incremental_read_comes_back_also_where_it_was_wrong_in_the_source(
    tmp_path: Path, catalog: Catalog, script: str
) -> None:
    path = tmp_path / "app.sqlite"
    with closing(sqlite3.connect(path)) as live:
        live.executescript("CREATE TABLE t (a, b); INSERT INTO t VALUES (1, NULL)")
    job = job_of(path, tmp_path)
    take(job, catalog, run=run_number(1))
    with closing(sqlite3.connect(path)) as live:
        live.executescript(script)
    second = take(job, catalog, run=run_number(2), kind=Kind.INCREMENTAL)
    report = SqliteEngine().restore(chain_of(job, second), tmp_path / "back", EngineContext())
    assert (tmp_path / "back/app.sqlite").read_bytes() == path.read_bytes()
    assert [each[:5] for each in report.warnings] == ["set '"]
    assert verified(job, second, VerificationLevel.FULL) is VerificationOutcome.FAILED


def test_a_name_that_is_no_utf8_is_not_damage(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "app.sqlite"
    with closing(sqlite3.connect(path)) as live:
        live.executescript(
            "CREATE TABLE t (a); CREATE TABLE named (a); PRAGMA writable_schema = ON;"
            "UPDATE sqlite_master SET name = CAST(x'6ee9' AS TEXT), tbl_name = CAST(x'6ee9' AS TEXT),"
            " sql = CAST(x'435245415445205441424c45206ee9202861290a' AS TEXT) WHERE name = 'named'"
        )
    job = job_of(path, tmp_path)
    for number, kind in enumerate((Kind.FULL, Kind.INCREMENTAL)):
        result = take(job, catalog, run=run_number(number), kind=kind)
        assert verified(job, result, VerificationLevel.RESTORE_TEST) is VerificationOutcome.PASSED
        target = tmp_path / f"back-{number}"
        SqliteEngine().restore(chain_of(job, result), target, EngineContext())
        assert (target / "app.sqlite").stat().st_size == path.stat().st_size


def test_rows_of_a_table_that_only_a_newer_sqlite_can_count_are_no_difference(
    tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "app.sqlite"
    with closing(sqlite3.connect(path)) as live:
        live.executescript("CREATE TABLE t (a); CREATE TABLE u (a); INSERT INTO u VALUES (1)")
    job = job_of(path, tmp_path)

    def without_u(*args: Any, **more: Any) -> Looked:
        found = look_through(*args, **more)
        return found._replace(counts={"t": found.counts["t"]}, uncounted=("u",))

    monkeypatch.setattr(engine, "look_through", without_u)
    result = take(job, catalog)
    monkeypatch.undo()
    report = SqliteEngine().restore(chain_of(job, result), tmp_path / "back", EngineContext())
    assert (report.files, list(report.warnings)) == (1, [])


def test_a_log_that_is_begun_while_a_database_is_opened_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "app.sqlite"
    begun: list[bool] = []
    begin = wal._begin

    def switched(live: sqlite3.Connection) -> None:
        if not begun:
            begun.append(True)
            other.executescript(
                "PRAGMA journal_mode = wal; PRAGMA wal_autocheckpoint = 0; INSERT INTO t VALUES (2)"
            )
        begin(live)

    monkeypatch.setattr(wal, "_begin", switched)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1)")
        address = f"file:{path}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as live:
            assert pin(live, path).frames


def test_a_restore_that_was_killed_at_its_very_end_keeps_what_it_has(
    tmp_path: Path, catalog: Catalog
) -> None:
    path, target = tmp_path / "app.sqlite", tmp_path / "back"
    with closing(sqlite3.connect(path)) as live:
        live.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1)")
    job = job_of(path, tmp_path)
    chain = chain_of(job, take(job, catalog))
    SqliteEngine().restore(chain, target, EngineContext())
    (target / MARKER).touch()  # the database has its name, and the marker was not yet taken away
    with closing(sqlite3.connect(target / "app.sqlite")) as used, used:
        used.execute("INSERT INTO t VALUES (2)")
    assert SqliteEngine().resume(chain, target, EngineContext()).files == 1
    with closing(sqlite3.connect(target / "app.sqlite")) as used:
        assert used.execute("SELECT count(*) FROM t").fetchone() == (2,)


def test_a_table_named_unread_is_nothing_that_was_left_out(
    tmp_path: Path, catalog: Catalog
) -> None:
    path = tmp_path / "mail.sqlite"
    with closing(sqlite3.connect(path)) as live:
        live.executescript("CREATE TABLE unread (a); INSERT INTO unread VALUES (1), (2)")
    result = take(job_of(path, tmp_path), catalog)
    assert (result.reason, result.kind) == (None, Kind.FULL)
    assert chain_of(job_of(path, tmp_path), result)[0].manifest.counts == {"unread": 2}
