"""A seeded maker of PostgreSQL databases with everything odd in them, and an oracle that is not our own code."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field

from support.servers.postgres import Postgres

NAMES = (
    *(
        "plain",
        "with space",
        'quo"ted',
        "it's",
        "back\\slash",
        "new\nline",
        "table",
        "select",
        "user",
    ),
    *(
        "ÜmlÄut",
        "名前",
        "da-sh",
        "do.t",
        "UPPER",
        "$1",
        "-- comment",
        "/* c */",
        "a;b",
        "%s",
        "{x}",
        "é\t",
    ),
)
"""What people call things; the ones beyond Latin are left out where an encoding has none of them."""


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    return "E'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


@dataclass
class Strange:
    """One database: the statements that make it, and what it is made with."""

    seed: int
    version: int
    has_icu: bool
    choice: random.Random = field(init=False)
    statements: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.choice = random.Random(self.seed)
        pick = self.choice.choice
        self.encoding = pick(("UTF8", "UTF8", "LATIN1", "SQL_ASCII"))
        # What all databases of a server share are bytes, which each reads in its own encoding.
        shared = NAMES if self.encoding == "UTF8" else [each for each in NAMES if each.isascii()]
        self.database = f"{pick(shared)} {self.seed}"
        self.roles = [f"{pick(shared)} r{self.seed} {number}" for number in range(5)]
        self.owner = pick(self.roles)

    def name(self) -> str:
        """A name that fits the encoding and was not used yet."""
        fits = [each for each in NAMES if self.encoding == "UTF8" or each.isascii()]
        fits += {"LATIN1": ["ÜmlÄut", "é\t"], "SQL_ASCII": ["caf\udce9", "名前"]}.get(
            self.encoding, []
        )
        found = self.choice.choice(fits)
        while found in self.used:
            found = f"{self.choice.choice(fits)}{len(self.used)}"
        self.used.add(found)
        return found

    def value(self) -> str:
        kinds = ["", "\\N", "\t", "\r\n", "x" * 3000, "'", '"', "\\.", "{}", "NULL", "a,b", " "]
        kinds += [self.choice.choice(NAMES)] if self.encoding == "UTF8" else ["ascii"]
        return self.choice.choice(kinds)

    # What belongs to the server.

    def server_statements(self) -> list[str]:
        """Roles with attributes and memberships, and the database."""
        pick, made = self.choice.choice, []
        for role in self.roles:
            words = [pick(("LOGIN", "NOLOGIN")), pick(("INHERIT", "NOINHERIT"))]
            words += [pick(("CREATEDB", "NOCREATEDB")), pick(("BYPASSRLS", "NOBYPASSRLS"))]
            made.append(f"CREATE ROLE {quoted(role)} {' '.join(words)}")
        for member, group in zip(self.roles, self.roles[1:], strict=False):
            if pick((True, False)):
                admin = pick(("", " WITH ADMIN OPTION"))
                made.append(f"GRANT {quoted(group)} TO {quoted(member)}{admin}")
        target = f"DATABASE {quoted(self.database)}"
        made += [f"CREATE {target} TEMPLATE template0 ENCODING '{self.encoding}' {self.locale()}"]
        return made

    def locale(self) -> str:
        pick = self.choice.choice
        locales = ["LC_COLLATE 'C' LC_CTYPE 'C'"]
        if self.encoding == "UTF8":
            locales += ["LC_COLLATE 'C.utf8' LC_CTYPE 'C.utf8'", "LC_COLLATE 'C' LC_CTYPE 'C.utf8'"]
            if self.has_icu:
                locales.append("LC_COLLATE 'C' LC_CTYPE 'C' LOCALE_PROVIDER icu ICU_LOCALE 'de-DE'")
            if self.version >= 17:
                locales.append(
                    "LC_COLLATE 'C' LC_CTYPE 'C' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"
                )
        return pick(locales)

    def properties(self) -> list[str]:
        """What belongs to the database and is not in it; made last, because some settings stop all work."""
        target = f"DATABASE {quoted(self.database)}"
        pick, made = self.choice.choice, [f"ALTER {target} OWNER TO {quoted(self.owner)}"]
        if pick((True, False)):
            made.append(f"REVOKE ALL ON {target} FROM PUBLIC")
        if pick((True, False)):
            made.append(f"REVOKE TEMPORARY ON {target} FROM {quoted(self.owner)}")
        made += self.grants(target)
        if pick((True, False)):
            made.append(f"COMMENT ON {target} IS {text('comment ' + self.name())}")
        for setting in SETTINGS:
            if pick((True, False, False)):
                made.append(f"ALTER {target} SET {setting}")
            if pick((True, False, False)):
                made.append(f"ALTER ROLE {quoted(pick(self.roles))} IN {target} SET {setting}")
        if pick((True, False)):
            made.append(f"ALTER {target} CONNECTION LIMIT {pick((3, 50))}")
        if pick((True, False, False)):
            made.append(f"ALTER {target} IS_TEMPLATE true")
        return made

    def grants(self, target: str) -> list[str]:
        pick, made = self.choice.choice, list[str]()
        for privilege in ("CONNECT", "CREATE", "TEMPORARY"):
            if pick((True, False)):
                role = quoted(pick([each for each in self.roles if each != self.owner]))
                made.append(f"GRANT {privilege} ON {target} TO {role} WITH GRANT OPTION")
                if pick((True, False)):
                    other = quoted(pick([*self.roles]))
                    if other not in (role, quoted(self.owner)):
                        made.append(
                            f"SET ROLE {role}; GRANT {privilege} ON {target} TO {other}; RESET ROLE"
                        )
        return made

    # What is in the database.

    def contents(self) -> list[str]:
        """Schemas, types, tables, code, rights and rows."""
        self.statements = ["SET check_function_bodies = off"]
        schemas = [self.name() for _ in range(3)]
        for schema in schemas:
            owner = quoted(self.choice.choice(self.roles))
            self.statements.append(f"CREATE SCHEMA {quoted(schema)} AUTHORIZATION {owner}")
        if self.choice.random() < 0.2:
            self.statements.append("DROP SCHEMA public")
        for schema in schemas:
            self.fill(quoted(schema))
        self.large_objects()
        self.rights(schemas)
        return self.statements

    def add(self, statement: str, kind: str | None = None, target: str | None = None) -> None:
        self.statements.append(statement)
        if kind is not None and self.choice.random() < 0.4:
            self.statements.append(f"COMMENT ON {kind} {target} IS {text(self.value() or 'x')}")
        owned = ("TABLE", "VIEW", "MATERIALIZED VIEW", "TYPE", "DOMAIN", "SEQUENCE", "FUNCTION")
        if kind in owned and self.choice.random() < 0.5:
            owner = quoted(self.choice.choice(self.roles))
            self.statements.append(f"ALTER {kind} {target} OWNER TO {owner}")

    def fill(self, schema: str) -> None:
        def new() -> str:
            return f"{schema}.{quoted(self.name())}"

        pick = self.choice.choice
        enum, domain, composite, span = new(), new(), new(), new()
        labels = ", ".join(text(each) for each in ("one", "two 2", "it's", ""))
        self.add(f"CREATE TYPE {enum} AS ENUM ({labels})", "TYPE", enum)
        self.add(
            f"CREATE DOMAIN {domain} AS text DEFAULT '-' CHECK (VALUE <> 'bad')", "DOMAIN", domain
        )
        self.add(f"CREATE TYPE {composite} AS ({quoted('from')} int, {quoted(self.name())} {enum})")
        self.add(f"CREATE TYPE {span} AS RANGE (subtype = numeric)", "TYPE", span)
        collation = new()
        if self.has_icu and self.encoding != "SQL_ASCII" and pick((True, False)):
            locale = pick(("de-u-kn-true", "und-u-ks-level2"))
            more = ", deterministic = false" if locale.startswith("und") else ""
            self.add(f"CREATE COLLATION {collation} (provider = icu, locale = '{locale}'{more})")
        else:
            self.add(f"CREATE COLLATION {collation} (locale = 'C')", "COLLATION", collation)
        function, parent, table = new(), new(), new()
        self.add(
            f"CREATE FUNCTION {function}(a int DEFAULT 3, VARIADIC b text[] DEFAULT '{{}}') RETURNS int"
            f" LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, {schema} AS $odd$ SELECT a + 1 -- ' $$ \\ $odd$",
            "FUNCTION",
            f"{function}(int, text[])",
        )
        columns = [quoted(self.name()) for _ in range(6)]
        ident, word, number, when, kind, made = columns
        self.add(
            f"CREATE TABLE {table} ({ident} bigint GENERATED {pick(('ALWAYS', 'BY DEFAULT'))} AS IDENTITY"
            f" (START {pick((1, -5, 2**40))} INCREMENT {pick((1, 7))} MINVALUE -9) PRIMARY KEY, {word} text COLLATE {collation},"
            f" {number} numeric DEFAULT {function}(2), {when} timestamptz DEFAULT '-infinity', {kind} {enum},"
            f" {made} text GENERATED ALWAYS AS (left({word}, 2)) STORED, pair {composite}, spans {span}[],"
            f" checked {domain}, CONSTRAINT {quoted(self.name())} CHECK ({number} IS NULL OR {number} > -99))",
            "TABLE",
            table,
        )
        self.statements.append(
            f"CREATE INDEX {quoted(self.name())} ON {table} (lower({word})) WHERE {number} > 0"
        )
        self.statements.append(f"COMMENT ON COLUMN {table}.{word} IS {text(self.value() or 'y')}")
        self.statements.append(f"ALTER TABLE {table} ALTER {word} SET STATISTICS {pick((0, 500))}")
        for _ in range(pick((0, 1, 5, 60))):
            when_value = pick(
                ("'infinity'", "'0044-03-15 BC'", "'9999-12-31 23:59:59.999999+14'", "NULL")
            )
            self.statements.append(
                f"INSERT INTO {table} ({word}, {number}, {when}, {kind}, pair, spans, checked) VALUES"
                f" ({text(self.value())}, {pick(('NULL', '1.50', '-0.000', str(10**40)))}, {when_value},"
                f" {pick(('NULL', text('two 2'), text('')))}, ROW(1, 'one'), ARRAY['(1,2]', 'empty']::{span}[],"
                f" {text(self.value())})"
            )
        self.partitions(schema, parent)
        self.code(schema, table, function, word)
        self.policies(table, word)

    def partitions(self, schema: str, parent: str) -> None:
        self.add(f"CREATE TABLE {parent} (k text, n int) PARTITION BY RANGE (k)", "TABLE", parent)
        for low, high in (("MINVALUE", "'m'"), ("'m'", "MAXVALUE")):
            part = f"{schema}.{quoted(self.name())}"
            self.statements.append(
                f"CREATE TABLE {part} PARTITION OF {parent} FOR VALUES FROM ({low}) TO ({high})"
            )
        self.statements.append(
            f"INSERT INTO {parent} SELECT chr(97 + i % 26), i FROM generate_series(1, 99) i"
        )

    def code(self, schema: str, table: str, function: str, word: str) -> None:
        def new() -> str:
            return f"{schema}.{quoted(self.name())}"

        view, matview, trigger, procedure, sequence = (new() for _ in range(5))
        self.add(
            f"CREATE VIEW {view} AS SELECT *, {function}(1) AS f FROM {table} ORDER BY 1",
            "VIEW",
            view,
        )
        self.add(f"CREATE MATERIALIZED VIEW {matview} AS SELECT count(*) AS n FROM {table}")
        self.add(
            f"CREATE FUNCTION {trigger}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS"
            f' $$ BEGIN /* it\'s $ a "trigger" */ RETURN NEW; END $$'
        )
        self.statements.append(
            f"CREATE TRIGGER {quoted(self.name())} BEFORE INSERT OR UPDATE OF {word} ON {table}"
            f" FOR EACH ROW WHEN (NEW.{word} IS NOT NULL) EXECUTE FUNCTION {trigger}()"
        )
        self.add(
            f"CREATE PROCEDURE {procedure}(INOUT x text) LANGUAGE plpgsql AS 'BEGIN x := ''\\ ''; END'"
        )
        self.add(f"CREATE SEQUENCE {sequence} AS smallint MINVALUE -3 CYCLE", "SEQUENCE", sequence)
        self.statements.append(
            f"SELECT setval({text(sequence)}, 5, {self.choice.choice(('true', 'false'))})"
        )
        if self.choice.random() < 0.3:
            self.statements.append(
                f"CREATE RULE {quoted(self.name())} AS ON DELETE TO {table} DO ALSO NOTHING"
            )

    def policies(self, table: str, word: str) -> None:
        for _ in range(self.choice.choice((0, 1, 2))):
            role = self.choice.choice(["PUBLIC", *map(quoted, self.roles)])
            self.statements.append(
                f"CREATE POLICY {quoted(self.name())} ON {table} AS {self.choice.choice(('PERMISSIVE', 'RESTRICTIVE'))}"
                f" FOR SELECT TO {role} USING ({word} <> {text(self.value())})"
            )
        if self.choice.random() < 0.4:
            self.statements.append(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            if self.choice.random() < 0.5:
                self.statements.append(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")

    def large_objects(self) -> None:
        for number in range(self.choice.choice((0, 0, 3))):
            oid = 500_000 + self.seed * 10 + number
            self.statements.append(f"SELECT lo_from_bytea({oid}, '\\x00ff{number:02x}')")
            self.add(
                f"ALTER LARGE OBJECT {oid} OWNER TO {quoted(self.owner)}", "LARGE OBJECT", str(oid)
            )

    def rights(self, schemas: list[str]) -> None:
        pick = self.choice.choice
        for schema in map(quoted, schemas):
            role, other = (quoted(pick(self.roles)) for _ in range(2))
            self.statements += [
                f"GRANT USAGE, CREATE ON SCHEMA {schema} TO {role} WITH GRANT OPTION",
                f"GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA {schema} TO {other}",
                f"REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} FROM PUBLIC",
                f"ALTER DEFAULT PRIVILEGES FOR ROLE {role} IN SCHEMA {schema} GRANT SELECT ON TABLES TO {other}",
                f"ALTER DEFAULT PRIVILEGES FOR ROLE {other} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
            ]


SETTINGS = (
    *("search_path = 'it''s', \"$user\", public", "search_path = ''", "DateStyle = 'SQL, DMY'"),
    *(
        "IntervalStyle = sql_standard",
        "statement_timeout = '7ms'",
        "lock_timeout = 1",
        "work_mem = '65MB'",
    ),
    *(
        "idle_in_transaction_session_timeout = '5ms'",
        "default_transaction_read_only = on",
        "array_nulls = off",
    ),
    *("app.secret = 'it''s = \\ x'", "TimeZone = 'Asia/Kathmandu'", "row_security = off"),
    *(
        "default_transaction_isolation = 'serializable'",
        "extra_float_digits = -15",
        "bytea_output = escape",
    ),
    *(
        "quote_all_identifiers = on",
        "client_encoding = 'LATIN1'",
        "standard_conforming_strings = off",
    ),
    "temp_tablespaces = ''",
)

CATALOG = """
SELECT 'database', pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype, datconnlimit,
       datistemplate, datallowconn, dattablespace, shobj_description(d.oid, 'pg_database'), {more}
