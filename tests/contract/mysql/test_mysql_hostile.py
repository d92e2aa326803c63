"""A MariaDB dump that wants out, changed in the repository or made by the source, is restored as a test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.core.errors import VerifyError
from airflow_backup.engines.mysql.dump import DUMP
from airflow_backup.engines.mysql.engine import MysqlEngine
from airflow_backup.engines.protocol import EngineContext, SetReader
from airflow_backup.engines.shared import assertions as shared_assertions
from contract.attacks.test_planted_programs import sets
from support.servers.mariadb import MariaDB, mariadb, require

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDB]:
    require()
    with mariadb() as running:
        running.query(
            "CREATE DATABASE bank;\nCREATE TABLE bank.kept (n INT PRIMARY KEY, t TEXT);\nINSERT INTO bank.kept VALUES (1, 'a')"
        )
        yield running


@pytest.fixture
def mark() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="canary-", dir="/tmp"))
    folder.chmod(0o777)
    (folder / "secret").write_text("canary-secret")
    (folder / "secret").chmod(0o644)
    yield folder
    shutil.rmtree(folder)


class Changed:
    """A stored set whose dump says more than was written."""

    def __init__(self, reader: SetReader, more: str) -> None:
        self.manifest, self._reader, self._more = reader.manifest, reader, more.encode()

    def blocks(self, stream: str, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        found = b"".join(self._reader.blocks(stream, begin, end))
        if stream == DUMP:
            found = found.replace(
                b"\n-- Dump completed", b"\n" + self._more + b"\n-- Dump completed"
            )
        yield found


def taken(server: MariaDB, folder: Path) -> tuple[SetReader, EngineContext]:
    source: dict[str, Any] = {"engine": "mysql", "connection": "c", "database": "bank"}
    (reader,) = sets(folder, source, server.connection())
    return reader, EngineContext(connections=lambda name: server.connection())


ATTACKS = {
    "outfile": "SELECT 1 INTO OUTFILE '{mark}/out';",
    "dumpfile": "SELECT 1 INTO DUMPFILE '{mark}/out';",
    "load_file": "INSERT INTO kept SELECT 2, LOAD_FILE('{mark}/secret') FROM DUAL WHERE LOAD_FILE('{mark}/secret') IS NOT NULL;",
    "infile": "LOAD DATA INFILE '{mark}/secret' INTO TABLE kept;",
    "local infile": "LOAD DATA LOCAL INFILE '{mark}/secret' INTO TABLE kept;",
    "definer": "CREATE DEFINER=`root`@`localhost` TRIGGER x BEFORE INSERT ON kept FOR EACH ROW SET NEW.t = LOAD_FILE('{mark}/secret');\n"
    "CREATE DEFINER=`root`@`localhost` FUNCTION w() RETURNS INT NO SQL BEGIN SELECT 1 INTO OUTFILE '{mark}/out'; RETURN 1; END;",
    "udf": "CREATE FUNCTION lib RETURNS INTEGER SONAME 'libc.so.6';",
    "plugin": "INSTALL SONAME 'ha_connect';",
    "global": "SET GLOBAL general_log_file = '{mark}/out';",
    "users": "CREATE USER evil IDENTIFIED BY 'x';",
    "other": "UPDATE mysql.global_priv SET priv = '{}';",
    "client": "\\! touch {mark}/out",
    "system": "system touch {mark}/out;",
    "source": "source {mark}/secret",
    "event": "SET GLOBAL event_scheduler = ON;",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_dump_gets_nowhere(server: MariaDB, tmp_path: Path, mark: Path, attack: str) -> None:
    reader, context = taken(server, tmp_path)
    changed = Changed(reader, ATTACKS[attack].replace("{mark}", str(mark)))
    try:
        report = MysqlEngine().try_restore([changed], context)
    except VerifyError:
        report = None
    assert [each.name for each in mark.iterdir()] == ["secret"]
    assert report is None or report.inconclusive is not None or report.counts == {"bank.kept": 1}


def test_an_honest_dump_passes_and_says_what_held_it(server: MariaDB, tmp_path: Path) -> None:
    reader, context = taken(server, tmp_path)
    report = MysqlEngine().try_restore(
        [reader], context, assertions=["SELECT count(*) = 1 FROM kept"]
    )
    assert report.counts == {"bank.kept": 1}
    assert {"no network", "landlock", "limits"} <= {*report.isolation}


@pytest.mark.parametrize(
    "assertion",
    [
        "DELETE FROM kept",
        "SELECT 1 INTO OUTFILE '{mark}/out'",
        "SELECT LOAD_FILE('{mark}/secret') IS NOT NULL",
        "SELECT 1; DELETE FROM kept",
        "SET GLOBAL general_log = 1",
    ],
)
def test_an_assertion_only_asks(
    server: MariaDB, tmp_path: Path, mark: Path, assertion: str
) -> None:
    reader, context = taken(server, tmp_path)
    with pytest.raises(VerifyError, match="the assertion"):
        MysqlEngine().try_restore(
            [reader], context, assertions=[assertion.replace("{mark}", str(mark))]
        )
    assert [each.name for each in mark.iterdir()] == ["secret"]


def test_an_assertion_without_an_end_is_ended(
    server: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_assertions, "LIMIT", 1.0)
    reader, context = taken(server, tmp_path)
    query = "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 - n FROM r) SELECT SLEEP(3600) FROM r"
    with pytest.raises(VerifyError, match=r"was ended after 1 seconds|does not hold"):
        MysqlEngine().try_restore([reader], context, assertions=[query])
