"""
Databases whose code names no schema, or reads what a dump puts later, load as the databases that they were.

`pg_restore` alone refuses each of them, which the first test shows; the oracle of the others is pg_dump.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.core.connections import Connection
from airflow_backup.core.errors import EngineError, VerifyError
from airflow_backup.engines.postgres.engine import PostgresEngine
from airflow_backup.engines.protocol import EngineContext
from contract.postgres.test_postgres_rights_and_settings import take
from support.servers.postgres import PASSWORD, Postgres, postgres, require
from support.sources.postgres_strange import described

pytestmark = pytest.mark.service

TABLES = (
    "CREATE TABLE z_words (word text PRIMARY KEY); INSERT INTO z_words VALUES ('a'), ('b');"
    "CREATE FUNCTION known(w text) RETURNS boolean LANGUAGE sql IMMUTABLE AS"
    " $$ SELECT EXISTS (SELECT 1 FROM z_words WHERE word = w) $$;"
    "CREATE FUNCTION place(w text) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS"
    " $$ BEGIN RETURN (SELECT count(*) FROM z_words WHERE word <= w); END $$;"
    "CREATE FUNCTION twice(w text) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 2 * place(w)';"
)
CASES = {
    "check": "CREATE TABLE t (w text CHECK (known(w)))",
    "check of a table that is named": "CREATE TABLE t (w text CHECK (known(w)));"
    "CREATE OR REPLACE FUNCTION known(w text) RETURNS boolean LANGUAGE sql AS"
    " $$ SELECT EXISTS (SELECT 1 FROM public.z_words WHERE word = w) $$",
    "index": "CREATE TABLE t (w text); CREATE INDEX i ON t (twice(w)); COMMENT ON INDEX i IS 'kept'",
    "index of a part": "CREATE TABLE t (w text); CREATE UNIQUE INDEX i ON t (w) WHERE known(w)",
    "generated column": "CREATE TABLE t (w text, p bigint GENERATED ALWAYS AS (twice(w)) STORED)",
    "domain": "CREATE DOMAIN wordy AS text CHECK (known(VALUE)); CREATE TABLE t (w wordy)",
    "view that is stored": "CREATE TABLE t (w text);"
    "CREATE MATERIALIZED VIEW m AS SELECT w, twice(w) AS p FROM t WITH NO DATA; CREATE UNIQUE INDEX i ON m (w);"
    "CREATE FUNCTION most() RETURNS bigint LANGUAGE sql AS 'SELECT max(p)::bigint FROM m';"
    "CREATE MATERIALIZED VIEW a AS SELECT most() AS n WITH NO DATA",
    "policy": "CREATE TABLE t (w text); ALTER TABLE t ENABLE ROW LEVEL SECURITY;"
    "CREATE POLICY p ON t USING (known(w)); CREATE TABLE u (w text CHECK (known(w)));"
    "INSERT INTO u VALUES ('a')",
    "trigger": "CREATE TABLE t (w text CHECK (known(w)));"
    "CREATE FUNCTION loud() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN INSERT INTO z_words VALUES (NEW.w || place(NEW.w)); RETURN NEW; END $$;"
    "CREATE TRIGGER l AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION loud();"
    "COMMENT ON TRIGGER l ON t IS 'loud'; ALTER TABLE t DISABLE TRIGGER l",
    "foreign key to what comes late": "CREATE TABLE t (w text PRIMARY KEY CHECK (known(w)));"
    "CREATE TABLE a (w text REFERENCES t); ALTER TABLE t CLUSTER ON t_pkey",
    "operator": "CREATE FUNCTION like_it(a text, b text) RETURNS boolean LANGUAGE sql AS 'SELECT known(a)';"
    "CREATE OPERATOR ?~ (FUNCTION = like_it, LEFTARG = text, RIGHTARG = text);"
    "CREATE TABLE t (w text CHECK (w ?~ 'x'))",
    "setting of a function": "ALTER FUNCTION place(text) SET work_mem = '5MB';"
    "CREATE TABLE t (w text CHECK (place(w) > 0))",
    "extension": "CREATE EXTENSION IF NOT EXISTS cube; CREATE TABLE t (w text CHECK (known(w)))",
}


@pytest.fixture(scope="module", params=["debian", "18"])
def server(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    found = require(request.param)
    with postgres(found=found) as running:
        yield running


@pytest.fixture
def shop(server: Postgres) -> Iterator[str]:
    for each in ("shop", "copy"):
        server.query("postgres", f"DROP DATABASE IF EXISTS {each} WITH (FORCE)")
    server.query("postgres", "CREATE DATABASE shop")
    yield "shop"
    for each in ("shop", "copy"):
        server.query("postgres", f"DROP DATABASE IF EXISTS {each} WITH (FORCE)")


def version_of(server: Postgres) -> int:
    return int(server.query("postgres", "SHOW server_version_num")) // 10000


def contents(server: Postgres, database: str, *queries: str) -> str:
    return described(server, database, version_of(server)) + "".join(
        server.query(database, each) for each in queries
    )


def restored(server: Postgres, database: str) -> subprocess.CompletedProcess[str]:
    """What PostgreSQL's own programs make of it."""
    own = ("-h", "127.0.0.1", "-p", str(server.port), "-U", "keeper")
    dump = server.run_bytes("pg_dump", "--format=custom", database)
    server.query("postgres", "CREATE DATABASE copy")
    done = subprocess.run(
        [str(server.programs / "pg_restore"), *own, "--exit-on-error", "--dbname=copy"],
        env=os.environ | {"PGPASSWORD": PASSWORD},
        input=dump,
        capture_output=True,
        check=False,
    )
    server.query("postgres", "DROP DATABASE copy WITH (FORCE)")
    return subprocess.CompletedProcess(done.args, done.returncode, "", done.stderr.decode())


