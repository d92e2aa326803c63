"""What servers, databases and roles are set to, and what lies about in a home, chooses nothing and stops nothing."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.backup.backup import Run, backup
from airflow_backup.actions.sets.stored_set import StoredSet, open_chain
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import Connection
from airflow_backup.core.errors import ConfigError, EngineError, Refused, SourceDenied
from airflow_backup.engines.postgres.engine import PostgresEngine
from airflow_backup.engines.postgres.options import PostgresOptions
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.storage.open import open_storage
from contract.postgres.test_postgres import schedule
from support.argument_lists import ArgumentLists
from support.servers.postgres import PASSWORD, USER, Postgres, postgres, require

pytestmark = pytest.mark.service


@pytest.fixture(scope="module", params=["debian", "18"])
def server(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    found = require(request.param)
    # A server whose own settings are in the way as well.
    settings = {
        "statement_timeout": "3s",
        "idle_in_transaction_session_timeout": "50ms",
        "lock_timeout": "20ms",
    }
    with postgres(found=found, settings=settings) as running:
        yield running


@pytest.fixture
def shop(server: Postgres) -> Iterator[str]:
    server.query("postgres", "CREATE DATABASE shop")
    server.query("shop", "CREATE TABLE kept AS SELECT g AS n FROM generate_series(1, 9) g")
    yield "shop"
    server.query("postgres", "DROP DATABASE IF EXISTS shop WITH (FORCE)")


def take(folder: Path, server: Postgres, found: Connection, **source: Any) -> StoredSet:
    """Take one set, by the connection ``found``."""
    item = schedule(folder, server, **source)
    now = datetime.now(UTC)
    with Catalog.open(f"sqlite:///{folder}/catalog.db") as catalog:
        result = backup(
            item, Run("r1", now), catalog=catalog, connections=lambda name: found, clock=lambda: now
        )
    return open_chain(open_storage(item.repository), Trust(item.id), result.set_id)[-1]


def globals_of(reader: StoredSet) -> str:
    return b"".join(reader.blocks("globals.sql")).decode()


HOSTILE = {
    "PGHOST": "203.0.113.7",
    "PGHOSTADDR": "203.0.113.7",
    "PGPORT": "1",
    "PGUSER": "nobody",
    "PGDATABASE": "nothing",
    "PGPASSWORD": "wrong",
    "PGOPTIONS": "-c search_path=nowhere -c default_transaction_read_only=on",
    "PGSERVICE": "hostile",
    "PGSSLMODE": "verify-full",
    "PGSSLCERT": "/etc/hostname",
    "PGREQUIRESSL": "1",
    "PGCHANNELBINDING": "require",
    "PGTARGETSESSIONATTRS": "read-only",
    "PGREQUIREAUTH": "none",
    "PGCLIENTENCODING": "LATIN1",
    "PGDATESTYLE": "German",
    "PGTZ": "Asia/Kathmandu",
    "PGCONNECT_TIMEOUT": "x",
    "PGAPPNAME": "hostile",
    "PGDATA": "/nonexistent",
    "PSQLRC": "/etc/hostname",
    "LC_ALL": "C.UTF-8",
}


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home and an environment that name another server, another user and other options."""
    home = tmp_path / "home"
    (home / ".postgresql").mkdir(parents=True)
    for name in ("postgresql.crt", "postgresql.key", "root.crt", "root.crl"):
        (home / ".postgresql" / name).write_text("no certificate")
        (home / ".postgresql" / name).chmod(0o600)
    (home / ".pgpass").write_text("*:*:*:*:wrong\n")
    (home / ".pgpass").chmod(0o600)
    (home / ".pg_service.conf").write_text("[hostile]\nhost=203.0.113.7\nuser=nobody\n")
    (home / ".psqlrc").write_text("\\quit\n")
    for key, value in HOSTILE.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PGPASSFILE", str(home / ".pgpass"))
    monkeypatch.setenv("PGSERVICEFILE", str(home / ".pg_service.conf"))
    return home


