"""
A dump that wants out: code of an ordinary role, and of a superuser, in a database that is restored as a test.

The canaries are a folder that everybody may write to, a secret in the worker's environment, and one in a file.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.sets.stored_set import StoredSet
from airflow_backup.core.errors import VerifyError
from airflow_backup.core.process import cage
from airflow_backup.engines.postgres.engine import PostgresEngine
from airflow_backup.engines.postgres.restore_test import owner, test_database
from airflow_backup.engines.protocol import EngineContext, VerificationReport
from airflow_backup.engines.shared import assertions as shared_assertions
from contract.postgres.test_postgres_test_server import take
from support.servers.postgres import PASSWORD, Postgres, postgres

pytestmark = pytest.mark.service

SECRET = "canary-of-the-worker-51d"


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        running.query("postgres", "CREATE ROLE mallory LOGIN")
        yield running


@pytest.fixture
def shop(server: Postgres) -> Iterator[str]:
    server.query("postgres", "CREATE DATABASE shop OWNER mallory")
    yield "shop"
    server.query("postgres", "DROP DATABASE IF EXISTS shop WITH (FORCE)")


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder outside in which anybody may make a file."""
    folder = Path(tempfile.mkdtemp(prefix="canary-", dir="/tmp"))
    folder.chmod(0o777)
    (folder / "secret").write_text(SECRET)
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", SECRET)
    yield folder
    shutil.rmtree(folder)


def attack(mark: Path, *, kind: str = "IMMUTABLE") -> str:
    """Make a function that tries everything, and lets nobody notice; what comes out is left in the mark."""
    foreign = (
        "CREATE EXTENSION file_fdw; CREATE SERVER f FOREIGN DATA WRAPPER file_fdw; CREATE FOREIGN TABLE fo (t text) "
        f"SERVER f OPTIONS (program 'touch {mark}/foreign'); SELECT * FROM fo"
    )
    attempts = [
        f"COPY (SELECT 1) TO PROGRAM 'touch {mark}/program; env > {mark}/environment'",
        f"COPY (SELECT 1) TO '{mark}/copied'",
        f"COPY (SELECT pg_read_file('{mark}/secret')) TO '{mark}/read'",
        f"CREATE TEMP TABLE stolen (line text); COPY stolen FROM '{mark}/secret'; COPY stolen TO '{mark}/stolen'",
        f"SELECT lo_export(lo_from_bytea(0, 'x'), '{mark}/exported')",
        f"SELECT lo_export(lo_import('{mark}/secret'), '{mark}/imported')",
        f"COPY (SELECT * FROM pg_ls_dir('/')) TO '{mark}/listed'",
        "CREATE FUNCTION public.system(cstring) RETURNS int LANGUAGE c AS 'libc.so.6', 'system'",
        "LOAD '/lib/x86_64-linux-gnu/libc.so.6'",
        f"ALTER SYSTEM SET archive_command = 'touch {mark}/archived'",
        f"SET ROLE NONE; COPY (SELECT 1) TO PROGRAM 'touch {mark}/role'",
        f"RESET SESSION AUTHORIZATION; COPY (SELECT 1) TO PROGRAM 'touch {mark}/session'",
        f"ALTER ROLE mallory SUPERUSER; COPY (SELECT 1) TO PROGRAM 'touch {mark}/grown'",
        f"GRANT pg_execute_server_program TO mallory; COPY (SELECT 1) TO PROGRAM 'touch {mark}/granted'",
        foreign,
    ]
    tries = "".join(
        f"BEGIN EXECUTE $try${text}$try$; EXCEPTION WHEN OTHERS THEN NULL; END;\n"
        for text in attempts
    )
    return f"CREATE OR REPLACE FUNCTION attack(int) RETURNS int LANGUAGE plpgsql {kind} AS $all$BEGIN\n{tries}RETURN $1; END$all$;"


