"""A restore test gives its server what the original had; where it cannot, it says so and calls nothing corrupt."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_backup.actions.backup.backup import Run, backup
from airflow_backup.actions.sets.stored_set import StoredSet, open_chain
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import EngineError, Inconclusive
from airflow_backup.engines.postgres import verify as postgres_verify
from airflow_backup.engines.postgres.client import programs as postgres_programs
from airflow_backup.engines.postgres.engine import PostgresEngine
from airflow_backup.engines.postgres.options import PostgresOptions
from airflow_backup.engines.postgres.physical.slots import slot_name
from airflow_backup.engines.postgres.restore_test import test_database
from airflow_backup.engines.protocol import EngineContext, VerificationReport
from airflow_backup.storage.open import open_storage
from contract.postgres.test_postgres import schedule
from support.servers.postgres import PASSWORD, USER, Postgres, postgres, require

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    settings = {
        "max_locks_per_transaction": "512",
        "max_prepared_transactions": "7",
        "allow_in_place_tablespaces": "on",
    }
    with postgres(settings=settings) as running:
        yield running


@pytest.fixture
def shop(server: Postgres) -> Iterator[str]:
    server.query("postgres", "CREATE DATABASE shop")
    yield "shop"
    server.query("postgres", "DROP DATABASE IF EXISTS shop WITH (FORCE)")


def take(folder: Path, server: Postgres, **source: object) -> list[StoredSet]:
    item = schedule(folder, server, **source)
    now = datetime.now(UTC)
    with Catalog.open(f"sqlite:///{folder}/catalog.db") as catalog:
        result = backup(
            item,
            Run("r1", now),
            catalog=catalog,
            connections=lambda name: server.connection("shop"),
            clock=lambda: now,
        )
    return open_chain(open_storage(item.repository), Trust(item.id), result.set_id)


def tried(chain: list[StoredSet]) -> VerificationReport:
    report = PostgresEngine().try_restore(chain, EngineContext())
    if report.inconclusive is None and chain[0].manifest.counts:
        assert report.counts == chain[0].manifest.counts
    return report


def test_a_database_of_many_tables_is_restored(server: Postgres, shop: str, tmp_path: Path) -> None:
    statements = "".join(
        f"CREATE TABLE t{n} (id serial PRIMARY KEY, a text UNIQUE, b text UNIQUE);"
        for n in range(1200)
    )
    server.run("psql", "-X", "-q", "-d", shop, text=statements)
    path = take(tmp_path, server)
    report = tried(path)
    assert report.inconclusive is None
    assert len(report.counts) == 1200
    with postgres() as plain:  # with the limits of every server
        context = EngineContext(connections=lambda name: plain.connection("shop"))
        plain.query("postgres", "CREATE DATABASE shop")
        PostgresEngine().load(path, context, connection="pg")
        assert (
            plain.query("shop", "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            == "1200"
        )


def test_policies_mappings_rights_and_tablespaces_are_restored(
    server: Postgres, shop: str, tmp_path: Path
) -> None:
    server.query(
        shop,
        'CREATE ROLE "a reader"; CREATE ROLE "an owner"; GRANT "a reader" TO "an owner"; CREATE EXTENSION file_fdw;'
        'CREATE SERVER files FOREIGN DATA WRAPPER file_fdw; CREATE USER MAPPING FOR "a reader" SERVER files;'
        'CREATE TABLE secrets (n int); CREATE POLICY p ON secrets TO "a reader" USING (n > 1);'
        'GRANT SELECT ON secrets TO "a reader"; ALTER TABLE secrets OWNER TO "an owner";'
        'ALTER DEFAULT PRIVILEGES FOR ROLE "an owner" GRANT SELECT ON TABLES TO "a reader";'
        "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
        "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f();"
        'CREATE MATERIALIZED VIEW m AS SELECT count(*) FROM secrets; ALTER MATERIALIZED VIEW m OWNER TO "an owner"',
    )
    server.query(shop, "CREATE TABLESPACE elsewhere LOCATION ''")
    server.query(shop, "CREATE TABLE far (n int) TABLESPACE elsewhere; INSERT INTO far VALUES (1)")
    try:
        report = tried(take(tmp_path, server))
        assert report.inconclusive is None
        assert report.counts["public.far"] == 1
    finally:
        server.query("postgres", "DROP DATABASE shop WITH (FORCE)")
        server.query("postgres", "DROP TABLESPACE elsewhere")
        server.query("postgres", 'DROP ROLE "an owner"; DROP ROLE "a reader"')


def test_a_cluster_with_prepared_transactions_and_without_a_database_called_postgres_is_restored(
    server: Postgres, shop: str, tmp_path: Path
) -> None:
    server.query(shop, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)")
    for number in range(3):
        server.query(shop, f"BEGIN; INSERT INTO kept VALUES (2); PREPARE TRANSACTION 'p{number}'")
    server.query("template1", "ALTER DATABASE postgres RENAME TO another")
    try:
        path = take(tmp_path, server, method="physical")
        report = tried(path)
    finally:
        server.query("template1", "ALTER DATABASE another RENAME TO postgres")
        for number in range(3):
            server.query(shop, f"ROLLBACK PREPARED 'p{number}'")
    assert report.inconclusive is None
    assert report.counts["shop: public.kept"] == 1


@pytest.mark.parametrize(
    "told",
    [
        'ERROR:  extension "postgis" is not available',
        'ERROR:  collation "de-x-icu" for encoding "UTF8" does not exist',
        "ERROR:  out of shared memory",
        'ERROR:  role "somebody" does not exist',
        'ERROR:  could not load library "x": shared_preload_libraries',
    ],
)
def test_what_this_machine_lacks_is_inconclusive(
    server: Postgres, shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    path = take(tmp_path, server)

    def fail(*given: object, **more: object) -> int:
        raise EngineError(f"pg_restore failed with code 1: {told}")

    monkeypatch.setattr(postgres_verify, "load_dump", fail)
    monkeypatch.setattr(test_database, "load_whole", fail)
    report = tried(path)
    assert report.inconclusive is not None
    assert told in report.inconclusive


def test_only_newer_programs_warn_and_their_dump_goes_back_into_the_older_server(
    server: Postgres, shop: str, tmp_path: Path
) -> None:
    newer = require("18")
    server.query(
        shop,
        "CREATE TABLE kept (n int, t text); INSERT INTO kept VALUES (1, E'\\\\.\\n\\\\! touch x')",
    )
    for number, form in enumerate(("custom", "directory")):
        folder = tmp_path / form
        folder.mkdir()
        path = take(folder, server, tools=str(newer), format=form)
        assert any(
            "pg_dump 18 took a dump of PostgreSQL 15" in each for each in path[0].manifest.warnings
        )
        context = EngineContext(connections=lambda name: server.connection("older"))
        PostgresEngine().load(path, context, connection="pg", overwrite=bool(number))
        assert server.query("older", "SELECT t FROM kept") == "\\.\n\\! touch x"
        assert tried(path).inconclusive is None
    server.query("postgres", "DROP DATABASE older")


def test_the_program_of_the_servers_own_version_is_preferred_to_a_newer_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    newer = require("18")
    monkeypatch.setenv("PATH", f"{newer}:{os.environ['PATH']}")
    assert postgres_programs.version_of(postgres_programs.fitting("pg_dump", 15, None)) == 15
    assert postgres_programs.version_of(postgres_programs.fitting("pg_dump", 17, None)) == 18


KILLED = """
import os, signal, sys, threading, time
from datetime import UTC, datetime
from airflow_backup.actions.backup.backup import Run, backup
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import Connection
from airflow_backup.schedules.model.schedule import Schedule
folder, port, user, password, tools = sys.argv[1:]
item = Schedule.model_validate({"id": "bank", "repository": f"file://{folder}/repository", "preset": "daily",
    "source": {"engine": "postgres", "connection": "pg", "method": "physical", "wal": "slot", "tools": tools}})
