"""
What real MariaDB servers hold that no example has: rows that checks forbid, folders elsewhere, views of neighbours.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.core.errors import Refused, VerifyError
from airflow_backup.core.words import Kind
from airflow_backup.engines.mysql import dump as mysql_dump
from airflow_backup.engines.mysql import restore as mysql_restore
from airflow_backup.engines.mysql.engine import MysqlEngine
from airflow_backup.engines.protocol import (
    EngineContext,
    RestoreReport,
    SetReader,
    VerificationReport,
)
from contract.mysql.test_mysql import Keeper
from support.servers.mariadb import MariaDB, machine, mariadb, owner, require
from support.sources.mariadb_histories import quoted, told

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDB]:
    require()
    with mariadb(options=("--log-bin=binlog", "--server-id=7", "--sql-mode=")) as running:
        yield running


@pytest.fixture(scope="module")
def live() -> Iterator[MariaDB]:
    require()
    with mariadb(options=("--log-bin=binlog", "--server-id=8")) as running:
        yield running


@pytest.fixture(autouse=True)
def clean(server: MariaDB, live: MariaDB) -> None:
    for each in (server, live):
        for (name,) in each.query("SHOW DATABASES"):
            if name not in ("mysql", "sys", "information_schema", "performance_schema"):
                each.query(f"SET foreign_key_checks = 0;\nDROP DATABASE {quoted(name)}")
    server.query("CREATE DATABASE bank")


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder that a server may write to, outside its own."""
    with tempfile.TemporaryDirectory(prefix="backup-elsewhere-", dir="/tmp") as name:
        if (user := owner()) is not None:
            shutil.chown(name, user)
        yield Path(name)


