"""MariaDB, logical and physical, while money moves: every set, and any second between sets, comes back."""

from __future__ import annotations

import tempfile
import time
import weakref
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.backup.backup import BackupResult, Run, backup
from airflow_backup.actions.restore.chain import open_sets_of
from airflow_backup.actions.restore.choose import chain_at
from airflow_backup.actions.restore.restore import restore
from airflow_backup.actions.sets.stored_set import StoredSet, open_chain
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.rules.recovery import RecoveryChain
from airflow_backup.core.connections import Connection
from airflow_backup.core.errors import (
    BackupError,
    ConfigError,
    EngineError,
    Refused,
    SourceDenied,
    SourceError,
    VerifyError,
)
from airflow_backup.core.words import Kind
from airflow_backup.engines.mysql.engine import MysqlEngine
from airflow_backup.engines.mysql.options import MysqlOptions
from airflow_backup.engines.mysql.server_state import Position
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.storage.open import open_storage
from support.argument_lists import ArgumentLists
from support.servers.mariadb import BANK, INVARIANT, PASSWORD, MariaDB, busy, mariadb, require

pytestmark = pytest.mark.service

FULL, INCREMENTAL, DIFFERENTIAL, LOG = (
    Kind.FULL,
    Kind.INCREMENTAL,
    Kind.DIFFERENTIAL,
    Kind.ARCHIVE_LOG,
)
OPTIONS = (
    "--log-bin=binlog",
    "--server-id=7",
    "--binlog-format=ROW",
    "--max-binlog-size=65536",
    "--gtid-strict-mode=ON",
)


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDB]:
    """A server with a bank in it."""
    require()
    with mariadb(options=OPTIONS) as running:
        running.query(BANK)
        yield running


@pytest.fixture(scope="module")
def other() -> Iterator[MariaDB]:
    """A second server, to restore into."""
    require()
    with mariadb(options=("--log-bin=binlog", "--server-id=8")) as running:
        yield running


class Keeper:
    """A schedule over a server, and its catalog."""

    def __init__(self, folder: Path, server: MariaDB, **source: Any) -> None:
        self.folder, self.server = folder, server
        if source.get("method") != "physical":
            source = {"database": "bank", **source}
        self.schedule = Schedule.model_validate(
            {
                "id": "bank",
                "source": {"engine": "mysql", "connection": "my", **source},
                "repository": f"file://{folder}/repository",
                "preset": "daily",
            }
        )
        self.catalog = Catalog.open(f"sqlite:///{folder}/catalog.db")
        weakref.finalize(self, self.catalog.close)
        self.started = datetime.now(UTC)
        self.number = 0

    def connections(self, name: str) -> Connection:
        return self.server.connection()

    def take(self, kind: Kind = FULL) -> BackupResult:
        self.number += 1
        result = backup(
            self.schedule,
            Run(f"r{self.number}", self.started + timedelta(seconds=self.number)),
            catalog=self.catalog,
            connections=self.connections,
            clock=lambda: datetime.now(UTC),
            kind=kind,
        )
        manifest = next((self.folder / "repository").rglob(f"*{result.set_id}/manifest.json"))
        assert PASSWORD not in manifest.read_text()
        return result

    def moment_of(self, result: BackupResult) -> datetime:
        row = self.catalog.sets.get(result.set_id)
        assert row is not None
        return row.consistent_at

    def path(self, result: BackupResult) -> list[StoredSet]:
        return open_chain(open_storage(self.schedule.repository), Trust("bank"), result.set_id)

    def restore(self, name: str, **which: Any) -> Path:
        restore(
            Trust("bank", "mysql"),
            repository=self.schedule.repository,
            target=self.folder / name,
            connections=self.connections,
            clock=lambda: datetime.now(UTC),
            **which,
        )
        return self.folder / name


@pytest.fixture
def context(other: MariaDB) -> EngineContext:
    return EngineContext(connections=lambda name: other.connection())