FROM pg_database d WHERE datname = current_database();
SELECT 'acl', pg_get_userbyid(grantor), CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee) END,
       privilege_type, is_grantable
FROM pg_database d, aclexplode(coalesce(datacl, acldefault('d', datdba))) WHERE datname = current_database() ORDER BY 2, 3, 4;
SELECT 'setting', setrole::regrole::text, setting FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase,
       unnest(setconfig) setting WHERE datname = current_database() ORDER BY 2, 3;
SELECT 'schema', nspname, nspowner::regrole, nspacl::text FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY 2;
SELECT 'extension', extname FROM pg_extension ORDER BY 2;
"""
"""Asked of both databases by psql, not by us."""


def described(server: Postgres, database: str, version: int) -> str:
    """All that a database is, as PostgreSQL's own programs say it."""
    columns = ["datlocprovider"] if version >= 15 else []
    columns += ["datlocale"] if version >= 17 else ["daticulocale"] if version >= 15 else []
    columns += ["daticurules"] if version >= 16 else []
    options = ("-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", _conninfo(database))
    query = (
        "SET search_path = pg_catalog; SET quote_all_identifiers = off; SET statement_timeout = 0;"
    )
    query += " SET client_encoding = 'SQL_ASCII';" + CATALOG.replace(
        "{more}", ", ".join(columns) or "1"
    )
    catalog = server.run_bytes("psql", *options, "-c", query)
    encoding = server.run_bytes("psql", *options, "-c", "SHOW server_encoding").decode().strip()
    dump = server.run_bytes("pg_dump", f"--encoding={encoding}", "-d", _conninfo(database))
    return catalog.decode("utf-8", "backslashreplace") + normal(
        dump.decode("utf-8", "backslashreplace")
    )


def _conninfo(database: str) -> str:
    # A limit of a few milliseconds would stop the oracle itself before it can lift it.
    name = database.replace("\\", "\\\\").replace("'", "\\'")
    return f"dbname='{name}' options='-c statement_timeout=0 -c lock_timeout=0'"


def normal(dump: str) -> str:
    """Leave out what differs between any two dumps: the key of psql's restricted mode."""
    return re.sub(r"^\\(un)?restrict .*$", "", dump, flags=re.MULTILINE)