def run(server: MariaDB, database: str | None, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements in one session; return the rows of the last."""
    session = server.open(database)
    with contextlib.closing(session), session.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


def load(live: MariaDB, path: list[Any], **which: Any) -> RestoreReport:
    context = EngineContext(connections=lambda name: live.connection())
    return MysqlEngine().load(path, context, connection="my", **which)


def proven(path: list[Any]) -> VerificationReport:
    report = MysqlEngine().try_restore(path, EngineContext())
    assert report.inconclusive is None
    return report


def held(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_ino, path.read_bytes()) for path in files}


def test_dates_that_only_a_lax_server_takes_come_back(
    server: MariaDB, live: MariaDB, tmp_path: Path
) -> None:
    run(
        server,
        "bank",
        "SET sql_mode = 'ALLOW_INVALID_DATES'",
        "CREATE TABLE t (n INT PRIMARY KEY, d DATE, e DATETIME)",
        "INSERT INTO t VALUES (1, '2021-02-31', '2021-04-31 10:00:00'), (2, '2021-00-00', '0000-00-00')",
    )
    keeper = Keeper(tmp_path, server)
    result = keeper.take()
    run(server, "bank", "INSERT INTO t VALUES (3, '2021-00-07', '2000-01-01')")
    query = "SELECT n, CAST(d AS CHAR), CAST(e AS CHAR) FROM t ORDER BY n"
    for each in (result, keeper.take(Kind.ARCHIVE_LOG)):
        proven(keeper.path(each))
        load(live, keeper.path(each), overwrite=True)
    assert run(live, "bank", query) == run(server, "bank", query)
    assert run(live, "bank", query)[0][1] == "2021-02-31"


def test_rows_that_do_not_fit_a_check_come_back(
    server: MariaDB, live: MariaDB, tmp_path: Path
) -> None:
    run(
        server,
        "bank",
        "CREATE TABLE t (n INT PRIMARY KEY, j JSON, CHECK (n < 10))",
        "SET check_constraint_checks = 0",
        "INSERT INTO t VALUES (1, 'no json'), (11, '')",
    )
    keeper = Keeper(tmp_path, server)
    path = keeper.path(keeper.take())
    assert proven(path).counts == {"bank.t": 2}
    load(live, path)
    assert told(live, "bank") == told(server, "bank")


LEGACY = {
    "ascii": "80ff41",  # bytes that the character set has no letter for
    "cp1251": "98c6",
    "sjis": "8740fa5c835c",  # letters of vendors, one with a backslash in it
    "gbk": "a140d25c",
    "euckr": "a2e8",
    "tis620": "a0db",
    "latin1": "80819d",
}
TYPES = {
    "utf8mb4": ("VARCHAR(20)", "0xF09F98800A"),
    "c_binary": ("BLOB", "0x00FF0A5C27"),
    "c_json": ("JSON", '\'{"a": "ä"}\''),
    "c_enum": ("ENUM('Ж','b') CHARACTER SET cp1251 DEFAULT 'Ж'", "'Ж'"),
    "c_member": ("SET('ж','b') CHARACTER SET koi8r", "'ж,b'"),
    "c_made": ("VARCHAR(9) CHARACTER SET cp1251 AS (CONCAT(ascii, 'x')) STORED", None),
    "c_at": ("TIMESTAMP(6) NULL", "'2020-02-03 04:05:06.789'"),
    "c_bits": ("BIT(13)", "b'1010'"),
    "c_place": ("POINT", "POINT(1, -2.5)"),
    "c_said": ("VARCHAR(9) CHARACTER SET cp1251 NOT NULL DEFAULT 'Жж' COMMENT 'ü'", None),
    "c_huge": ("DOUBLE", "1.7976931348623157e308"),
}


def test_bytes_that_are_no_letters_come_back(
    server: MariaDB, live: MariaDB, tmp_path: Path
) -> None:
    columns = [f"{name} VARCHAR(20) CHARACTER SET {name}" for name in LEGACY]
    columns += [f"{name} {kind}" for name, (kind, _) in TYPES.items()]
    given = {name: f"_binary 0x{value}" for name, value in LEGACY.items()}
    given |= {name: value for name, (_, value) in TYPES.items() if value is not None}
    insert = f"INSERT INTO t ({', '.join(given)}) VALUES ({', '.join(given.values())})"
    run(
        server,
        "bank",
        "ALTER DATABASE bank CHARACTER SET utf8mb4",
        f"CREATE TABLE t (n INT AUTO_INCREMENT PRIMARY KEY, {', '.join(columns)}) COMMENT 'ü'",
        insert,
        "CREATE VIEW v AS SELECT n, 'ü' AS w FROM t WHERE c_said = 'Жж'",
        "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.c_said = 'ж'",
    )
    keeper = Keeper(tmp_path, server)
    full = keeper.take()
    run(server, "bank", insert)
    for result in (full, keeper.take(Kind.ARCHIVE_LOG)):
        proven(keeper.path(result))
        load(live, keeper.path(result), overwrite=True)
    assert told(live, "bank") == told(server, "bank")
    query = f"SELECT n, {', '.join(f'HEX({name})' for name in (*LEGACY, *TYPES))} FROM t ORDER BY n"
    rows = run(live, "bank", query)
    assert rows == run(server, "bank", query)
    assert [row[1 : 1 + len(LEGACY)] for row in rows] == [
        tuple(each.upper() for each in LEGACY.values())
    ] * 2


def test_beside_types_of_which_bytes_would_not_come_back_a_set_says_what_it_loses(
    server: MariaDB, live: MariaDB, tmp_path: Path
) -> None:
    run(
        server,
        "bank",
        "CREATE TABLE t (n INT PRIMARY KEY, v VARCHAR(9) CHARACTER SET ascii, i INET6, u UUID)",
        "INSERT INTO t VALUES (1, _binary 0x80, '::ffff:1.2.3.45', '123e4567-e89b-12d3-a456-426655440000')",
    )
    keeper = Keeper(tmp_path, server)
    (reader,) = path = keeper.path(keeper.take())
    (warning,) = reader.manifest.warnings
    assert warning == "what is no letter in Unicode becomes '?' in this dump: bank.t.v"
    assert warning in reader.manifest.state["leaves_out"]
    load(live, path)
    assert run(live, "bank", "SELECT i, u FROM t") == run(server, "bank", "SELECT i, u FROM t")


def test_two_values_that_a_dump_writes_the_same_are_told_of(
    server: MariaDB, tmp_path: Path
) -> None:
    run(server, "bank", "CREATE TABLE t (n INT PRIMARY KEY, e ENUM('a',''), f ENUM('a'))")
    keeper = Keeper(tmp_path, server)
    (reader,) = keeper.path(keeper.take())
    (warning,) = reader.manifest.warnings
    assert warning.endswith("comes back as one of them: bank.t.e")


def test_a_view_of_another_database_makes_no_set_corrupt(
    server: MariaDB, live: MariaDB, tmp_path: Path
) -> None:
    makes = ("CREATE DATABASE shop", "CREATE TABLE shop.s (n INT PRIMARY KEY)")
    for each in (server, live):
        run(each, None, *makes, "CREATE FUNCTION shop.f() RETURNS INT DETERMINISTIC RETURN 3")
    run(server, "bank", "CREATE TABLE t (n INT)", "CREATE VIEW v AS SELECT n FROM shop.s")
    keeper = Keeper(tmp_path, server)
    view = keeper.path(keeper.take())
    run(server, "bank", "CREATE OR REPLACE VIEW v AS SELECT shop.f() AS n")
    function = keeper.path(keeper.take())
    for path in (view, function):
        report = MysqlEngine().try_restore(path, EngineContext())
        assert report.inconclusive is not None
        assert "does not hold the database 'shop', which it needs" in report.inconclusive
    load(live, function)  # where the other one is, it can be made
    assert run(live, "bank", "SELECT * FROM v") == [(3,)]
    run(server, "bank", "CREATE OR REPLACE VIEW v AS SELECT n FROM t", "DROP TABLE t")
    with pytest.raises(VerifyError):  # what it lacks itself is another matter
        MysqlEngine().try_restore([_without_tables(view[0])], EngineContext())


def _without_tables(reader: SetReader) -> Any:
    class Cut:
        manifest = reader.manifest.model_copy(
            update={"counts": {}, "state": {**reader.manifest.state, "databases": ["bank", "shop"]}}
        )
        blocks = reader.blocks

    return Cut()


def test_packages_of_the_old_database_are_kept_and_do_not_stay_in_the_new_one(
    server: MariaDB, live: MariaDB, tmp_path: Path
) -> None:
    run(live, None, "CREATE DATABASE bank")
    for each, number in ((server, 7), (live, 8)):
        run(
            each,
            "bank",
            "CREATE TABLE t (n INT PRIMARY KEY)",
            "SET sql_mode = ORACLE",
            "CREATE PACKAGE pk AS FUNCTION f RETURN INT; END",
            f"CREATE PACKAGE BODY pk AS FUNCTION f RETURN INT AS BEGIN RETURN {number}; END; END",
        )
    run(live, "bank", "SET sql_mode = ORACLE", "CREATE PACKAGE old AS FUNCTION f RETURN INT; END")
    run(live, None, "CREATE OR REPLACE USER app@'%'")
    run(live, None, "SET sql_mode = ORACLE", "GRANT EXECUTE ON PACKAGE bank.pk TO app@'%'")
    keeper = Keeper(tmp_path, server)
    load(live, keeper.path(keeper.take()), overwrite=True)
    assert told(live, "bank") == told(server, "bank")
    granted = "SELECT Routine_name, Routine_type FROM mysql.procs_priv WHERE User = 'app'"
    assert run(live, None, granted) == [("pk", "PACKAGE")]
    (kept,) = [name for (name,) in live.query("SHOW DATABASES") if "__replaced_" in name]
    ((statements,),) = live.query(f"SELECT statements FROM {kept}.airflow_backup_definitions")
    assert b"RETURN 8" in statements
    assert b"`old`" in statements


@pytest.mark.parametrize("engine", ["InnoDB", "MyISAM", "Aria"])
def test_a_table_that_lies_elsewhere_is_not_made_where_the_original_is(
    tmp_path: Path, elsewhere: Path, engine: str
) -> None:
    with machine() as place:
        with place.up() as running:
            run(
                running,
                None,
                "CREATE DATABASE bank",
                "USE bank",
                f"CREATE TABLE t (n INT PRIMARY KEY) ENGINE={engine} DATA DIRECTORY='{elsewhere}'",
                "INSERT INTO t VALUES (1), (2)",
                f"CREATE TABLE p (n INT) ENGINE={engine} PARTITION BY HASH (n)"
                f" (PARTITION a DATA DIRECTORY='{elsewhere}', PARTITION b)",
            )
            keeper = Keeper(tmp_path, running)
            path = keeper.path(keeper.take())
        with place.up() as running:
            before = held(elsewhere)
            assert len(before) == 2
            proven(path)
            assert held(elsewhere) == before
            (warning,) = load(running, path, database="copy").warnings
            assert warning.startswith("2 tables or partitions had folders of their own")
            assert run(running, "copy", "SELECT n FROM t ORDER BY n") == [(1,), (2,)]
            assert held(elsewhere) == before
            if engine == "InnoDB":  # the server itself loses such a table when it is moved
                with pytest.raises(Refused, match=r"'bank.[tp]' lies in a folder of its own"):
                    load(running, path, overwrite=True)
            else:
                load(running, path, overwrite=True)
        with place.up() as running:
            names = [name for (name,) in running.query("SHOW DATABASES LIKE 'bank%'")]
            assert len(names) == (1 if engine == "InnoDB" else 2)
            for name in names:
                assert run(running, name, "SELECT n FROM t ORDER BY n") == [(1,), (2,)]


def test_a_physical_set_is_whole_without_the_folders_that_tables_had(
    tmp_path: Path, elsewhere: Path
) -> None:
    with machine() as place:
        with place.up("--log-bin=binlog", "--server-id=7") as running:
            run(
                running,
                None,
                "CREATE DATABASE bank",
                "USE bank",
                f"CREATE TABLE t (n INT PRIMARY KEY) DATA DIRECTORY='{elsewhere}'",
                "INSERT INTO t VALUES (1)",
            )
            keeper = Keeper(tmp_path, running, method="physical")
            keeper.take()
            run(running, "bank", "INSERT INTO t VALUES (2)")
            path = keeper.path(keeper.take(Kind.INCREMENTAL))
            run(running, "bank", "INSERT INTO t VALUES (3)")
        before = held(elsewhere)
        assert proven(path).counts == {"bank.t": 2}
        MysqlEngine().restore(path, tmp_path / "back", EngineContext())
        with mariadb(data=tmp_path / "back") as back:
            assert run(back, "bank", "SELECT n FROM t ORDER BY n") == [(1,), (2,)]
            run(back, "bank", "INSERT INTO t VALUES (9)")
        assert held(elsewhere) == before


def test_a_system_tablespace_of_several_files_comes_back(tmp_path: Path, elsewhere: Path) -> None:
    layout = (
        "--innodb-data-home-dir=",
        f"--innodb-data-file-path=ibdata1:12M;{elsewhere}/ibdata2:12M:autoextend",
        f"--innodb-undo-directory={elsewhere}",
        "--innodb-undo-tablespaces=3",
        "--innodb-page-size=8192",
    )
    with mariadb(layout=layout, options=("--log-bin=binlog", "--server-id=7")) as running:
        run(
            running,
            None,
            "CREATE DATABASE bank",
            "USE bank",
            "SET GLOBAL innodb_file_per_table = 0",
            "CREATE TABLE t (n INT PRIMARY KEY, v CHAR(255))",
            "INSERT INTO t SELECT seq, 'x' FROM seq_1_to_30000",
        )
        keeper = Keeper(tmp_path, running, method="physical")
        full = keeper.take()
        run(running, "bank", "UPDATE t SET v = 'y'")
        incremental = keeper.take(Kind.INCREMENTAL)
        run(running, "bank", "DELETE FROM t WHERE n > 5")
        log = keeper.take(Kind.ARCHIVE_LOG)
        names = set(held(elsewhere))
        for result, rows in ((full, 30000), (incremental, 30000), (log, 5)):
            assert proven(keeper.path(result)).counts == {"bank.t": rows}
        assert set(held(elsewhere)) == names


@pytest.mark.parametrize(
    "planted",
    [
        "innodb_data_home_dir=\ninnodb_data_file_path={folder}/ibdata1:12M:autoextend",
        "innodb_data_file_path=../../../../../../../..{folder}/ibdata1:12M:autoextend",
        "innodb_undo_directory={folder}\ninnodb_log_group_home_dir={folder}\ninnodb_undo_tablespaces=3",
    ],
)
def test_a_planted_layout_names_no_file_outside(
    server: MariaDB,
    tmp_path: Path,
    elsewhere: Path,
    monkeypatch: pytest.MonkeyPatch,
    planted: str,
) -> None:
    run(server, "bank", "CREATE TABLE t (n INT PRIMARY KEY)")
    keeper = Keeper(tmp_path, server, method="physical")
    path = keeper.path(keeper.take())
    unpack = mysql_restore.unpack

    def plant(reader: SetReader, folder: Path, *rest: Any, **more: Any) -> Path:
        whole = unpack(reader, folder, *rest, **more)
        file = whole / "backup-my.cnf"
        kept = [line for line in file.read_text().splitlines() if "file_path" not in line]
        file.write_text("\n".join([*kept, planted.format(folder=elsewhere), ""]))
        (whole / "bank" / "t.isl").write_text(f"{elsewhere}/t.ibd")
        return whole

    monkeypatch.setattr(mysql_restore, "unpack", plant)
    with contextlib.suppress(VerifyError):
        MysqlEngine().try_restore(path, EngineContext())
    assert not list(elsewhere.iterdir())


def test_what_was_counted_before_a_late_dump_is_not_said_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "mariadb-dump").write_text(
        '#!/bin/sh\ncase "$*" in *single-transaction*) sleep 3;; esac\nexec mariadb-dump "$@"\n'
    )
    (tools / "mariadb-dump").chmod(0o755)
    monkeypatch.setattr(mysql_dump, "_LOCK_TIMEOUT", 1)
    with mariadb() as running:  # no binary log, which would tell the difference
        run(running, None, "CREATE DATABASE bank", "CREATE TABLE bank.t (n INT AUTO_INCREMENT KEY)")
        done = threading.Event()

        def write() -> None:
            while not done.is_set():
                run(running, "bank", "INSERT INTO t VALUES (NULL)")

        writer = threading.Thread(target=write)
        writer.start()
        try:
            late = Keeper(tmp_path, running, tools=str(tools))
            path = late.path(late.take())
        finally:
            done.set()
            writer.join()
        assert path[0].manifest.counts == {}
        assert "rows were not counted, because the dump began late" in path[0].manifest.warnings
        assert proven(path).counts["bank.t"] > 0
        (tmp_path / "again").mkdir()
        soon = Keeper(tmp_path / "again", running)
        rows = run(running, "bank", "SELECT count(*) FROM t")[0][0]
        assert soon.path(soon.take())[0].manifest.counts == {"bank.t": rows}


def test_a_log_goes_on_after_its_file_number_999999(tmp_path: Path) -> None:
    with mariadb(options=("--log-bin=binlog", "--server-id=7")) as running:
        run(running, None, "CREATE DATABASE bank", "CREATE TABLE bank.t (n INT PRIMARY KEY)")
        run(running, None, "RESET MASTER TO 999998")
        logical = Keeper(tmp_path, running)
        (tmp_path / "physical").mkdir()
        physical = Keeper(tmp_path / "physical", running, method="physical")
        for keeper in (logical, physical):
            keeper.take()
        taken = []
        for number in range(4):
            run(running, "bank", f"INSERT INTO t VALUES ({number})")
            taken = [keeper.take(Kind.ARCHIVE_LOG) for keeper in (logical, physical)]
            assert [(each.kind, each.reason) for each in taken] == [(Kind.ARCHIVE_LOG, None)] * 2
        files = [file for (file, *_) in running.query("SHOW BINARY LOGS")]
        assert {"binlog.999999", "binlog.1000000"} <= set(files)
        load(running, logical.path(taken[0]), database="copy")
        assert run(running, "copy", "SELECT count(*) FROM t") == [(4,)]
        assert proven(physical.path(taken[1])).counts == {"bank.t": 4}


def test_a_data_folder_that_was_put_back_takes_a_full_set(tmp_path: Path) -> None:
    with machine() as place:
        with place.up() as running:
            run(
                running,
                None,
                "CREATE DATABASE bank",
                "USE bank",
                "CREATE TABLE t (n INT PRIMARY KEY, v CHAR(150))",
                "INSERT INTO t SELECT seq, 'old' FROM seq_1_to_9000",
                "CREATE TABLE u (n INT PRIMARY KEY, v CHAR(150))",
                "INSERT INTO u SELECT seq, 'old' FROM seq_1_to_9000",
            )
        place.save(tmp_path / "saved")
        with place.up() as running:
            keeper = Keeper(tmp_path, running, method="physical")
            run(running, "bank", "UPDATE t SET v = 'forgotten'")
            keeper.take()
            again = keeper.take(Kind.INCREMENTAL)
            assert (again.kind, again.reason) == (Kind.INCREMENTAL, None)
        place.put_back(tmp_path / "saved")
        with place.up() as running:
            for word in ("new", "newer", "newest"):  # the redo log goes past where it was
                run(running, "bank", f"UPDATE u SET v = '{word}'")
            result = keeper.take(Kind.INCREMENTAL)
            assert result.kind is Kind.FULL
            assert "was started anew" in str(result.reason)
            MysqlEngine().restore(keeper.path(result), tmp_path / "back", EngineContext())
            with mariadb(data=tmp_path / "back") as back:
                assert told(back, "bank") == told(running, "bank")


def test_two_restores_that_end_in_one_second_keep_both_old_ones(
    server: MariaDB, live: MariaDB, tmp_path: Path
) -> None:
    run(server, "bank", "CREATE TABLE t (n INT PRIMARY KEY)")
    keeper = Keeper(tmp_path, server)
    path = keeper.path(keeper.take())
    for _ in range(4):
        load(live, path, overwrite=True)
    kept = [name for (name,) in live.query("SHOW DATABASES") if "__replaced_" in name]
    assert len(kept) == 3


def test_what_a_set_says_of_a_character_set_is_no_statement(
    server: MariaDB, live: MariaDB, tmp_path: Path
) -> None:
    run(server, "bank", "CREATE TABLE t (n INT PRIMARY KEY)")
    keeper = Keeper(tmp_path, server)
    (reader,) = keeper.path(keeper.take())
    words = ["utf8mb4", "utf8mb4_bin, READ ONLY = 1"]
    state = {**reader.manifest.state, "charset": words}

    class Planted:
        manifest = reader.manifest.model_copy(update={"state": state})
        blocks = reader.blocks

    with pytest.raises(VerifyError, match="names no character set and collation"):
        load(live, [Planted()])
    assert live.query("SHOW DATABASES LIKE 'bank%'") == []