def _harmless(kind: str) -> str:
    """Make the function as it is while the original is filled: the server of the original is not the one to hurt."""
    return f"CREATE FUNCTION attack(int) RETURNS int LANGUAGE plpgsql {kind} AS 'BEGIN RETURN $1; END';"


WAYS = {
    "check": "CREATE TABLE kept (n int CHECK (attack(n) > 0)); INSERT INTO kept VALUES (1);",
    "domain": "CREATE DOMAIN d AS int CHECK (attack(VALUE) > 0); CREATE TABLE kept (n d); INSERT INTO kept VALUES (1);",
    "index": "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1); CREATE INDEX ON kept (attack(n));",
    "generated": "CREATE TABLE kept (n int, m int GENERATED ALWAYS AS (attack(n)) STORED); INSERT INTO kept VALUES (1);",
    "statistics": "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1); CREATE STATISTICS s ON (attack(n)), n FROM kept;",
    "refreshed view": "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1); "
    "CREATE MATERIALIZED VIEW seen AS SELECT attack(n) FROM kept;",
    "partition": "CREATE TABLE kept (n int) PARTITION BY LIST (attack(n)); "
    "CREATE TABLE kept_1 PARTITION OF kept FOR VALUES IN (1); INSERT INTO kept VALUES (1);",
    "trigger and rule": "CREATE TABLE kept (n int); CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS "
    "'BEGIN PERFORM attack(1); RETURN NEW; END'; CREATE TRIGGER t BEFORE INSERT ON kept FOR EACH ROW EXECUTE FUNCTION t(); "
    "ALTER TABLE kept ENABLE ALWAYS TRIGGER t; CREATE RULE r AS ON INSERT TO kept DO ALSO SELECT attack(1); "
    "INSERT INTO kept VALUES (1);",
    "policy": "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1); ALTER TABLE kept ENABLE ROW LEVEL SECURITY; "
    "CREATE POLICY p ON kept USING (attack(n) > 0);",
    "definer": "ALTER FUNCTION attack SECURITY DEFINER; CREATE TABLE kept (n int CHECK (attack(n) > 0)); "
    "INSERT INTO kept VALUES (1);",
}


