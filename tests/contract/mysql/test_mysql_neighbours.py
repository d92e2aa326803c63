"""
Restores into a MariaDB that holds other databases: what they touch, what steers them, and what is left when they
fail.
"""

from __future__ import annotations

import contextlib
import re
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_backup.core.errors import EngineError, Refused
from airflow_backup.core.words import Kind
from airflow_backup.engines.mysql import keys as mysql_keys
from airflow_backup.engines.mysql.engine import MysqlEngine
from airflow_backup.engines.mysql.load.stage import MARK
from airflow_backup.engines.protocol import EngineContext, RestoreReport
from contract.mysql.test_mysql import Keeper
from support.servers.mariadb import USER, MariaDB, mariadb, require
from support.sources.mariadb_histories import accounts, quoted, told

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDB]:
    require()
    options = ("--log-bin=binlog", "--server-id=7", "--binlog-format=MIXED")
    with mariadb(options=options) as running:
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
        each.query("DROP USER IF EXISTS evil@'%', app@'%'")


def run(server: MariaDB, database: str, *statements: str) -> None:
    for statement in statements:
        session = server.open(database)
        try:
            with session.cursor() as cursor:
                cursor.execute(statement)
        finally:
            session.close()


def load(
    live: MariaDB,
    keeper: Keeper,
    result: object,
    *,
    database: str | None = None,
    overwrite: bool = False,
) -> RestoreReport:
    context = EngineContext(connections=lambda name: live.connection())
    path = keeper.path(result)  # type: ignore[arg-type]
    return MysqlEngine().load(
        path, context, connection="my", database=database, overwrite=overwrite
    )


def bank(server: MariaDB) -> None:
    server.query(
        "CREATE DATABASE bank;\nCREATE DATABASE shop;\n"
        "CREATE TABLE bank.t (n INT PRIMARY KEY, s TEXT);\nINSERT INTO bank.t VALUES (1, 'a'), (2, 'b');\n"
        "CREATE TABLE shop.sessions (n INT PRIMARY KEY);\nINSERT INTO shop.sessions VALUES (1), (2)"
    )


def test_rolling_one_database_forward_touches_no_other(
    server: MariaDB, live: MariaDB, tmp_path: Path
) -> None:
    bank(server)
    bank(live)
    keeper = Keeper(tmp_path, server)
    keeper.take()
    run(
        server,
        "bank",
        "TRUNCATE shop.sessions",
        "CREATE TABLE shop.fresh (n INT)",
        "CREATE USER evil@'%' IDENTIFIED BY 'x'",
        "GRANT ALL ON *.* TO evil@'%'",
        "CREATE PROCEDURE shop.p() SELECT 1",
        "DROP TABLE shop.sessions",
        "INSERT INTO bank.t VALUES (3, 'c')",
    )
    run(
        server,
        "shop",
        "CREATE TABLE orders (n INT PRIMARY KEY)",
        "INSERT INTO orders VALUES (1)",
        "UPDATE bank.t SET s = 'from elsewhere' WHERE n = 1",
    )
    result = keeper.take(Kind.ARCHIVE_LOG)
    before, users = told(live, "shop"), accounts(live)
    (warning,) = load(live, keeper, result, database="again").warnings
    assert warning.startswith("the log has 1 changes of other databases as statements")
    assert told(live, "shop") == before
    assert accounts(live) == users
    assert live.query("SELECT * FROM again.t ORDER BY n") == [
        (1, "from elsewhere"),
        (2, "b"),
        (3, "c"),
    ]
    assert live.query("SELECT * FROM bank.t ORDER BY n") == [(1, "a"), (2, "b")]


def test_a_statement_that_reads_what_the_set_has_not_is_refused(
    server: MariaDB, live: MariaDB, tmp_path: Path
) -> None:
    bank(server)
    bank(live)
    keeper = Keeper(tmp_path, server)
    keeper.take()
    session = server.open("bank")
    with contextlib.closing(session), session.cursor() as cursor:
        cursor.execute("SET binlog_format = STATEMENT")
        cursor.execute("INSERT INTO bank.t SELECT n + 10, 'secret word' FROM shop.sessions")
    result = keeper.take(Kind.ARCHIVE_LOG)
    before = told(live, "bank", "shop")
    with pytest.raises(
        EngineError, match=r"needs 'shop.sessions', which the set does not hold"
    ) as caught:
        load(live, keeper, result, overwrite=True)
    assert "secret word" not in str(caught.value)
    assert told(live, "bank", "shop") == before