def same(
    found: MariaDB,
    server: MariaDB,
    database: str,
    *,
    before: datetime | None = None,
    reaches: datetime | None = None,
) -> None:
    """Compare what was restored with the source: its beginning, or all of it before a second."""
    assert found.query(INVARIANT, database) == [(1,)]
    here = found.query("SELECT * FROM ledger ORDER BY n", database)
    assert len(here) > 20
    if before is None:
        there = server.query(f"SELECT * FROM ledger WHERE n <= {here[-1][0]} ORDER BY n", "bank")
    else:
        there = server.query(
            f"SELECT * FROM ledger WHERE at < '{before:%Y-%m-%d %H:%M:%S}' ORDER BY n", "bank"
        )
    if before is not None and there[-1][-1] > before.replace(tzinfo=None) - timedelta(seconds=0.1):
        there = there[: max(len(here), len(there) - 1)]  # it may have been committed a second later
    assert here == there
    if reaches is not None:
        least = server.query(f"SELECT count(*) FROM ledger WHERE at < '{reaches:%F %T.%f}'", "bank")
        assert len(here) >= least[0][0] - 1  # one may have waited for its commit
    odd = "SELECT HEX(b), HEX(t) FROM `odd ``name` ORDER BY 1"
    assert found.query(odd, database) == server.query(odd, "bank")


def things(server: MariaDB, database: str) -> list[tuple[Any, ...]]:
    """What a database holds besides tables."""
    return server.query(
        f"SELECT 'view', table_name FROM information_schema.views WHERE table_schema = '{database}' "
        f"UNION SELECT 'routine', routine_name FROM information_schema.routines WHERE routine_schema = '{database}' "
        f"UNION SELECT 'trigger', trigger_name FROM information_schema.triggers WHERE trigger_schema = '{database}' "
        f"UNION SELECT 'event', event_name FROM information_schema.events WHERE event_schema = '{database}' ORDER BY 1"
    )


def test_a_checkpoint_of_the_log_is_no_change() -> None:
    first = Position("log.000001", 328, "0-1-5")
    assert first.is_same_moment(Position("log.000001", 371, "0-1-5"))
    assert first.is_same_moment(Position("log.000002", 256, "0-1-5"))
    assert not first.is_same_moment(Position("log.000001", 371, "0-1-6"))
    assert Position("log.000001", 328).is_same_moment(Position("log.000001", 328))
    assert not Position("log.000001", 328).is_same_moment(Position("log.000001", 371))


def test_a_dump_holds_one_moment_and_its_counts_are_true(
    server: MariaDB, other: MariaDB, tmp_path: Path, context: EngineContext
) -> None:
    keeper = Keeper(tmp_path, server)
    with busy(server):
        time.sleep(0.3)
        result = keeper.take()
    (reader,) = keeper.path(result)
    assert reader.manifest.warnings == ()
    assert reader.manifest.counts["bank.account"] == 100
    assert reader.manifest.counts["bank.odd `name"] == 77
    MysqlEngine().load([reader], context, connection="my", database="again")
    same(other, server, "again")
    ((rows,),) = other.query("SELECT count(*) FROM ledger", "again")
    assert rows == reader.manifest.counts["bank.ledger"]
    assert things(other, "again") == things(server, "bank")
    assert [kind for kind, _ in things(other, "again")] == ["event", "routine", "trigger", "view"]


def test_every_second_between_sets_comes_back(
    server: MariaDB, other: MariaDB, tmp_path: Path, context: EngineContext
) -> None:
    keeper = Keeper(tmp_path, server)
    results = []
    with busy(server):
        for kind in [FULL, LOG, LOG, LOG, LOG, FULL, LOG]:
            time.sleep(1.1)
            results.append(keeper.take(kind))
            assert (results[-1].kind, results[-1].reason) == (kind, None)
    engine = MysqlEngine()
    for result in results:
        engine.load(keeper.path(result), context, connection="my", database="link", overwrite=True)
        same(other, server, "link", reaches=keeper.moment_of(result))
    storage = open_storage(keeper.schedule.repository)
    for before, after in pairwise(keeper.moment_of(result) for result in results):
        second = (before + timedelta(seconds=1)).replace(microsecond=0)
        assert second <= after
        found = keeper.catalog.sets.recovery_chain("bank", second)
        assert isinstance(found, RecoveryChain)
        assert found.consistent_at == second
        chain = open_sets_of(storage, Trust("bank"), chain_at(storage, Trust("bank"), second))
        engine.load(
            chain, context, connection="my", database="second", until=second, overwrite=True
        )
        same(other, server, "second", before=second)
    target = keeper.restore("files", set_id=results[2].set_id)
    assert {chain.name for chain in target.iterdir()} == {
        "database.sql",
        "binlog",
        "roll-forward.txt",
    }
    assert "--start-position=" in (target / "roll-forward.txt").read_text()