FUNCTIONS: tuple[str, ...] = ("known(text)", "place(text)", "twice(text)")


def fill(server: Postgres, database: str, case: str) -> None:
    """
    Make it as a server of before version 17 allowed.

    From then on CREATE INDEX and REFRESH know no search path either; what was stored before is still dumped.
    """

    def paths(functions: tuple[str, ...], change: str) -> str:
        return "".join(f"ALTER FUNCTION {each} {change} search_path;" for each in functions)

    functions, table = FUNCTIONS, CASES[case]
    there = paths(functions, "SET").replace("search_path", "search_path = public")
    server.query(database, TABLES + there + table)
    server.query(database, paths(functions, "RESET") + "INSERT INTO t VALUES ('b'), ('a')")
    if "MATERIALIZED" in table:
        functions = (*FUNCTIONS, "most()")
        there = paths(functions, "SET").replace("search_path", "search_path = public")
        views = "REFRESH MATERIALIZED VIEW m; REFRESH MATERIALIZED VIEW a;"
        server.query(database, there + views + paths(functions, "RESET"))


@pytest.mark.parametrize("case", CASES)
def test_what_pg_restore_alone_refuses_comes_back(
    server: Postgres, shop: str, tmp_path: Path, case: str
) -> None:
    fill(server, shop, case)
    assert restored(server, shop).returncode != 0
    rows = [f"SELECT * FROM {each} ORDER BY 1" for each in ("t", "z_words")]
    before = contents(server, shop, *rows)
    more: dict[str, Any] = {"format": "directory", "jobs": 2} if "v" in case else {}
    reader = take(tmp_path, server, server.connection(shop), **more)
    engine, context = PostgresEngine(), EngineContext(connections=lambda name: server.connection())

    state = ("none", "empty", "full")[list(CASES).index(case) % 3]
    if state != "none":
        server.query("postgres", "CREATE DATABASE copy")
    if state == "full":
        server.query("copy", "CREATE TABLE t AS SELECT 1 AS other")
    engine.load([reader], context, connection="pg", database="copy", overwrite=state == "full")
    assert contents(server, "copy", *rows) == before

    report = engine.try_restore([reader], context)
    assert report.inconclusive is None
    assert report.counts == reader.manifest.counts
    left = "SELECT count(*) FROM pg_database WHERE datname ~ '^(restore|replaced)_'"
    assert server.query("postgres", left) == "0"


def load(server: Postgres, reader: Any) -> list[str]:
    """Load a set into the database `copy`; return the warnings."""
    context = EngineContext(connections=lambda name: server.connection())
    report = PostgresEngine().load([reader], context, connection="pg", database="copy")
    return list(report.warnings)


def remove(server: Postgres, role: str) -> None:
    """Drop a role and all that it is named in."""
    for each in ("DATABASE IF EXISTS copy", "DATABASE shop", f"OWNED BY {role}", f"ROLE {role}"):
        server.query("postgres", f"DROP {each}")


PATHS = {
    "of the database": "ALTER DATABASE shop SET search_path = app, public",
    "of a role in it": "ALTER ROLE clerk IN DATABASE shop SET search_path = app",
    "of a role": "ALTER ROLE clerk SET search_path = 'it''s', app",
    "of nobody": "SELECT 1",
}


@pytest.mark.parametrize("whose", PATHS)
def test_code_that_finds_its_tables_by_a_path_of_its_own_comes_back(
    server: Postgres, shop: str, tmp_path: Path, whose: str
) -> None:
    server.query("postgres", f"CREATE ROLE clerk; {PATHS[whose]}")
    try:
        server.query(
            shop,
            "CREATE SCHEMA app; SET search_path = app;"
            "CREATE TABLE words (word text); INSERT INTO words VALUES ('a');"
            "CREATE FUNCTION known(w text) RETURNS boolean LANGUAGE sql AS"
            " $$ SELECT EXISTS (SELECT 1 FROM words WHERE word = w) $$;"
            "CREATE TABLE t (w text CHECK (known(w))); INSERT INTO t VALUES ('a')",
        )
        reader = take(tmp_path, server, server.connection(shop))
        before = contents(server, shop)
        assert load(server, reader) == []
        assert contents(server, "copy") == before
    finally:
        remove(server, "clerk")