def test_a_trigger_that_names_its_database_is_made_where_its_table_is(
    server: MariaDB, live: MariaDB, tmp_path: Path
) -> None:
    bank(server)
    run(
        server,
        "bank",
        "CREATE TRIGGER bank.loud BEFORE INSERT ON bank.t FOR EACH ROW SET NEW.s = 'x'",
    )
    bank(live)
    keeper = Keeper(tmp_path, server)
    before = told(live, "bank")
    load(live, keeper, keeper.take(), database="copy")
    assert told(live, "bank") == before
    live.query("INSERT INTO copy.t VALUES (9, 'y')")
    assert live.query("SELECT s FROM copy.t WHERE n = 9") == [("x",)]


def test_a_load_that_fails_leaves_the_old_and_tells_no_value(
    server: MariaDB, live: MariaDB, tmp_path: Path
) -> None:
    bank(server)
    bank(live)
    run(
        live,
        "bank",
        "CREATE VIEW v AS SELECT * FROM t",
        "CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW SET @a = 1",
    )
    keeper = Keeper(tmp_path, server)
    path = keeper.path(keeper.take())
    context = EngineContext(connections=lambda name: live.connection())

    class Spoiled:
        manifest = path[0].manifest

        def blocks(self, stream: str, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
            whole = b"".join(path[0].blocks(stream))
            yield whole.replace(b"(2,'b')", b"(1,'alice@example.org')").replace(
                b"PRIMARY KEY (`n`)", b"UNIQUE KEY (`n`), UNIQUE KEY (`s`(40), `n`)"
            )

    before = told(live, "bank", "shop")
    with pytest.raises(EngineError) as caught:
        MysqlEngine().load([Spoiled()], context, connection="my", overwrite=True)
    assert re.search(r"refused a statement at line \d+ with error \d+ \(\w+\)$", str(caught.value))
    assert "alice" not in str(caught.value)
    assert told(live, "bank", "shop") == before
    assert not [name for (name,) in live.query("SHOW DATABASES") if "__" in name]


def test_what_cannot_be_made_puts_the_old_back(
    server: MariaDB, live: MariaDB, tmp_path: Path
) -> None:
    bank(server)
    run(
        server,
        "bank",
        "CREATE USER app@'%'",
        "CREATE DEFINER=app@'%' SQL SECURITY DEFINER VIEW a AS SELECT * FROM t",
        "GRANT SELECT ON *.* TO app@'%'",
        "CREATE DEFINER=app@'%' VIEW b AS SELECT * FROM a",
    )
    bank(live)
    run(
        live,
        "bank",
        "CREATE VIEW v AS SELECT * FROM t",
        "CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW SET @a = 1",
        "CREATE PROCEDURE p() SELECT 1",
        "CREATE EVENT e ON SCHEDULE EVERY 1 DAY STARTS '2035-01-01' DISABLE DO SET @x = 1",
    )
    keeper = Keeper(tmp_path, server)
    result = keeper.take()
    before = told(live, "bank", "shop")
    with pytest.raises(EngineError, match="error 1449") as caught:
        load(live, keeper, result, overwrite=True)
    assert "make those first" in str(caught.value)
    assert told(live, "bank", "shop") == before
    assert not [name for (name,) in live.query("SHOW DATABASES") if "__" in name]


def test_the_old_database_is_kept_with_all_that_it_had(
    server: MariaDB, live: MariaDB, tmp_path: Path
) -> None:
    bank(server)
    bank(live)
    run(
        live,
        "bank",
        "INSERT INTO t VALUES (77, 'precious')",
        "CREATE VIEW v AS SELECT * FROM t",
        "CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW SET @a = 1",
        "CREATE PROCEDURE p() SELECT 'why'",
        "CREATE USER app@'%'",
        "GRANT EXECUTE ON PROCEDURE bank.p TO app@'%'",
    )
    run(server, "bank", "CREATE PROCEDURE p() SELECT 'because'")
    keeper = Keeper(tmp_path, server)
    users = accounts(live)
    report = load(live, keeper, keeper.take(), overwrite=True)
    (warning,) = report.warnings
    found = re.search("is kept as '(bank__replaced_[0-9_]+)'", warning)
    assert found is not None
    kept = found[1]
    assert live.query(f"SELECT s FROM {kept}.t WHERE n = 77") == [("precious",)]
    ((statements,),) = live.query(f"SELECT statements FROM {kept}.{MARK}")
    assert all(word in statements for word in (b"VIEW `v`", b"TRIGGER r", b"PROCEDURE `p`"))
    assert live.query("SELECT n FROM bank.t ORDER BY n") == [(1,), (2,)]
    assert [user for user in users if "Execute" in str(user)] == [
        user for user in accounts(live) if "Execute" in str(user)
    ] or live.query(
        "SELECT Proc_priv FROM mysql.procs_priv WHERE Db = 'bank' AND User = 'app'"
    ) == [("Execute",)]


def test_a_table_that_others_refer_to_is_not_exchanged(
    server: MariaDB, live: MariaDB, tmp_path: Path
) -> None:
    bank(server)
    bank(live)
    run(live, "shop", "CREATE TABLE child (n INT, FOREIGN KEY (n) REFERENCES bank.t (n))")
    keeper = Keeper(tmp_path, server)
    result = keeper.take()
    before = told(live, "bank", "shop")
    with pytest.raises(Refused, match=r"'shop.child' refers to 'bank.t' by a foreign key"):
        load(live, keeper, result, overwrite=True)
    assert told(live, "bank", "shop") == before


@pytest.mark.parametrize("database", ["mysql", "MySQL", "sys", "information_schema"])
def test_the_servers_own_databases_are_never_replaced(
    server: MariaDB, live: MariaDB, tmp_path: Path, database: str
) -> None:
    bank(server)
    keeper = Keeper(tmp_path, server)
    result = keeper.take()
    users, listed = accounts(live), live.query("SHOW DATABASES")
    with pytest.raises(Refused, match="is the server's own"):
        load(live, keeper, result, database=database, overwrite=True)
    assert accounts(live) == users
    assert live.query("SHOW DATABASES") == listed


def test_a_database_beside_that_is_not_ours_is_never_dropped(
    server: MariaDB, live: MariaDB, tmp_path: Path
) -> None:
    bank(server)
    live.query("CREATE DATABASE bank__restoring;\nCREATE TABLE bank__restoring.mine (n INT)")
    keeper = Keeper(tmp_path, server)
    result = keeper.take()
    with pytest.raises(Refused, match="which no restore has made"):
        load(live, keeper, result)
    assert live.query("SELECT count(*) FROM bank__restoring.mine") == [(0,)]


KILLED = """
import os, signal, sys, pickle
sys.path[:0] = {path!r}
from pathlib import Path
from airflow_backup.actions.sets.stored_set import open_chain
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.core import connections
from airflow_backup.engines.mysql.load import definitions as mysql_definitions, stage as mysql_stage, swap as mysql_swap
from airflow_backup.engines.mysql.engine import MysqlEngine
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.storage.open import open_storage
asked = 0
ask = mysql_swap.ask
def counted(session, query, *values):
    global asked
    if not query.lstrip().upper().startswith(("SELECT", "SET ")):
        asked += 1
        if asked > {after}:
            os.kill(os.getpid(), signal.SIGKILL)
    return ask(session, query, *values)
mysql_swap.ask = mysql_stage.ask = mysql_definitions.ask = counted
path = open_chain(open_storage({repository!r}), Trust("bank"), {set_id!r})
found = connections.Connection(**{connection!r})
MysqlEngine().load(path, EngineContext(connections=lambda name: found), connection="my", overwrite=True)
"""


@pytest.mark.parametrize("after", range(2, 14, 2))
def test_a_restore_that_is_killed_loses_nothing_and_goes_on(
    server: MariaDB, live: MariaDB, tmp_path: Path, after: int
) -> None:
    bank(server)
    bank(live)
    run(
        live,
        "bank",
        "INSERT INTO t VALUES (77, 'precious')",
        "CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW SET @a = 1",
        "CREATE TRIGGER q BEFORE DELETE ON t FOR EACH ROW SET @a = 1",
        "CREATE VIEW v AS SELECT * FROM t",
    )
    keeper = Keeper(tmp_path, server)
    result = keeper.take()
    connection = live.connection()
    server_state = {
        key: getattr(connection, key) for key in ("id", "type", "host", "port", "login", "password")
    }
    script = KILLED.format(
        path=sys.path,
        after=after,
        repository=keeper.schedule.repository,
        set_id=result.set_id,
        connection=server_state,
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr.decode()
    time.sleep(0.3)

    def places(query: str) -> list[str]:
        names = [name for (name,) in live.query("SHOW DATABASES") if name.startswith("bank")]
        found = []
        for name in names:
            with contextlib.suppress(Exception):
                if live.query(query.format(quoted(name))):
                    found.append(name)
        return found

    precious = "SELECT 1 FROM {}.t WHERE n = 77"
    assert len(places(precious)) == 1
    load(live, keeper, result, overwrite=True)
    assert live.query("SELECT n FROM bank.t ORDER BY n") == [(1,), (2,)]
    (kept,) = places(precious)
    assert kept.startswith("bank__replaced_")
    written = b"".join(
        row[0]
        for name in places(f"SELECT 1 FROM {{}}.{MARK}")
        for row in live.query(f"SELECT statements FROM {quoted(name)}.{MARK}")
    )
    assert all(word in written for word in (b"TRIGGER r", b"TRIGGER q", b"VIEW `v`"))
    assert "bank__restoring" not in [name for (name,) in live.query("SHOW DATABASES")]


def test_no_program_reads_what_is_somebodys_own(
    server: MariaDB, live: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank(server)
    home = tmp_path / "home"
    home.mkdir()
    lines = [
        "[client]",
        f"port={live.port}",
        "host=127.0.0.1",
        "protocol=tcp",
        f"user={USER}",
        'password="wrong"',
        "no-such-option=1",
        "[mariadb-dump]\nno-data\nwhere=1=0",
        "[mysqldump]\nno-data",
        "[mysqlbinlog]\nno-such-option=1",
        "[mariadb-binlog]\nno-such-option=1",
        "[mysql]\ninit-command=DROP DATABASE shop",
        "[mysqld]\nno-such-option=1",
    ]
    (home / ".my.cnf").write_text("\n".join(lines) + "\n")
    (home / ".my.cnf").chmod(stat.S_IRUSR)
    monkeypatch.setenv("HOME", str(home))
    hostile = {
        "MYSQL_HOST": "203.0.113.1",
        "MYSQL_TCP_PORT": str(live.port),
        "MYSQL_UNIX_PORT": "/nowhere",
        "MYSQL_PWD": "wrong",
        "MYSQL_HOME": str(home),
        "MYSQL_GROUP_SUFFIX": "_x",
        "MARIADB_HOST": "203.0.113.1",
        "LIBMYSQL_ENABLE_CLEARTEXT_PLUGIN": "1",
    }
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    keeper = Keeper(tmp_path, server)
    keeper.take()
    run(server, "bank", "INSERT INTO t VALUES (3, 'c')")
    result = keeper.take(Kind.ARCHIVE_LOG)
    bank(live)
    load(live, keeper, result, overwrite=True)
    assert live.query("SELECT n FROM bank.t ORDER BY n") == [(1,), (2,), (3,)]
    assert live.query("SELECT count(*) FROM shop.sessions") == [(2,)]
    report = MysqlEngine().try_restore(keeper.path(result), EngineContext())
    assert report.inconclusive is None


def test_two_restores_into_one_database_do_not_meet(
    server: MariaDB, live: MariaDB, tmp_path: Path
) -> None:
    bank(server)
    keeper = Keeper(tmp_path, server)
    result = keeper.take()
    session = live.open()
    with contextlib.closing(session), session.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK('airflow_backup bank', 0)")
        with pytest.raises(Refused, match="another restore into 'bank' is under way"):
            load(live, keeper, result)


HISTORY = "SELECT n, s, ROW_START, ROW_END FROM {}.v FOR SYSTEM_TIME ALL ORDER BY n, ROW_START"


def test_the_history_of_versioned_tables_comes_back(
    server: MariaDB, live: MariaDB, tmp_path: Path
) -> None:
    bank(server)
    run(
        server,
        "bank",
        "CREATE TABLE v (n INT PRIMARY KEY, s TEXT) WITH SYSTEM VERSIONING",
        "INSERT INTO v VALUES (1, 'a'), (2, 'b')",
        "UPDATE v SET s = 'c' WHERE n = 1",
        "DELETE FROM v WHERE n = 2",
    )
    keeper = Keeper(tmp_path, server)
    result = keeper.take()
    (reader,) = keeper.path(result)
    assert reader.manifest.counts["bank.v"] == 1
    load(live, keeper, result)
    assert live.query(HISTORY.format("bank")) == server.query(HISTORY.format("bank"))
    assert len(live.query(HISTORY.format("bank"))) == 3
    run(server, "bank", "UPDATE v SET s = 'd' WHERE n = 1", "INSERT INTO v VALUES (5, 'e')")
    load(live, keeper, keeper.take(Kind.ARCHIVE_LOG), overwrite=True)
    assert live.query("SELECT n, s FROM bank.v ORDER BY n") == [(1, "d"), (5, "e")]
    assert len(live.query(HISTORY.format("bank"))) == 5


def test_a_set_says_what_it_leaves_out(server: MariaDB, tmp_path: Path) -> None:
    bank(server)
    run(server, "bank", "CREATE TABLE f (n INT PRIMARY KEY, size FLOAT, weight DOUBLE)")
    keeper = Keeper(tmp_path, server)
    (reader,) = keeper.path(keeper.take())
    assert "users, roles and grants" in reader.manifest.state["leaves_out"]
    (warning,) = reader.manifest.warnings
    assert warning.startswith("a dump has six digits of a FLOAT")
    assert "bank.f.size" in warning
    assert "weight" not in warning


KEY = "a7addd9adea9978fda19f21e6be987880e68ac92632ca052e5bb42b1a506939a"


def test_what_is_encrypted_at_rest_comes_back(tmp_path: Path) -> None:
    require()
    with tempfile.TemporaryDirectory(prefix="keys-", dir="/tmp") as folder:
        keys = Path(folder) / "keys"
        keys.write_text(f"1;{KEY}\n")
        for path in (keys.parent, keys):
            path.chmod(0o755)
        options = (
            "--log-bin=binlog",
            "--server-id=7",
            "--plugin-load-add=file_key_management",
            f"--file-key-management-filename={keys}",
            "--innodb-encrypt-tables=ON",
            "--innodb-encrypt-log=ON",
            "--encrypt-binlog=ON",
        )
        with mariadb(options=options) as encrypted:
            bank(encrypted)
            run(encrypted, "bank", "ALTER TABLE t ENCRYPTED=YES")
            for method in ("logical", "physical"):
                (tmp_path / method).mkdir()
                keeper = Keeper(tmp_path / method, encrypted, method=method)
                full = keeper.take()
                run(encrypted, "bank", "INSERT INTO t SELECT MAX(n) + 1, 'more' FROM t")
                for result in (full, keeper.take(Kind.ARCHIVE_LOG)):
                    report = MysqlEngine().try_restore(keeper.path(result), EngineContext())
                    assert report.inconclusive is None
        keys.unlink()
        report = MysqlEngine().try_restore(keeper.path(full), EngineContext())
        assert report.inconclusive is not None
        assert "its keys cannot be read here" in report.inconclusive


def test_a_physical_chain_with_ddl_and_accounts_between_comes_back(
    server: MariaDB, tmp_path: Path
) -> None:
    bank(server)
    keeper = Keeper(tmp_path, server, method="physical")
    keeper.take()
    run(
        server,
        "bank",
        "ALTER TABLE t ADD COLUMN x INT",
        "CREATE TABLE u (a INT)",
        "DROP TABLE shop.sessions",
        "RENAME TABLE u TO w",
    )
    keeper.take(Kind.INCREMENTAL)
    run(
        server,
        "bank",
        "TRUNCATE w",
        "OPTIMIZE TABLE t",
        "ALTER TABLE t DROP COLUMN x, ALGORITHM=COPY",
        "CREATE DATABASE extra",
    )
    keeper.take(Kind.INCREMENTAL)
    run(
        server,
        "bank",
        "CREATE USER app@'%' IDENTIFIED BY 'x'",
        "GRANT SELECT ON bank.* TO app@'%'",
        "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SET @x = 1",
        "INSERT INTO t (n) VALUES (3)",
        "DROP DATABASE extra",
    )
    result = keeper.take(Kind.ARCHIVE_LOG)
    target = keeper.restore("chain", set_id=result.set_id)
    with mariadb(data=target) as found:
        assert told(found, "bank", "shop") == told(server, "bank", "shop")
        assert [each for each in accounts(found) if "'app'" in str(each)] == [
            each for each in accounts(server) if "'app'" in str(each)
        ]


def test_a_planted_option_chooses_no_program(tmp_path: Path) -> None:
    data, work = tmp_path / "data", tmp_path / "work"
    data.mkdir()
    work.mkdir()
    (data / "backup-my.cnf").write_text(
        "[mysqld]\nplugin_dir=/tmp/evil\nplugin_load=evil.so;x=/tmp/evil.so\ninit_file=/tmp/evil.sql\n"
    )
    option = mysql_keys.options_of(data, work)
    assert Path(option.partition("=")[2]).read_text() == "[mysqld]\n"
    (tmp_path / "keys").write_text(f"1;{KEY}\n")
    (data / "backup-my.cnf").write_text(
        "[mysqld]\nplugin_dir=/tmp/evil\nplugin_load=evil=evil;file_key_management=file_key_management\n"
        f"file_key_management_filename={tmp_path / 'keys'}\ninit_file=/tmp/evil.sql\n"
    )
    option = mysql_keys.options_of(data, work)
    assert "evil" not in Path(option.partition("=")[2]).read_text()