def test_every_link_of_a_physical_chain_comes_back(server: MariaDB, tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, server, method="physical")
    server.query(
        "CREATE TABLE ballast AS SELECT RANDOM_BYTES(1000) AS b FROM seq_1_to_30000", "bank"
    )
    kinds = [FULL, INCREMENTAL, INCREMENTAL, DIFFERENTIAL, INCREMENTAL, INCREMENTAL, LOG]
    results = []
    with busy(server):
        for kind in kinds:
            time.sleep(1.1)
            results.append(keeper.take(kind))
            assert (results[-1].kind, results[-1].reason) == (kind, None)
    for number, result in enumerate(results):
        longer_than_a_socket_may_be = f"link-{number}-{'x' * 110}"
        target = keeper.restore(longer_than_a_socket_may_be, set_id=result.set_id)
        with mariadb(data=target) as second:
            assert second.query("SELECT count(*) FROM bank.ballast") == [(30000,)]
            # A copy is of the moment at which it ended, before that of the set: by seconds where the machine is busy,
            # but never before that of the set before.
            is_log = result.kind is LOG
            reaches = keeper.moment_of(result if is_log else results[max(number - 1, 0)])
            reaches -= timedelta(seconds=60 * (number == 0))
            same(second, server, "bank", reaches=reaches)
            assert things(second, "bank") == things(server, "bank")
    second_of = (keeper.moment_of(results[0]) + timedelta(seconds=1)).replace(microsecond=0)
    target = keeper.restore("second", at=second_of)
    with mariadb(data=target) as found:
        same(found, server, "bank", before=second_of)
    full = sum(piece.size for piece in keeper.path(results[0])[0].manifest.pieces)
    increment = sum(piece.size for piece in keeper.path(results[-2])[-1].manifest.pieces)
    assert increment < full / 2


def test_all_databases_without_the_servers_own(
    server: MariaDB, other: MariaDB, tmp_path: Path, context: EngineContext
) -> None:
    server.query(
        "CREATE DATABASE IF NOT EXISTS shop;\nCREATE OR REPLACE TABLE shop.t (n INT) ENGINE=MyISAM;\n"
        "INSERT INTO shop.t VALUES (1)"
    )
    try:
        keeper = Keeper(tmp_path, server, database=None)
        with busy(server):
            time.sleep(0.3)
            result = keeper.take()
    finally:
        server.query("DROP DATABASE shop")
    (reader,) = keeper.path(result)
    assert len(reader.manifest.warnings) == 1, reader.manifest.warnings
    warning = reader.manifest.warnings[0]
    assert "because their engines know no transactions: shop.t (MyISAM)" in warning
    assert "shop.t" not in reader.manifest.counts
    with pytest.raises(ConfigError, match="loaded under their own names"):
        MysqlEngine().load([reader], context, connection="my", database="x")
    MysqlEngine().load([reader], context, connection="my")
    assert other.query("SELECT * FROM shop.t") == [(1,)]
    same(other, server, "bank")
    other.query("DROP DATABASE shop;\nDROP DATABASE bank")