@pytest.mark.parametrize("exists", [True, False])
def test_a_column_that_is_computed_from_a_later_table_is_what_it_was(
    server: Postgres, shop: str, tmp_path: Path, exists: bool
) -> None:
    """Nothing fails here: `pg_restore` alone computes it from a table that has no rows yet."""
    server.query(
        shop,
        "CREATE TABLE z_rates (rate int); INSERT INTO z_rates VALUES (3);"
        "CREATE FUNCTION rate() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT sum(rate) FROM public.z_rates';"
        "CREATE TABLE a (n int, price bigint GENERATED ALWAYS AS (n * rate()) STORED); INSERT INTO a VALUES (2)",
    )
    reader = take(tmp_path, server, server.connection(shop))
    before = contents(server, shop)
    if exists:
        server.query("postgres", "CREATE DATABASE copy")
    assert load(server, reader) == []
    assert server.query("copy", "SELECT price FROM a") == "6"
    assert contents(server, "copy") == before


def test_what_asks_for_a_setting_of_the_database_comes_back(
    server: Postgres, shop: str, tmp_path: Path
) -> None:
    setting = "ALTER DATABASE shop SET app.tenant = 'it''s'; ALTER DATABASE shop SET TimeZone = 'Asia/Kathmandu'"
    server.query("postgres", setting)
    server.query(
        shop,
        "CREATE TABLE t (at timestamptz, day date CHECK (day = at::date), who text CHECK (who = current_setting('app.tenant')));"
        "INSERT INTO t VALUES ('2026-01-01 00:30+05:45', '2026-01-01', 'it''s')",
    )
    reader = take(tmp_path, server, server.connection(shop))
    before = contents(server, shop)
    assert load(server, reader) == []
    assert contents(server, "copy") == before


def test_a_stored_view_holds_what_policies_let_its_owner_see(
    server: Postgres, shop: str, tmp_path: Path
) -> None:
    server.query("postgres", "CREATE ROLE clerk")
    try:
        server.query(
            shop,
            "CREATE TABLE t (n int); INSERT INTO t VALUES (1), (2); ALTER TABLE t ENABLE ROW LEVEL SECURITY;"
            "CREATE POLICY p ON t USING (n = 1); GRANT SELECT ON t TO clerk; GRANT CREATE ON SCHEMA public TO clerk;"
            "SET ROLE clerk; CREATE MATERIALIZED VIEW m AS SELECT n FROM t",
        )
        assert restored(server, shop).returncode != 0
        reader = take(tmp_path, server, server.connection(shop))
        assert load(server, reader) == []
        assert server.query("copy", "SELECT n FROM m") == "1"
    finally:
        remove(server, "clerk")


def test_what_cannot_be_loaded_is_named_and_nothing_is_left(
    server: Postgres, shop: str, tmp_path: Path
) -> None:
    server.query(
        shop,
        "CREATE FUNCTION early() RETURNS boolean LANGUAGE sql AS 'SELECT false';"
        'CREATE TABLE fine AS SELECT 1 AS n; CREATE TABLE "odd t" (secret text); INSERT INTO "odd t" VALUES (\'sesame\');'
        'ALTER TABLE "odd t" ADD CONSTRAINT c CHECK (early()) NOT VALID;'
        "UPDATE pg_constraint SET convalidated = true WHERE conname = 'c'",
    )
    reader = take(tmp_path, server, server.connection(shop))
    server.query("postgres", "CREATE DATABASE copy")
    with pytest.raises(EngineError) as caught:
        load(server, reader)
    assert caught.value.message == (
        'what does not load: TABLE DATA public odd t: new row for relation "odd t" violates check constraint "c"'
    )
    assert server.query("copy", "SELECT count(*) FROM pg_class WHERE oid >= 16384") == "0"
    assert server.query("postgres", "SELECT count(*) FROM pg_database WHERE datname ~ '^re'") == "0"
    context = EngineContext(connections=lambda name: server.connection())
    with pytest.raises(VerifyError, match="cannot be restored: what does not load: TABLE DATA"):
        PostgresEngine().try_restore([reader], context)


def test_a_role_that_may_make_no_database_is_told_who_can_load_it(
    server: Postgres, shop: str, tmp_path: Path
) -> None:
    fill(server, shop, "check")
    server.query("postgres", "CREATE ROLE humble LOGIN PASSWORD 'h'; ALTER ROLE humble SUPERUSER")
    server.query("postgres", "ALTER DATABASE shop OWNER TO humble")
    for each in ("TABLE t", "TABLE z_words", *(f"FUNCTION {one}" for one in FUNCTIONS)):
        server.query(shop, f"ALTER {each} OWNER TO humble")
    reader = take(tmp_path, server, server.connection(shop))
    server.query("postgres", "ALTER ROLE humble NOSUPERUSER")
    server.query("postgres", "CREATE DATABASE copy OWNER humble")
    found: Connection = server.connection("copy", login="humble", password="h")
    try:
        with pytest.raises(EngineError, match="z_words") as caught:
            PostgresEngine().load(
                [reader], EngineContext(connections=lambda name: found), connection="pg"
            )
        assert caught.value.hint == "a role that may create databases can load it in parts"
        assert server.query("copy", "SELECT count(*) FROM pg_class WHERE oid >= 16384") == "0"
    finally:
        remove(server, "humble")
