"""
Upgrades of the catalog: what is only added lets older processes go on; `db check` and `db upgrade` say what is so.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, text

from airflow_backup.catalog import Catalog, migrate
from airflow_backup.catalog.database import Database
from airflow_backup.catalog.migrate import (
    HEAD,
    VERSION_TABLE,
    WORKS_FROM,
    known_versions,
    migrate_to,
    scripts,
)
from airflow_backup.cli.main import main
from airflow_backup.core.errors import CatalogError, CatalogUnavailable

LAST_THAT_TOOK_AWAY = "0004"
"""No migration after it takes anything away."""


def to_version(file: Path, version: str) -> None:
    """Make the catalog that a release with ``version`` as its newest made."""
    database = Database(f"sqlite:///{file}")
    with database.writing() as connection:
        migrate_to(connection, version)
    database.close()


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
            migrate_to(connection, each.revision)
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


@pytest.mark.parametrize("works_from", ["9998", None, ""])
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
    later = sorted(version for version in known_versions() if version > "0009")
    assert [step["version"] for step in told["steps"]] == later
    assert later[:2] == ["0010", "0011"]
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
            f"DROP INDEX ix_events_subject; ALTER TABLE {VERSION_TABLE} DROP COLUMN works_from"
        )
    assert main(["db", "check", "--catalog", url]) == 1
    told = capsys.readouterr().out
    assert "damaged  the table verifications is missing\n" in told
    assert "damaged  the table sets lacks host, warnings\n" in told
    assert "damaged  the table events lacks the index ix_events_subject\n" in told
    assert f"damaged  the table {VERSION_TABLE} lacks works_from\n" in told
    assert "verdict  damaged\n" in told


def test_the_version_that_works_is_one_that_exists() -> None:
    assert WORKS_FROM in known_versions()
    assert WORKS_FROM <= HEAD
    assert scripts().get_current_head() == migrate.HEAD


def changed(file: Path, *statements: str) -> str:
    """Make a catalog, then let somebody run statements in it; return its address."""
    url = f"sqlite:///{file}"
    Catalog.open(url).close()
    with closing(sqlite3.connect(file)) as connection:
        for each in statements:
            connection.execute(each)
        connection.commit()
    return url


OURS = f"DROP TABLE {VERSION_TABLE}"
NO_CATALOG = {
    "a version that no release has": (
        (f"UPDATE {VERSION_TABLE} SET version_num = '00111'",),
        "no release has",
    ),
    "no version at all": ((OURS,), "do not say that they are a catalog's"),
    "an empty version": ((f"DELETE FROM {VERSION_TABLE}",), "do not say that they are a catalog's"),
    "a version set back": (
        (f"UPDATE {VERSION_TABLE} SET version_num = '0009'",),
        "already, which a later version adds",
    ),
    "newer, and without the column that says from where on": (
        (
            f"UPDATE {VERSION_TABLE} SET version_num = '9999'",
            f"ALTER TABLE {VERSION_TABLE} DROP COLUMN works_from",
        ),
        "does not work with it",
    ),
}


@pytest.mark.parametrize("case", NO_CATALOG)
def test_what_cannot_be_upgraded_is_refused_and_left_as_it_is(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    statements, told = NO_CATALOG[case]
    url = changed(tmp_path / "catalog.db", *statements)
    before = (tmp_path / "catalog.db").read_bytes()
    assert main(["db", "check", "--catalog", url]) == 1
    assert "db upgrade" not in capsys.readouterr().out, "an upgrade would not help"
    assert main(["db", "upgrade", "--catalog", url]) == 1
    assert told in capsys.readouterr().err
    assert (tmp_path / "catalog.db").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["catalog.db"], "no copy is left"


@pytest.mark.parametrize("table", ["sets", "executions", "events"])
def test_tables_of_another_program_are_not_taken_for_a_catalog(
    table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path}/shop.db"
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.execute(f"CREATE TABLE {table} (id INTEGER, price INTEGER)")
    before = (tmp_path / "shop.db").read_bytes()
    assert main(["db", "check", "--catalog", url]) == 1
    assert "verdict  no catalog: give it a database" in capsys.readouterr().out
    assert main(["db", "upgrade", "--catalog", url]) == 1
    assert (tmp_path / "shop.db").read_bytes() == before
    with pytest.raises(CatalogError, match=f"tables named {table}, which do not say") as failed:
        Catalog.open(url)
    assert not isinstance(failed.value, CatalogUnavailable), "no retry makes it a catalog"


@pytest.mark.parametrize("make", ["empty", "one table", "version 0009"])
def test_a_look_changes_no_byte_of_a_file(make: str, tmp_path: Path) -> None:
    file = tmp_path / "catalog.db"
    file.touch()
    if make != "empty":
        if make == "version 0009":
            to_version(file, "0009")
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("CREATE TABLE other (id INTEGER)")
            connection.execute("PRAGMA journal_mode=DELETE")
    before = (file.read_bytes(), file.stat().st_mtime_ns)
    main(["db", "check", "--catalog", f"sqlite:///{file}"])
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before
    assert list(tmp_path.iterdir()) == [file]


def test_a_failed_upgrade_leaves_no_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "catalog.db"
    to_version(file, "0009")

    def fails(*_: object) -> None:
        raise CatalogUnavailable("the disk is full")

    monkeypatch.setattr(migrate, "_run", fails)
    assert main(["db", "upgrade", "--catalog", f"sqlite:///{file}"]) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["catalog.db"]


def test_the_copy_lies_beside_the_file_and_not_beside_a_link_to_it(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    to_version(tmp_path / "data" / "catalog.db", "0009")
    (tmp_path / "link.db").symlink_to("data/catalog.db")
    assert main(["db", "upgrade", "--catalog", f"sqlite:///{tmp_path}/link.db"]) == 0
    assert [path.parent.name for path in tmp_path.rglob("*.before-*")] == ["data"]


_COPIES = """
import resource, sys
from airflow_backup.cli.main import main
if sys.argv[2] != "unlimited":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
sys.exit(main(["db", "upgrade", "--catalog", f"sqlite:///{sys.argv[1]}"]))
"""


def large(file: Path) -> None:
    """Make an older catalog whose copy takes a while."""
    to_version(file, "0012")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE other AS SELECT randomblob(40000000) AS content")
        connection.commit()


def test_a_disk_that_is_full_in_the_middle_of_the_copy_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "catalog.db"
    large(file)
    room = str(file.stat().st_size // 2)
    ended = subprocess.run(
        [sys.executable, "-c", _COPIES, str(file), room],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "cannot be copied" in ended.stderr
    assert "HINT: is there room in" in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["catalog.db"]


def test_a_copy_that_was_killed_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    file = tmp_path / "catalog.db"
    large(file)
    work = subprocess.Popen([sys.executable, "-c", _COPIES, str(file), "unlimited"])
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size > 1_000_000 for path in tmp_path.rglob("*.before-*-was-*")):
        assert time.monotonic() < deadline
        assert work.poll() is None
    work.kill()
    work.wait()
    left = [path for path in tmp_path.iterdir() if not path.name.startswith("catalog.db-")]
    assert sorted(path.suffix for path in left) == [".db", ".part"]
    assert main(["db", "upgrade", "--catalog", f"sqlite:///{file}"]) == 0
    with closing(sqlite3.connect(f"{file}.before-{HEAD}-was-0012")) as connection:
        assert connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT length(content) FROM other").fetchone() == (40_000_000,)
