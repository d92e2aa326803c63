"""Firebird databases as they also are: empty tables, several files, shadows, triggers, and a worker that is killed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Self

import pytest

from airflow_backup.actions.backup.backup import BackupResult, backup
from airflow_backup.core.errors import ConfigError
from airflow_backup.core.words import Kind
from airflow_backup.engines.firebird import physical
from airflow_backup.engines.firebird.engine import FirebirdEngine
from airflow_backup.engines.firebird.physical import _Pages, dump_pages
from airflow_backup.engines.firebird.program import Database
from contract.firebird.test_firebird import Place, place
from support.stored.sets import Clock, chain_of, run_number, stored

__all__ = ["place"]

if shutil.which("nbackup") is None and not os.environ.get("CI"):
    pytest.skip("Firebird is not installed", allow_module_level=True)
pytestmark = pytest.mark.service


def make(place: Place, script: str) -> None:
    """Make another database the source."""
    place.database = place.firebird.folder / "other.fdb"
    subprocess.run(
        ["isql-fb", "-q", "-b", "-user", "SYSDBA"],
        input=f"CREATE DATABASE '{place.database}' PAGE_SIZE 4096;\n{script}",
        env={**os.environ, **place.firebird.environment},
        check=True,
        capture_output=True,
        text=True,
    )


def count(place: Place, database: Path, table: str) -> int:
    return int(place.firebird.ask(database, f"SELECT COUNT(*) FROM {table}")[0])


def restored(place: Place, result: BackupResult, method: str, target: Path) -> Path:
    chain = chain_of(place.job(method), result)
    report = FirebirdEngine().try_restore(chain, place.context)
    assert report.inconclusive is None
    FirebirdEngine().restore(chain, target, place.context)
    return target / place.database.name


def test_tables_without_rows_come_back(place: Place, tmp_path: Path) -> None:
    make(
        place,
        "CREATE TABLE empty_one (n INT); CREATE TABLE has_rows (n INT);"
        "CREATE GLOBAL TEMPORARY TABLE passing (n INT); COMMIT;"
        "INSERT INTO has_rows VALUES (1); COMMIT;",
    )
    result = place.take(1, "logical")
    manifest = stored(place.job("logical"), result).manifest
    assert dict(manifest.counts) == {"EMPTY_ONE": 0, "HAS_ROWS": 1, "PASSING": 0}
    back = restored(place, result, "logical", tmp_path / "back")
    assert (count(place, back, "empty_one"), count(place, back, "has_rows")) == (0, 1)


def test_a_database_of_several_files_is_left_to_gbak(place: Place, tmp_path: Path) -> None:
    second = place.firebird.folder / "other.f2"
    make(
        place,
        f"ALTER DATABASE ADD FILE '{second}' STARTING 301; COMMIT;"
        "CREATE TABLE note (id INT, text VARCHAR(400)); COMMIT;",
    )
    place.firebird.note(place.database, 1, rows=4000)
    assert second.stat().st_size > 1_000_000
    with pytest.raises(ConfigError, match="nbackup copies one file alone"):
        place.take(1, "physical")
    with pytest.raises(ConfigError, match="nbackup copies one file alone"):  # and not only at first
        dump_pages(Database(str(place.database)), place.context, None, NoSink())  # type: ignore[arg-type]
    held = second.stat().st_mtime_ns, second.stat().st_size
    back = restored(place, place.take(2, "logical"), "logical", tmp_path / "back")
    assert (second.stat().st_mtime_ns, second.stat().st_size) == held
    assert count(place, back, "note") == 4000
    assert back.stat().st_size > 1_000_000


class NoSink:
    """Nothing may be stored."""


def test_no_trigger_of_the_database_runs_for_a_copy_and_external_rows_are_told_of(
    place: Place, tmp_path: Path
) -> None:
    beside = place.firebird.folder / "beside.dat"
    configuration = place.firebird.folder / "conf" / "firebird.conf"
    configuration.write_text(configuration.read_text() + "ExternalFileAccess = Full\n")
    make(
        place,
        f"CREATE TABLE beside EXTERNAL FILE '{beside}' (t CHAR(20)); CREATE TABLE inside (n INT);"
        "COMMIT; INSERT INTO inside VALUES (1); COMMIT; SET TERM ^;"
        "CREATE TRIGGER comes ON CONNECT AS BEGIN INSERT INTO beside VALUES ('comes'); END^"
        "CREATE TRIGGER goes ON DISCONNECT AS BEGIN INSERT INTO beside VALUES ('goes'); END^"
        "SET TERM ;^ COMMIT;",
    )
    held = beside.read_bytes()
    for number, method in enumerate(("logical", "physical"), 1):
        result = place.take(number, method)
        chain = chain_of(place.job(method), result)
        holds = ["SELECT COUNT(*) = 1 FROM inside"]
        FirebirdEngine().try_restore(chain, place.context, assertions=holds)
        FirebirdEngine().restore(chain, tmp_path / method, place.context)
        assert beside.read_bytes() == held
    manifest = stored(place.job("logical"), place.take(3, "logical")).manifest
    assert manifest.warnings == (
        "the rows of external tables are not in the set, but in their own files: BESIDE",
    )
    assert "rows of external tables" in manifest.state["leaves_out"]


def test_a_restore_makes_no_shadow_where_the_living_database_has_its_own(
    place: Place, tmp_path: Path
) -> None:
    shadow = place.firebird.folder / "shadow.shd"
    make(
        place,
        "CREATE TABLE note (id INT, text VARCHAR(400)); COMMIT;"
        f"INSERT INTO note VALUES (1, 'x'); COMMIT; CREATE SHADOW 1 '{shadow}'; COMMIT;",
    )
    result = place.take(1, "logical")
    held = shadow.read_bytes()
    assert count(place, restored(place, result, "logical", tmp_path / "back"), "note") == 1
    assert shadow.read_bytes() == held
    place.firebird.run(place.database, "DROP SHADOW 1; COMMIT;")
    restored(place, result, "logical", tmp_path / "again")
    assert not shadow.exists()


def test_a_worker_that_is_killed_leaves_no_database_in_backup_mode(
    place: Place, tmp_path: Path
) -> None:
    place.firebird.note(place.database, 1, rows=40_000)
    script = tmp_path / "worker.py"
    script.write_text(
        "import sys\n"
        f"sys.path[:0] = {[str(each) for each in (Path(__file__).parents[2],)]}\n"
        "from airflow_backup.engines.firebird.physical import dump_pages\n"
        "from airflow_backup.engines.firebird.program import Database\n"
        "from airflow_backup.engines.protocol import EngineContext\n"
        "from contract.firebird.test_firebird_edges import Slow\n"
        f"dump_pages(Database({str(place.database)!r}, login='SYSDBA'), EngineContext(), None, Slow())\n"
    )
    worker = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    with worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "begun\n"
        state = "SELECT MON$BACKUP_STATE FROM MON$DATABASE"
        assert place.firebird.ask(place.database, state) == ["1"]
        worker.kill()
    deadline = time.monotonic() + 60
    while place.firebird.ask(place.database, state) != ["0"]:
        assert time.monotonic() < deadline, "the database is still in backup mode"
        time.sleep(0.1)
    assert not list(place.firebird.folder.glob("*.delta"))
    assert place.take(2, "physical").kind is Kind.FULL


class Slow:
    """A sink that takes the first bytes and no more."""

    def stream(self, name: str, *, is_index: bool = False) -> Slow:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        pass

    def write(self, data: bytes) -> None:
        os.write(1, b"begun\n")
        time.sleep(600)


def test_a_database_that_was_put_back_begins_a_chain_of_its_own(
    place: Place, tmp_path: Path
) -> None:
    place.firebird.note(place.database, 1)
    place.take(1, "physical")
    saved = shutil.copy(place.database, tmp_path / "saved")
    place.firebird.note(place.database, 2)
    place.take(2, "physical")
    shutil.copy(saved, place.database)
    place.firebird.note(place.database, 3)
    result = place.take(3, "physical", Kind.INCREMENTAL)
    assert result.kind is Kind.FULL
    assert "was it put back?" in str(result.reason) or "nbackup builds upon" in str(result.reason)
    place.firebird.note(place.database, 4)
    result = place.take(4, "physical", Kind.INCREMENTAL)
    assert (result.kind, result.reason) == (Kind.INCREMENTAL, None)
    back = restored(place, result, "physical", tmp_path / "back")
    assert place.notes(back) == place.notes() == {"1": "300", "3": "300", "4": "300"}


def test_a_colon_in_a_path_is_refused_before_it_is_taken_for_a_machine(
    place: Place, tmp_path: Path
) -> None:
    for number, method in enumerate(("logical", "physical"), 1):
        chain = chain_of(place.job(method), place.take(number, method))
        with pytest.raises(ConfigError, match="takes what stands before a colon"):
            FirebirdEngine().restore(chain, tmp_path / "a:b", place.context)
    assert not (tmp_path / "a:b").exists()


def test_a_name_of_its_own_for_the_file_of_changes_is_told_of(place: Place, tmp_path: Path) -> None:
    elsewhere = place.firebird.folder / "changes.dif"
    place.firebird.run(place.database, f"ALTER DATABASE ADD DIFFERENCE FILE '{elsewhere}'; COMMIT;")
    chain = chain_of(place.job("physical"), place.take(1, "physical"))
    report = FirebirdEngine().restore(chain, tmp_path / "back", place.context)
    (warning,) = report.warnings
    assert f"in '{elsewhere}', as the original does" in warning


def test_a_copy_of_pages_is_of_the_moment_at_which_it_began(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written_at: list[datetime] = []
    clock = Clock()

    class Slow(_Pages):
        def take(self, chunk: bytes) -> None:
            if chunk and not written_at:
                place.firebird.note(place.database, 1, rows=5)
                written_at.append(clock())
            super().take(chunk)

    monkeypatch.setattr(physical, "_Pages", Slow)
    result = backup(
        place.job("physical"),
        run_number(1),
        catalog=place.catalog,
        connections=place.connections,
        clock=clock,
    )
    back = restored(place, result, "physical", tmp_path / "back")
    assert count(place, back, "note") == 0
    assert stored(place.job("physical"), result).manifest.consistent_at < written_at[0]