@pytest.mark.parametrize("method", ["logical", "physical"])
def test_nothing_of_the_person_who_runs_the_worker_chooses_a_server_a_user_or_options(
    server: Postgres, shop: str, tmp_path: Path, hostile: Path, method: str
) -> None:
    found = server.connection(shop)
    reader = take(tmp_path, server, found, method=method)
    context = EngineContext(connections=lambda name: found)
    report = PostgresEngine().try_restore(
        [reader], context, assertions=["SELECT count(*) = 9 FROM kept"]
    )
    assert report.inconclusive is None
    if method == "logical":
        PostgresEngine().load([reader], context, connection="pg", overwrite=True)
    assert {
        key: os.environ[key] for key in HOSTILE
    } == HOSTILE  # Airflow's own connections may need them


def test_a_password_that_only_a_person_has_lets_nobody_in(
    server: Postgres, shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".pgpass").write_text(
        "*:*:*:*:" + PASSWORD.replace("\\", "\\\\").replace(":", "\\:") + "\n"
    )
    (tmp_path / ".pgpass").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    found = server.connection(shop, password=None)
    with pytest.raises(SourceDenied, match="no password supplied"):
        take(tmp_path, server, found)


def test_no_file_holds_the_password_while_a_program_runs(server: Postgres, shop: str) -> None:
    from airflow_backup.engines.postgres.client import libpq

    given = libpq.environment(PASSWORD)
    assert given["PGPASSWORD"] == PASSWORD
    assert not Path(given["PGPASSFILE"]).exists()


EXTRAS: dict[str, tuple[dict[str, Any], str]] = {
    "channel_binding": ({"channel_binding": "require"}, "channel binding"),
    "target_session_attrs": ({"target_session_attrs": "standby"}, "not in hot standby"),
    "sslmode": ({"sslmode": "require"}, "server does not support SSL"),
    "root certificate": ({"sslmode": "verify-full", "sslrootcert": "/nonexistent/x"}, "SSL"),
    "options": ({"options": "-c no.such=1 -c nosuch=1"}, "nosuch"),
    "require_auth": ({"require_auth": "none"}, "none"),
}


@pytest.mark.parametrize(("extra", "sign"), EXTRAS.values(), ids=EXTRAS)
def test_an_extra_of_a_connection_is_passed_on(
    server: Postgres, shop: str, extra: dict[str, Any], sign: str
) -> None:
    found = replace(server.connection(shop), extra=extra)
    options = PostgresOptions(engine="postgres", connection="pg", tools=str(server.programs))
    (problem,) = PostgresEngine().check(options, EngineContext(connections=lambda name: found))
    assert sign in str(problem)


@pytest.mark.parametrize(
    "extra", [{"service": "x"}, {"sslpassword": "x"}, {"iam": True}, {"typo": 1}, {"user": "x"}]
)
def test_an_extra_that_is_not_passed_on_is_refused_by_its_name(extra: dict[str, Any]) -> None:
    found = Connection("pg", host="127.0.0.1", extra=extra)
    options = PostgresOptions(engine="postgres", connection="pg")
    (problem,) = PostgresEngine().check(options, EngineContext(connections=lambda name: found))
    assert isinstance(problem, ConfigError)
    assert f"has the extra '{next(iter(extra))}'" in problem.message


SETTINGS = (
    *("statement_timeout = 9", "lock_timeout = 9", "idle_in_transaction_session_timeout = 9"),
    *(
        "default_transaction_read_only = on",
        "search_path = evil, pg_catalog",
        "DateStyle = 'SQL, DMY'",
    ),
    *("IntervalStyle = sql_standard", "client_encoding = SQL_ASCII", "quote_all_identifiers = on"),
    *("default_transaction_isolation = serializable", "array_nulls = off", "row_security = off"),
)