def hold_by(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave one of the two walls standing."""
    if how == "role":
        monkeypatch.setattr(cage, "_holding", lambda user: ())
    elif how == "sandbox":
        own = owner.make_owner

        def superuser(session: Any, wanted: Any, database: Any) -> Any:
            made = own(session, wanted, database)
            session.execute(f"ALTER ROLE {made.facts['user']} SUPERUSER")
            return made

        monkeypatch.setattr(test_database, "make_owner", superuser)


def tried(chain: list[StoredSet], *assertions: str) -> VerificationReport:
    return PostgresEngine().try_restore(chain, EngineContext(), assertions=assertions)


@pytest.mark.parametrize("way", WAYS)
def test_code_of_an_ordinary_role_gets_nowhere(
    server: Postgres,
    shop: str,
    tmp_path: Path,
    mark: Path,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    kind = "VOLATILE" if way in ("check", "domain", "trigger and rule", "definer") else "IMMUTABLE"
    server.query(shop, f"SET ROLE mallory; {_harmless(kind)} {WAYS[way]} {attack(mark, kind=kind)}")
    path = take(tmp_path, server)
    for how in ("both", "role", "sandbox"):
        with monkeypatch.context() as patch:
            hold_by(how, patch)
            report = tried(path)
        assert sorted(os.listdir(mark)) == ["secret"], how
        # Behind one wall alone a role or a program may be missing; that is said, and nothing is called damaged.
        assert report.inconclusive is None or how != "both", report.inconclusive
        if how == "both":
            assert {"no network", "landlock", "limits"} <= {*report.isolation}
            assert report.counts


def test_the_attack_works_where_nothing_holds_it(
    server: Postgres, shop: str, tmp_path: Path, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = attack(mark, kind="VOLATILE")
    server.query(shop, f"SET ROLE mallory; {_harmless('VOLATILE')} {WAYS['check']} {made}")
    path = take(tmp_path, server)
    hold_by("role", monkeypatch)
    hold_by("sandbox", monkeypatch)
    assert tried(path).inconclusive is None
    assert {"program", "environment", "copied", "read"} <= {*os.listdir(mark)}
    # ... and even then there is no secret of the worker in the environment.
    assert SECRET not in (mark / "environment").read_text()


def test_code_that_needs_more_than_the_database_makes_a_restore_test_inconclusive(
    server: Postgres, shop: str, tmp_path: Path, mark: Path
) -> None:
    server.query(
        shop,
        "CREATE FUNCTION f(int) RETURNS bool LANGUAGE plpgsql AS "
        f"$$BEGIN COPY (SELECT 1) TO PROGRAM 'cat > /dev/null; touch {mark}/program'; RETURN true; END$$; "
        "CREATE TABLE kept (n int CHECK (f(n))); INSERT INTO kept VALUES (1)",
    )
    (mark / "program").unlink()
    report = tried(take(tmp_path, server))
    assert sorted(os.listdir(mark)) == ["secret"]
    assert "asks for more than to own the database" in str(report.inconclusive)


def test_event_triggers_and_foreign_tables_of_a_superuser_get_nowhere(
    server: Postgres, shop: str, tmp_path: Path, mark: Path
) -> None:
    server.query(
        shop,
        f"{attack(mark)} CREATE TABLE kept (n int); INSERT INTO kept VALUES (1); "
        "CREATE EXTENSION file_fdw; CREATE SERVER f FOREIGN DATA WRAPPER file_fdw; "
        f"CREATE FOREIGN TABLE fo (t text) SERVER f OPTIONS (program 'touch {mark}/foreign'); "
        "CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM attack(1); END'; "
        "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION e(); "
        "CREATE EVENT TRIGGER e2 ON ddl_command_start EXECUTE FUNCTION e()",
    )
    for each in mark.iterdir():
        each.unlink() if each.name != "secret" else None
    report = tried(take(tmp_path, server), "SELECT count(*) = 1 FROM kept")
    assert sorted(os.listdir(mark)) == ["secret"]
    assert report.inconclusive is None, report.inconclusive[:300]


def test_nothing_in_a_dump_becomes_the_superuser_by_the_socket(
    server: Postgres, shop: str, tmp_path: Path
) -> None:
    server.query(shop, "CREATE EXTENSION dblink; CREATE TABLE kept (n int)")
    told = (
        "SELECT dblink_connect('host=/proc/self/cwd/.. port=5432 dbname=restored user=' || "
        "(SELECT rolname FROM pg_roles WHERE rolsuper LIMIT 1)) IS NOT NULL"
    )
    with pytest.raises(VerifyError, match=r"password"):
        tried(take(tmp_path, server), told)


@pytest.mark.parametrize(
    ("assertion", "told"),
    [
        ("COPY (SELECT 1) TO PROGRAM 'touch {mark}/program'", "fails"),
        ("SELECT pg_read_file('{mark}/secret') IS NOT NULL", "permission denied"),
        ("SELECT lo_export(lo_from_bytea(0, 'x'), '{mark}/exported') = 1", "fails"),
        ("DELETE FROM kept RETURNING true", "read-only transaction|permission denied"),
        ("SELECT set_config('transaction_read_only', 'off', false) IS NOT NULL; DELETE FROM kept", "multiple commands"),
        ("ROLLBACK; DELETE FROM kept", "multiple commands"),
        ("SELECT forget()", "read-only transaction"),
        ("SELECT nextval('counted') = 1", "read-only|permission denied"),
        ("LOAD 'libc.so.6'", "fails"),
        ("SET SESSION AUTHORIZATION mallory", "fails"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["logical", "physical"])
def test_an_assertion_only_asks(
    server: Postgres, shop: str, tmp_path: Path, mark: Path, method: str, assertion: str, told: str
) -> None:
    server.query(
        shop,
        "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1); CREATE SEQUENCE counted; CREATE FUNCTION forget() "
        "RETURNS bool LANGUAGE sql SECURITY DEFINER AS 'DELETE FROM kept; SELECT true'",
    )
    path = take(tmp_path, server, method=method, database="shop")
    with pytest.raises(VerifyError, match=told):
        tried(path, "SELECT count(*) = 1 FROM kept", assertion.replace("{mark}", str(mark)))
    assert sorted(os.listdir(mark)) == ["secret"]


@pytest.mark.parametrize(
    "assertion",
    [
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) > 0 FROM r",
        "SELECT pg_sleep(3600) IS NOT NULL",
    ],
)
def test_an_assertion_that_never_ends_is_ended(
    server: Postgres, shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, assertion: str
) -> None:
    monkeypatch.setattr(shared_assertions, "LIMIT", 1.0)
    server.query(shop, "CREATE TABLE kept (n int)")
    with pytest.raises(
        VerifyError, match="was ended after 1 seconds: it did not come to an answer"
    ):
        tried(take(tmp_path, server), assertion)


def test_an_assertion_sees_every_row_also_those_that_a_policy_hides(
    server: Postgres, shop: str, tmp_path: Path
) -> None:
    server.query(
        shop,
        "CREATE SCHEMA s; CREATE TABLE s.kept (n int); INSERT INTO s.kept VALUES (1), (2); REVOKE ALL ON SCHEMA s "
        "FROM PUBLIC; ALTER TABLE s.kept ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON s.kept USING (n = 1)",
    )
    report = tried(take(tmp_path, server), "SELECT count(*) = 2 FROM s.kept")
    assert report.inconclusive is None
    assert PASSWORD not in str(report)


@pytest.fixture
def neighbour() -> Iterator[Path]:
    """A server next door that listens at a file, as databases do, and notes in a file beside it who came."""
    folder = Path(tempfile.mkdtemp(prefix="next-door-", dir="/tmp"))
    folder.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(folder / ".s.PGSQL.5432"))
        (folder / ".s.PGSQL.5432").chmod(0o777)
        door.listen()

        def note() -> None:
            with contextlib.suppress(OSError):
                while True:
                    guest, _ = door.accept()
                    guest.close()
                    (folder / "came").touch()

        listener = threading.Thread(target=note, daemon=True)
        listener.start()
        yield folder
        door.shutdown(socket.SHUT_RDWR)
        listener.join(5)
    shutil.rmtree(folder)


@pytest.mark.parametrize("is_caged", [True, False])
def test_a_server_next_door_hears_nothing_of_a_dump(
    server: Postgres,
    shop: str,
    tmp_path: Path,
    neighbour: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_caged: bool,
) -> None:
    # Its rows need a table without a schema: so it is loaded by the superuser of the sandbox.
    call = (
        f"PERFORM public.dblink_connect('host={neighbour} port=5432 user=postgres dbname=postgres')"
    )
    server.query(
        shop,
        "CREATE EXTENSION dblink; CREATE TABLE z (n int); CREATE FUNCTION f(int) RETURNS bool LANGUAGE plpgsql AS "
        f"$$BEGIN PERFORM 1 FROM z WHERE n = $1; BEGIN {call}; EXCEPTION WHEN OTHERS THEN NULL; END; "
        "RETURN true; END$$; CREATE TABLE kept (n int CHECK (f(n))); INSERT INTO kept VALUES (1)",
    )
    path = take(tmp_path, server)
    (neighbour / "came").unlink()  # the original is in no cage
    if not is_caged:
        hold_by("role", monkeypatch)
        monkeypatch.setattr(cage.Cage, "is_closed", True)
    report = tried(path)
    assert report.inconclusive is None, report.inconclusive
    assert (neighbour / "came").exists() is not is_caged
