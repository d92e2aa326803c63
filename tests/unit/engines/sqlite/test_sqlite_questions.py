"""An assertion asks an SQLite database, and can do nothing else."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from airflow_backup.core.errors import VerifyError
from airflow_backup.engines.shared import assertions as shared_assertions
from airflow_backup.engines.sqlite.questions import ask


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as opened:
        opened.executescript(
            "CREATE TABLE kept (n INTEGER, t TEXT); INSERT INTO kept VALUES (1, 'a'), (2, 'b');"
            "CREATE VIEW seen AS SELECT n FROM kept WHERE n > 1; CREATE VIRTUAL TABLE found USING fts5(t);"
            "INSERT INTO found VALUES ('word')"
        )
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as opened:
        yield opened


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) = 2 FROM kept",
        "SELECT count(*) = 1 FROM seen",
        "SELECT count(*) = 1 FROM found WHERE found MATCH 'word'",
        "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 9) SELECT max(n) = 9 FROM r",
        "SELECT count(*) = 2 FROM pragma_table_info('kept')",
        "PRAGMA page_count",
        "SELECT group_concat(t, ',') = 'a,b' FROM kept",
        "SELECT count(*) > 0 FROM sqlite_master",
    ],
)
def test_a_question_is_answered(database: sqlite3.Connection, query: str) -> None:
    ask(database, query, "it")


@pytest.mark.parametrize(
    "query",
    [
        "ATTACH '{folder}/other.db' AS other",
        "VACUUM INTO '{folder}/other.db'",
        "VACUUM",
        "SELECT load_extension('{folder}/x.so')",
        "PRAGMA user_version = 7",
        "PRAGMA journal_mode = WAL",
        "PRAGMA writable_schema = ON",
        "PRAGMA temp_store_directory = '{folder}'",
        "DELETE FROM kept RETURNING 1",
        "INSERT INTO kept VALUES (3, 'c') RETURNING 1",
        "CREATE TABLE other (n)",
        "CREATE TEMP TABLE other (n)",
        "DROP TABLE kept",
        "UPDATE sqlite_master SET sql = 'x'",
        "SELECT fts3_tokenizer('simple')",
        "SELECT 1; DELETE FROM kept",
        "BEGIN",
    ],
)
def test_anything_else_is_refused(database: sqlite3.Connection, tmp_path: Path, query: str) -> None:
    with pytest.raises(VerifyError, match=r"more than read|not one question|may not be modified"):
        ask(database, query.replace("{folder}", str(tmp_path)), "it")
    assert [each.name for each in tmp_path.iterdir()] == ["x.db"]
    assert database.execute("SELECT count(*) FROM kept").fetchone() == (2,)


def test_a_question_without_an_end_is_ended(
    database: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_assertions, "LIMIT", 0.2)
    query = (
        "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r"
    )
    with pytest.raises(
        VerifyError, match="was ended after 0 seconds: it did not come to an answer"
    ):
        ask(database, query, "it")
    ask(database, "SELECT 1", "it")