@pytest.mark.parametrize("method", ["logical", "physical"])
@pytest.mark.parametrize("what", ["DATABASE shop", f"ROLE {USER}"], ids=["database", "role"])
def test_no_setting_of_a_database_or_a_role_is_in_the_way(
    server: Postgres, shop: str, tmp_path: Path, what: str, method: str
) -> None:
    server.query(
        shop,
        "SET statement_timeout = 0; CREATE TABLE large AS SELECT generate_series(1, 300000);"
        "CREATE TABLE spans AS SELECT INTERVAL '-1 day 2 hours' AS s, ARRAY[NULL, 'NULL']::text[] AS a;"
        " CREATE SCHEMA evil; CREATE FUNCTION evil.pg_export_snapshot() RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$",
    )
    look = "SET IntervalStyle = postgres; SELECT s, a, a[1] IS NULL FROM public.spans"
    before = server.query(shop, look)
    more = (
        ["transaction_timeout = 60"]
        if server.query(shop, "SHOW server_version_num") >= "170000"
        else []
    )
    server.query(shop, "".join(f"ALTER {what} SET {each};" for each in (*SETTINGS, *more)))
    found = server.connection(shop)
    context = EngineContext(connections=lambda name: found)
    try:
        reader = take(tmp_path, server, found, method=method)
        report = PostgresEngine().try_restore([reader], context)
        assert report.inconclusive is None
        if method == "logical":
            PostgresEngine().load([reader], context, connection="pg", overwrite=True)
            PostgresEngine().load([reader], context, connection="pg", overwrite=True)
    finally:
        server.query(
            "postgres",
            "SET default_transaction_read_only = off; SET transaction_read_only = off;"
            f" SET statement_timeout = 0; ALTER ROLE {USER} RESET ALL",
        )
    server.query("postgres", "SET transaction_read_only = off; ALTER DATABASE shop RESET ALL")
    assert server.query(shop, look) == before


def test_a_role_that_may_connect_to_one_database_alone_can_back_it_up(
    server: Postgres, shop: str, tmp_path: Path
) -> None:
    server.query(
        "postgres",
        "CREATE ROLE dumper LOGIN PASSWORD 'd' BYPASSRLS REPLICATION; GRANT pg_read_all_data TO dumper;"
        "REVOKE CONNECT ON DATABASE postgres FROM PUBLIC; REVOKE CONNECT ON DATABASE template1 FROM PUBLIC;",
    )
    found = server.connection(shop, login="dumper", password="d")
    try:
        reader = take(tmp_path, server, found)
        assert "CREATE ROLE dumper" in globals_of(reader)
        (tmp_path / "physical").mkdir()
        take(tmp_path / "physical", server, found, method="physical")
    finally:
        server.query(
            "postgres",
            "GRANT CONNECT ON DATABASE postgres TO PUBLIC; GRANT CONNECT ON DATABASE template1 TO PUBLIC;"
            "DROP OWNED BY dumper; DROP ROLE dumper",
        )


def test_large_objects_are_asked_for_before_anything_is_read_and_come_back(
    server: Postgres, shop: str, tmp_path: Path
) -> None:
    server.query(shop, "SELECT lo_from_bytea(4711, 'abc')")
    server.query(
        "postgres",
        "CREATE ROLE dumper LOGIN PASSWORD 'd' BYPASSRLS; GRANT pg_read_all_data TO dumper",
    )
    found = server.connection(shop, login="dumper", password="d")
    try:
        with pytest.raises(SourceDenied, match="may not read 1 large objects") as caught:
            take(tmp_path, server, found)
        assert caught.value.hint == "as a superuser: ALTER ROLE ... SET lo_compat_privileges = on;"
        server.query("postgres", "ALTER ROLE dumper SET lo_compat_privileges = on")
        reader = take(tmp_path, server, found)
        context = EngineContext(connections=lambda name: server.connection(shop))
        PostgresEngine().load([reader], context, connection="pg", overwrite=True)
        assert server.query(shop, "SELECT lo_get(4711)") == "\\x616263"
    finally:
        server.query("postgres", "DROP OWNED BY dumper; DROP ROLE dumper")


