"""Upgrades of the catalog: what is only added lets older processes go on; `db check` and `db upgrade` say what is so."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from airflow_backup.catalog import Catalog, migrate
from airflow_backup.catalog.database import Database
from airflow_backup.catalog.migrate import HEAD, VERSION_TABLE, WORKS_FROM, scripts
from airflow_backup.cli.main import main
from airflow_backup.core.errors import CatalogError

LAST_THAT_TOOK_AWAY = "0004"
"""No migration after it takes anything away."""


def to_version(file: Path, version: str) -> None:
    """Make the catalog that a release with ``version`` as its newest made."""
    database = Database(f"sqlite:///{file}")
    with database.writing() as connection:
        _migrate(connection, version)
    database.close()


def _migrate(connection: Any, version: str) -> None:
    directory = scripts()
    context = MigrationContext.configure(
        connection,
        opts={
            "version_table": VERSION_TABLE,
            "fn": lambda current, _: directory._upgrade_revs(version, current),
        },
    )
    with Operations.context(context):
        context.run_migrations()


def _columns(database: Database) -> dict[tuple[str, str], dict[str, Any]]:
    with database.reading() as connection:
        found = inspect(connection)
        return {
            (table, column["name"]): dict(column)
            for table in found.get_table_names()
            for column in found.get_columns(table)
        }


def faults(
    before: dict[tuple[str, str], dict[str, Any]], after: dict[tuple[str, str], dict[str, Any]]
) -> list[str]:
    """Return what an older process would trip over: what is gone, and what it would have to fill in."""
    tables = {table for table, _ in before}
    found = [f"{table}.{name} is gone" for table, name in before.keys() - after.keys()]
    for table, name in after.keys() - before.keys():
        column = after[table, name]
        if table in tables and not column["nullable"] and column["default"] is None:
            found.append(f"{table}.{name} must be filled in")
    stricter = (
        key
        for key in before.keys() & after.keys()
        if before[key]["nullable"] and not after[key]["nullable"]
    )
    return found + [f"{table}.{name} may not be empty any more" for table, name in stricter]


def test_migrations_only_add(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/catalog.db")
    seen = 0
    for each in reversed(list(scripts().walk_revisions())):
        before = _columns(database)
        with database.writing() as connection:
            _migrate(connection, each.revision)
        if each.revision > min(LAST_THAT_TOOK_AWAY, WORKS_FROM):
            assert faults(before, _columns(database)) == [], each.revision
            seen += 1
    database.close()
    assert seen >= 8


def test_what_takes_away_would_be_seen(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/catalog.db")
    Catalog.open(database.url.render_as_string()).close()
    before = _columns(database)
    with database.writing() as connection:
        connection.execute(text("ALTER TABLE holds DROP COLUMN reason"))
        connection.execute(text("ALTER TABLE sets RENAME COLUMN host TO place"))
    assert sorted(faults(before, _columns(database))) == [
        "holds.reason is gone",
        "sets.host is gone",
    ]
    database.close()


def made_by_a_newer_release(file: Path, *, works_from: str | None) -> str:
    url = f"sqlite:///{file}"
    Catalog.open(url).close()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("ALTER TABLE sets ADD COLUMN of_tomorrow TEXT")
        connection.execute(
            f"UPDATE {VERSION_TABLE} SET version_num = '9999', works_from = ?", (works_from,)
        )
        connection.commit()
    return url


@pytest.mark.parametrize("works_from", [WORKS_FROM, HEAD, "0001"])
def test_a_newer_catalog_that_works_with_this_release_is_used_and_left_alone(
    tmp_path: Path, works_from: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = made_by_a_newer_release(tmp_path / "catalog.db", works_from=works_from)
    with Catalog.open(url) as catalog:
        assert catalog.executions.active() == []
    with closing(sqlite3.connect(tmp_path / "catalog.db")) as connection:
        assert connection.execute(f"SELECT * FROM {VERSION_TABLE}").fetchall() == [
            ("9999", works_from)
        ]
    assert main(["db", "check", "--catalog", url]) == 0
    assert "made by a newer release; this one works with it" in capsys.readouterr().out
    assert main(["db", "upgrade", "--catalog", url]) == 0
    assert [path.name for path in tmp_path.glob("*.before-*")] == []


@pytest.mark.parametrize("works_from", ["9998", None])
def test_a_newer_catalog_that_does_not_is_refused(
    tmp_path: Path, works_from: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    url = made_by_a_newer_release(tmp_path / "catalog.db", works_from=works_from)
    before = (tmp_path / "catalog.db").read_bytes()
    with pytest.raises(CatalogError, match="does not work with it"):
        Catalog.open(url)
    assert main(["db", "check", "--catalog", url]) == 1
    assert "does not work with it: install that one" in capsys.readouterr().out
    assert main(["db", "upgrade", "--catalog", url]) == 1
    assert (tmp_path / "catalog.db").read_bytes() == before


def test_an_older_catalog_is_upgraded_and_the_file_before_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "catalog.db"
    to_version(file, "0009")
    url = f"sqlite:///{file}"
    assert main(["db", "check", "--catalog", url, "--format", "json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["version"], told["shape"], told["well"]) == ("0009", "older", False)
    assert [step["version"] for step in told["steps"]] == ["0010", "0011", "0012"]
    assert all(step["what"].endswith(".") for step in told["steps"])
    assert main(["db", "upgrade", "--dry-run", "--catalog", url]) == 0
    assert capsys.readouterr().out.startswith("would do  0010  ")
    assert main(["db", "check", "--catalog", url]) == 1, "a dry run changes nothing"
    assert main(["db", "upgrade", "--catalog", url]) == 0
    assert "verdict  up to date" in capsys.readouterr().out
    (copy,) = tmp_path.glob("*.before-*")
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone() == (
            "0009",
        )
    assert main(["db", "upgrade", "--catalog", url]) == 0, "nothing to do is no error"


def test_a_copy_of_before_is_never_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "catalog.db"
    to_version(file, "0011")
    kept = tmp_path / f"catalog.db.before-{HEAD}-was-0011"
    kept.write_text("of last week")
    assert main(["db", "upgrade", "--catalog", f"sqlite:///{file}"]) == 1
    assert "is there already" in capsys.readouterr().err
    assert kept.read_text() == "of last week"
    assert main(["db", "check", "--catalog", f"sqlite:///{file}"]) == 1, "nothing was upgraded"
    assert main(["db", "upgrade", "--no-copy", "--catalog", f"sqlite:///{file}"]) == 0


def test_a_look_makes_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path}/none.db"
    assert main(["db", "check", "--catalog", url]) == 1
    assert main(["db", "upgrade", "--catalog", url]) == 3
    assert list(tmp_path.iterdir()) == []
    assert "the first backup makes it" in capsys.readouterr().out


def test_what_somebody_took_away_is_damage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path}/catalog.db"
    Catalog.open(url).close()
    with closing(sqlite3.connect(tmp_path / "catalog.db")) as connection:
        connection.executescript(
            "DROP TABLE verifications; ALTER TABLE sets DROP COLUMN host; ALTER TABLE sets DROP COLUMN warnings;"
        )
    assert main(["db", "check", "--catalog", url]) == 1
    told = capsys.readouterr().out
    assert "damaged  the table verifications is missing\n" in told
    assert "damaged  the table sets lacks warnings, host\n" in told
    assert "verdict  damaged\n" in told


def test_the_version_that_works_is_one_that_exists() -> None:
    known = {each.revision for each in scripts().walk_revisions()}
    assert WORKS_FROM in known
    assert WORKS_FROM <= HEAD
    assert scripts().get_current_head() == migrate.HEAD