found = Connection("pg", host="127.0.0.1", port=int(port), login=user, password=os.environ["SECRET"], schema="shop")
def kill():
    while not any(name.endswith("base.tar") or "base" in name for _, _, names in os.walk(f"{folder}/repository") for name in names):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)
threading.Thread(target=kill, daemon=True).start()
now = datetime.now(UTC)
with Catalog.open(f"sqlite:///{folder}/catalog.db") as catalog:
    backup(item, Run("r1", now), catalog=catalog, connections=lambda name: found, clock=lambda: now)
"""


def test_a_first_run_that_is_killed_leaves_no_slot_and_no_password(
    server: Postgres, shop: str, tmp_path: Path
) -> None:
    server.query(
        shop, "CREATE TABLE large AS SELECT g, repeat('x', 900) FROM generate_series(1, 200000) g"
    )
    with tempfile.TemporaryDirectory(dir="/tmp") as scratch:
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                KILLED,
                str(tmp_path),
                str(server.port),
                USER,
                "-",
                str(server.programs),
            ],
            env=os.environ | {"SECRET": PASSWORD, "TMPDIR": scratch},
            check=False,
            capture_output=True,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
        slots = "SELECT count(*) FROM pg_replication_slots"
        for _ in range(100):
            if server.query("postgres", slots) == "0":
                break
            time.sleep(0.1)
        assert server.query("postgres", slots) == "0"
        assert not [
            file
            for file in Path(scratch).rglob("*")
            if file.is_file() and PASSWORD.encode()[:5] in file.read_bytes()
        ]


def test_a_slot_that_no_set_needs_is_swept_and_one_of_a_schedule_with_sets_is_kept(
    server: Postgres, shop: str, tmp_path: Path
) -> None:
    take(tmp_path, server, method="physical", wal="slot")
    source = PostgresOptions(engine="postgres", connection="pg", method="physical", wal="slot")
    context = EngineContext(connections=lambda name: server.connection("shop"), schedule_id="bank")
    slots = "SELECT string_agg(slot_name, ',') FROM pg_replication_slots"
    engine = PostgresEngine()
    assert server.query("postgres", slots) == slot_name(source, "bank")
    assert engine.sweep(source, context, in_use=True) == []
    (told,) = engine.sweep(source, context, in_use=False, dry_run=True)
    assert told.startswith(f"the replication slot '{slot_name(source, 'bank')}'")
    assert server.query("postgres", slots) == slot_name(source, "bank")
    assert engine.sweep(source, context, in_use=False) == [told]
    assert server.query("postgres", slots) == ""
    assert engine.sweep(source, context, in_use=False) == []


def test_a_slot_that_nobody_empties_is_told_of_in_the_next_set(
    server: Postgres, shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_backup.engines.postgres.physical import dump as postgres_physical
    from airflow_backup.engines.postgres.physical import slots as postgres_slots

    server.query(
        "postgres", "SELECT pg_create_physical_replication_slot('airflow_backup_gone_0a1b2c', true)"
    )
    server.query(shop, "CREATE TABLE more AS SELECT generate_series(1, 1000)")

    def soon(session: object, *, own: str | None) -> list[str]:
        return postgres_slots.forgotten_slots(session, own=own, beyond=1000)  # type: ignore[arg-type]

    monkeypatch.setattr(postgres_physical, "forgotten_slots", soon)
    try:
        (reader,) = take(tmp_path, server, method="physical")
        assert any(
            "the slot 'airflow_backup_gone_0a1b2c' keeps" in each
            for each in reader.manifest.warnings
        )
    finally:
        server.query("postgres", "SELECT pg_drop_replication_slot('airflow_backup_gone_0a1b2c')")


def test_inconclusive_is_what_a_restore_test_gives_and_not_what_it_raises(
    server: Postgres, shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = take(tmp_path, server)

    def refuse(*given: object, **more: object) -> int:
        raise Inconclusive("no answer")

    monkeypatch.setattr(postgres_verify, "load_dump", refuse)
    monkeypatch.setattr(test_database, "load_whole", refuse)
    assert tried(path).inconclusive == "no answer"


def test_a_locale_that_this_machine_lacks_makes_a_failure_inconclusive(
    server: Postgres, shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = take(tmp_path, server)

    def elsewhere(new: str, wanted: object, *, version: int, plain: bool = False) -> str:
        if wanted.name:  # type: ignore[attr-defined]  # the original's
            return f"CREATE DATABASE {new} TEMPLATE template0 LC_COLLATE 'xx_YY'"
        return f"CREATE DATABASE {new} TEMPLATE template0"

    monkeypatch.setattr(test_database, "create_statement", elsewhere)
    assert tried(path).inconclusive is None

    def refuse(*given: object, **more: object) -> int:
        raise EngineError("no partition of relation found for row")

    monkeypatch.setattr(postgres_verify, "load_dump", refuse)
    monkeypatch.setattr(test_database, "load_whole", refuse)
    assert "lacks the database's locale" in str(tried(path).inconclusive)


@pytest.mark.parametrize("slots", [0, 1])
def test_a_server_without_slots_to_spare_is_copied_and_the_set_says_so(
    tmp_path: Path, slots: int
) -> None:
    with postgres(settings={"max_replication_slots": str(slots)}) as tight:
        tight.query("postgres", "CREATE DATABASE shop")
        more = {"wal": "slot"} if slots else {}
        (reader,) = take(tmp_path, tight, method="physical", **more)
        told = "no second one to spare" if slots else "no slot was free"
        assert any(told in each for each in reader.manifest.warnings)
        assert tight.query("postgres", "SELECT count(*) FROM pg_replication_slots") == str(slots)


def test_a_restored_folder_archives_nothing_and_runs_no_subscription(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="backup-archive-", dir="/tmp") as archive:
        Path(archive).chmod(0o777)
        on = {"archive_mode": "on"}
        with postgres(settings=on) as living:
            living.query("postgres", "CREATE DATABASE shop")
            living.query("postgres", f"ALTER SYSTEM SET archive_command = 'cp %p {archive}/%f'")
            living.query("postgres", "SELECT pg_reload_conf()")
            living.query(
                "shop",
                "SET client_min_messages = error; CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=1 dbname=x'"
                " PUBLICATION p WITH (connect = false, slot_name = 's')",
            )
            living.query("shop", "ALTER SUBSCRIPTION s ENABLE")
            path = take(tmp_path, living, method="physical")
        before = sorted(os.listdir(archive))
        report = PostgresEngine().restore(path, tmp_path / "back", EngineContext())
        (told,) = report.warnings
        assert "archives nothing (archive_command)" in told
        assert "runs no subscription (max_logical_replication_workers)" in told
        assert before
        with postgres(data=tmp_path / "back", settings=on) as restored:
            restored.query("shop", "CREATE TABLE t (n int); SELECT pg_switch_wal()")
            restored.query("shop", "INSERT INTO t VALUES (1); SELECT pg_switch_wal()")
            time.sleep(1)
            assert (
                restored.query(
                    "shop", "SELECT count(*) FROM pg_stat_activity WHERE backend_type ~ 'logical'"
                )
                == "0"
            )
        assert sorted(os.listdir(archive)) == before