@pytest.mark.parametrize("source", [{}, {"format": "directory"}, {"method": "physical"}], ids=str)
def test_what_a_program_warns_of_is_in_the_set_and_nothing_else_that_it_says(
    server: Postgres, shop: str, tmp_path: Path, source: dict[str, Any]
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("pg_dump", "pg_dumpall", "pg_basebackup"):
        said = f"{name}: warning: odd\\n{name}: detail: why\\nrow: secret\\n"
        (tools / name).write_text(
            f'#!/bin/sh\n[ "$1" = --version ] || printf \'{said}\' >&2\nexec {server.programs}/{name} "$@"\n'
        )
        (tools / name).chmod(0o755)
    reader = take(tmp_path, server, server.connection(shop), tools=str(tools), **source)
    name = "pg_basebackup" if source.get("method") else "pg_dump"
    assert f"{name}: warning: odd" in reader.manifest.warnings
    assert f"{name}: detail: why" in reader.manifest.warnings
    assert not any("secret" in each for each in reader.manifest.warnings)


def test_a_load_names_the_roles_and_tablespaces_that_the_server_lacks_before_it_begins(
    server: Postgres, shop: str, tmp_path: Path
) -> None:
    server.query(
        "postgres", "CREATE ROLE manager; CREATE ROLE clerk; ALTER DATABASE shop OWNER TO manager"
    )
    server.query(
        "postgres",
        "GRANT TEMPORARY ON DATABASE shop TO clerk; ALTER ROLE clerk IN DATABASE shop SET work_mem = 64",
    )
    context = EngineContext(connections=lambda name: server.connection(shop))
    reader = take(tmp_path, server, server.connection(shop))
    server.query("postgres", "DROP DATABASE shop")
    server.query("postgres", "DROP ROLE manager; DROP ROLE clerk")
    with pytest.raises(
        EngineError, match='roles "clerk", "manager" do not exist on the server'
    ) as caught:
        PostgresEngine().load([reader], context, connection="pg")
    assert caught.value.hint == "make the roles first: psql -f globals.sql of the set"
    assert (
        server.query(
            "postgres", "SELECT count(*) FROM pg_database WHERE datname ~ '^(shop|restore_)'"
        )
        == "0"
    )


def test_a_template_can_be_replaced_and_stays_one(
    server: Postgres, shop: str, tmp_path: Path
) -> None:
    server.query("postgres", "ALTER DATABASE shop IS_TEMPLATE true")
    context = EngineContext(connections=lambda name: server.connection(shop))
    reader = take(tmp_path, server, server.connection(shop))
    report = PostgresEngine().load([reader], context, connection="pg", overwrite=True)
    assert not report.warnings
    assert (
        server.query("postgres", "SELECT datistemplate FROM pg_database WHERE datname = 'shop'")
        == "t"
    )
    assert (
        server.query("postgres", "SELECT count(*) FROM pg_database WHERE datname ~ '^replaced_'")
        == "0"
    )
    server.query("postgres", "ALTER DATABASE shop IS_TEMPLATE false")


def test_settings_are_in_no_manifest_because_they_may_be_secrets(
    server: Postgres, shop: str, tmp_path: Path
) -> None:
    server.query("postgres", "ALTER DATABASE shop SET app.key = 'sesame-1234'")
    reader = take(tmp_path, server, server.connection(shop))
    assert "sesame-1234" not in json.dumps(reader.manifest.model_dump(mode="json"))


@pytest.mark.parametrize(
    "what",
    [
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE TYPE mood AS ENUM ('fine')",
        "CREATE SCHEMA own",
        "SELECT lo_from_bytea(1, 'x')",
        "CREATE PUBLICATION p",
    ],
)
def test_a_database_that_holds_anything_at_all_is_not_empty(
    server: Postgres, shop: str, tmp_path: Path, what: str
) -> None:
    reader = take(tmp_path, server, server.connection(shop))
    context = EngineContext(connections=lambda name: server.connection("other"))
    server.query("postgres", "CREATE DATABASE other")
    try:
        server.query("other", what)
        with pytest.raises(Refused, match="the database 'other' is not empty"):
            PostgresEngine().load([reader], context, connection="pg")
        PostgresEngine().load([reader], context, connection="pg", overwrite=True)
        assert server.query("other", "SELECT count(*) FROM kept") == "9"
    finally:
        server.query("postgres", "DROP DATABASE other WITH (FORCE)")


def test_a_database_that_is_in_use_is_replaced_and_its_users_come_back_to_the_new_one(
    server: Postgres, shop: str, tmp_path: Path
) -> None:
    reader = take(tmp_path, server, server.connection(shop))
    ended = threading.Event()
    failures: list[str] = []

    def use() -> None:
        while not ended.is_set():
            try:
                server.query(shop, "SELECT count(*) FROM kept")
            except AssertionError as error:
                failures.append(str(error))

    users = [threading.Thread(target=use) for _ in range(3)]
    for each in users:
        each.start()
    try:
        context = EngineContext(connections=lambda name: server.connection(shop))
        PostgresEngine().load([reader], context, connection="pg", overwrite=True)
    finally:
        ended.set()
        for each in users:
            each.join()
    assert server.query(shop, "SELECT count(*) FROM kept") == "9"
    assert server.query("postgres", "SELECT count(*) FROM pg_database WHERE datname ~ '^re'") == "0"


def test_of_several_hosts_every_program_asks_the_one_that_the_session_found(
    server: Postgres, shop: str, tmp_path: Path
) -> None:
    plain = server.connection(shop)
    found = Connection(
        "pg",
        host="127.0.0.2,127.0.0.1",
        port=plain.port,
        login=plain.login,
        password=plain.password,
        schema=shop,
        extra={"target_session_attrs": "read-write", "connect_timeout": 5},
    )
    with ArgumentLists() as seen:
        assert take(tmp_path, server, found).manifest.counts == {"public.kept": 9}
    lines = [line for line in seen if "pg_dump" in line and "host=" in line]
    assert lines
    assert all("host='127.0.0.1'" in line for line in lines)


def test_what_a_load_that_was_killed_has_left_is_told_of(
    server: Postgres, shop: str, tmp_path: Path
) -> None:
    reader = take(tmp_path, server, server.connection(shop))
    context = EngineContext(connections=lambda name: server.connection(shop))
    server.query("postgres", "CREATE DATABASE restore_0123abcd")
    try:
        report = PostgresEngine().load([reader], context, connection="pg", overwrite=True)
    finally:
        server.query("postgres", "DROP DATABASE restore_0123abcd")
    (told,) = report.warnings
    assert told.startswith("a load that was killed has left the database 'restore_0123abcd'")


def test_what_a_loaded_database_is_not_as_it_was_is_told_without_its_values(
    server: Postgres, shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.query("postgres", "CREATE ROLE clerk")
    try:
        for each in (
            "OWNER TO clerk",
            "CONNECTION LIMIT 7",
            "SET app.key = 'sesame-1234'",
            "SET work_mem = 64",
        ):
            server.query("postgres", f"ALTER DATABASE shop {each}")
        server.query(
            "postgres",
            "COMMENT ON DATABASE shop IS 'ours'; REVOKE CONNECT ON DATABASE shop FROM PUBLIC",
        )
        reader = take(tmp_path, server, server.connection(shop))
        context = EngineContext(connections=lambda name: server.connection(shop))
        report = PostgresEngine().load([reader], context, connection="pg", overwrite=True)
        assert report.warnings == []
        monkeypatch.setattr(
            "airflow_backup.engines.postgres.load.load.statements", lambda *given, **more: []
        )
        report = PostgresEngine().load([reader], context, connection="pg", overwrite=True)
        told = [each.removeprefix("not as it was: ") for each in report.warnings]
        assert told[:3] == [
            f"the owner is '{USER}', and was 'clerk'",
            "the connection limit is -1, and was 7",
            "the comment is None, and was 'ours'",
        ]
        assert f"PUBLIC has got the right CONNECT from '{USER}'" in told
        assert "'clerk' has lost the right CONNECT from 'clerk'" in told
        assert told[-2:] == ["the setting app.key differs", "the setting work_mem differs"]
        assert not any("sesame" in each for each in told)
    finally:
        server.query("postgres", "DROP DATABASE shop")
        server.query("postgres", "DROP ROLE clerk")


NAMES = {
    "template1": (Refused, "what every new database of the server is made from"),
    "template0": (Refused, "what every new database of the server is made from"),
    "x" * 64: (ConfigError, "a server cuts it after 63 bytes"),
    "x" * 62 + "ä": (ConfigError, "a server cuts it after 63 bytes"),
}


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize("database", NAMES)
def test_a_name_that_would_mean_other_databases_too_is_refused(
    server: Postgres, shop: str, tmp_path: Path, database: str, overwrite: bool
) -> None:
    reader = take(tmp_path, server, server.connection(shop))
    context = EngineContext(connections=lambda name: server.connection(shop))
    cut = database.encode()[:63].decode(errors="ignore")
    mine = cut if cut.startswith("x") else "mine"
    server.query("postgres", f'CREATE DATABASE "{mine}"')
    listed = "SELECT oid, datname FROM pg_database ORDER BY 1"
    before = server.query("postgres", listed)
    kind, told = NAMES[database]
    try:
        with pytest.raises(kind, match=told):
            PostgresEngine().load(
                [reader], context, connection="pg", database=database, overwrite=overwrite
            )
        assert server.query("postgres", listed) == before
    finally:
        server.query("postgres", f'DROP DATABASE "{mine}"')