@pytest.fixture
def room() -> Iterator[Path]:
    """A folder of our own for temporary copies, which the user who runs a server may enter."""
    with tempfile.TemporaryDirectory(prefix="room-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        yield Path(name)


def test_sets_are_decoded_and_restored_into_test_servers(
    server: MariaDB, tmp_path: Path, room: Path
) -> None:
    context = EngineContext(scratch=room)
    for method in ("logical", "physical"):
        (tmp_path / method).mkdir()
        keeper = Keeper(tmp_path / method, server, method=method)
        with busy(server):
            time.sleep(0.3)
            path = keeper.path(keeper.take())
            longer = keeper.path(keeper.take(LOG))
        for each in (path, longer):
            assert MysqlEngine().decode(each, context).inconclusive is None
        asked = INVARIANT if method == "logical" else INVARIANT.replace("FROM ", "FROM bank.")
        report = MysqlEngine().try_restore(path, context, assertions=[asked])
        assert report.inconclusive is None
        assert report.counts["bank.account"] == 100
        if method == "logical":
            assert report.counts == path[0].manifest.counts
        report = MysqlEngine().try_restore(longer, context, assertions=[asked])
        assert report.inconclusive is None
        with pytest.raises(VerifyError, match="the assertion 'SELECT 1 = 2' does not hold"):
            MysqlEngine().try_restore(path, context, assertions=["SELECT 1 = 2"])
    assert list(room.iterdir()) == []


class Cut:
    """A set whose streams end early."""

    def __init__(self, reader: StoredSet, share: float) -> None:
        self.manifest, self._reader, self._share = reader.manifest, reader, share

    def blocks(self, stream: str, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        whole = b"".join(self._reader.blocks(stream))
        yield whole[: int(len(whole) * self._share)]


def test_a_set_that_was_cut_is_found(server: MariaDB, tmp_path: Path) -> None:
    context = EngineContext()
    keeper = Keeper(tmp_path, server)
    (reader,) = keeper.path(keeper.take())
    for share in (0.99, 0.7, 0.4, 0.05):
        with pytest.raises(VerifyError, match="has no last line"):
            MysqlEngine().decode([Cut(reader, share)], context)
    (tmp_path / "p").mkdir()
    physical = Keeper(tmp_path / "p", server, method="physical")
    (base,) = physical.path(physical.take())
    for share in (0.9, 0.4):
        with pytest.raises(VerifyError, match="is not whole"):
            MysqlEngine().decode([Cut(base, share)], context)


def test_what_holds_something_is_replaced_only_when_told(
    server: MariaDB, other: MariaDB, tmp_path: Path, context: EngineContext
) -> None:
    keeper = Keeper(tmp_path, server)
    with busy(server):
        time.sleep(0.3)
        path = keeper.path(keeper.take())
    other.query("CREATE DATABASE precious;\nCREATE TABLE precious.t (n INT)")
    with pytest.raises(Refused, match="the database 'precious' is not empty"):
        MysqlEngine().load(path, context, connection="my", database="precious")
    with pytest.raises(VerifyError, match="has no last line"):
        MysqlEngine().load(
            [Cut(path[0], 0.9)], context, connection="my", database="precious", overwrite=True
        )
    assert other.query("SELECT count(*) FROM precious.t") == [(0,)]
    MysqlEngine().load(path, context, connection="my", database="precious", overwrite=True)
    same(other, server, "precious")
    counts = path[0].manifest.counts | {"bank.account": 101}
    path[0].manifest = path[0].manifest.model_copy(update={"counts": counts})
    with pytest.raises(
        VerifyError, match=r"'bank.account' has 100 rows, and in set '.*' it had 101"
    ):
        MysqlEngine().load(path, context, connection="my", database="fewer")
    assert other.query("SHOW DATABASES LIKE 'fewer'") == []


@pytest.mark.parametrize("method", ["logical", "physical"])
def test_a_replica_that_does_not_follow_its_source_is_told_in_the_set(
    method: str, tmp_path: Path
) -> None:
    with mariadb() as replica:
        replica.query("CREATE DATABASE bank")
        replica.query(
            "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=9, MASTER_USER='nobody'"
        )
        replica.query("START SLAVE")
        result = Keeper(tmp_path, replica, method=method).take()
    (found,) = open_chain(
        open_storage(f"file://{tmp_path}/repository"), Trust("bank"), result.set_id
    )
    told = "the server is a replica of 127.0.0.1:9 and does not follow it now: changes are not received"
    assert told in found.manifest.warnings


def test_a_log_that_was_removed_takes_a_full_set(server: MariaDB, tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, server)
    keeper.take()
    keeper.take(LOG)
    for _ in range(50):  # the server removes only what it needs no more itself
        server.query("FLUSH BINARY LOGS")
        ((last, *_),) = server.query("SHOW MASTER STATUS")
        server.query(f"PURGE BINARY LOGS TO '{last}'")
        if len(server.query("SHOW BINARY LOGS")) == 1:
            break
        time.sleep(0.1)
    result = keeper.take(LOG)
    assert result.kind is FULL
    assert "full instead of archive_log: the binary log that follows set" in str(result.reason)
    following = keeper.take(LOG)
    assert (following.kind, following.reason) == (LOG, None)
    with busy(server):
        time.sleep(0.3)
    server.query("RESET MASTER")
    with busy(server):
        time.sleep(0.5)
    assert keeper.take(LOG).kind is FULL


def check(server: MariaDB, found: Connection, **source: Any) -> BackupError:
    options = MysqlOptions(engine="mysql", connection="my", **source)
    kind = source.pop("kind", FULL)
    context = EngineContext(connections=lambda name: found, kind=kind)
    problem = MysqlEngine().check(options, context)[0]
    assert PASSWORD not in str(problem)
    return problem


def test_what_is_in_the_way_is_said_before_anything_is_read(
    server: MariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = check(server, server.connection(password="wrong"))
    assert isinstance(wrong, SourceDenied)
    missing = check(server, server.connection(), database="bnak")
    assert isinstance(missing, SourceError)
    assert missing.message == "there is no database 'bnak' on the server at 127.0.0.1"
    gone = Connection(id="my", host="127.0.0.1", port=1, login="x")
    assert check(server, gone).failure_class.retryable
    monkeypatch.setenv("PATH", "/nowhere")
    assert "is not installed" in check(server, server.connection(), database="bank").message


def test_what_the_user_may_not_see_fails_the_backup(server: MariaDB, tmp_path: Path) -> None:
    server.query(
        "CREATE USER poor@'127.0.0.1' IDENTIFIED BY 'p';\nGRANT SELECT ON bank.account TO poor@'127.0.0.1'"
    )

    class Poor(Keeper):
        def connections(self, name: str) -> Connection:
            return self.server.connection(login="poor", password="p")

    poor = Poor(tmp_path, server)
    try:
        with pytest.raises(
            SourceDenied, match="may not see all of database 'bank', it lacks SELECT"
        ):
            poor.take()
        server.query(
            "GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON bank.* TO poor@'127.0.0.1';\n"
            "GRANT SELECT ON mysql.proc TO poor@'127.0.0.1'"
        )
        (reader,) = poor.path(poor.take())
    finally:
        server.query("DROP USER poor@'127.0.0.1'")
    assert reader.manifest.counts == {}
    assert "rows were not counted, because the lock" in reader.manifest.warnings[0]


def test_a_dump_that_fails_is_no_set(server: MariaDB, tmp_path: Path) -> None:
    server.query(
        "CREATE TABLE bank.base (n INT);\nCREATE VIEW bank.broken AS SELECT n FROM bank.base;\nDROP TABLE bank.base"
    )
    try:
        with pytest.raises(EngineError, match="broken"):
            Keeper(tmp_path, server).take()
    finally:
        server.query("DROP VIEW bank.broken")
    assert not list((tmp_path / "repository").rglob("manifest.json"))


def test_the_password_is_in_no_argument_of_any_process(server: MariaDB, tmp_path: Path) -> None:
    with ArgumentLists() as seen:
        keeper = Keeper(tmp_path, server)
        keeper.take()
        keeper.take(LOG)
    assert [line for line in seen if "mariadb-dump" in line]
    assert not [line for line in seen if PASSWORD in line]
