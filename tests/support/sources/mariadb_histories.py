"""Seeded databases for MariaDB, odd in every way a server allows, and statements that change all of a server."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pymysql

from support.servers.mariadb import MariaDB

NAMES = ("bank", "odd-näme", "a`b", "per%_cent", "Ünï😀"[:3], "two words", "select")
TEXTS = (
    "x",
    "ä😀",
    "'",
    '"',
    "\\",
    "`",
    "--",
    "/* a */",
    "\n",
    "\0",
    ";\nDROP DATABASE shop;\n",
    "%s",
    "",
    "NULL",
)
COLUMNS = (
    "v VARCHAR(300) CHARACTER SET utf8mb4",
    "v TEXT CHARACTER SET utf8mb3",
    "v VARCHAR(60) CHARACTER SET ascii",
    "v VARCHAR(60) CHARACTER SET sjis",
    "v ENUM('a','Ж','') CHARACTER SET cp1251",
    "v CHAR(9) CHARACTER SET ucs2",
    "v VARCHAR(50) CHARACTER SET latin1 COLLATE latin1_german2_ci NOT NULL DEFAULT 'ü'",
    "v LONGBLOB",
    "v DECIMAL(30,10)",
    "v DOUBLE",
    "v BIT(13)",
    "v ENUM('a','b''c','ü') CHARACTER SET utf8mb4",
    "v SET('a','b','c')",
    "v DATE DEFAULT '0000-00-00'",
    "v DATETIME(6) DEFAULT current_timestamp(6) ON UPDATE current_timestamp(6)",
    "v TIMESTAMP(3) NULL",
    "v TIME(2)",
    "v YEAR",
    "v JSON",
    "v POINT",
    "v BIGINT UNSIGNED ZEROFILL",
    "v INET6",
    "v UUID",
)
_OF_LETTERS, _OF_BYTES = ("ascii", "sjis", "cp1251"), ("INET6", "UUID")
VALUES = {
    "DECIMAL": "-12345678901234567890.0123456789",
    "DOUBLE": "1.7976931348623157e308",
    "BIT": "b'1010101010101'",
    "ENUM": "'b''c'",
    "SET(": "'a,c'",
    "DATE ": "'2038-01-20'",
    "DATETIME": "'9999-12-31 23:59:59.999999'",
    "TIMESTAMP": "'2037-01-19 03:14:07.123'",
    "TIME(": "'-838:59:59.99'",
    "YEAR": "2155",
    "JSON": '\'{"a": [1, "ä"]}\'',
    "POINT": "ST_GeomFromText('POINT(1 -2.5)')",
    "BIGINT": "18446744073709551615",
    "INET6": "'::ffff:1.2.3.4'",
    "UUID": "'123e4567-e89b-12d3-a456-426655440000'",
}


_ROUTINES = "SELECT routine_name FROM information_schema.routines WHERE"


def quoted(*names: str) -> str:
    """Quote names, the database first."""
    return ".".join("`" + name.replace("`", "``") + "`" for name in names)


@dataclass
class History:
    """A server's three databases, and what happens to them by chance."""

    server: MariaDB
    seed: int
    target: str = ""
    done: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)  # a seed, no secret
        self.target = self.chance.choice(NAMES)
        self.tables: dict[str, list[tuple[str, str]]] = {}
        # A dump that has both says that it loses letters.
        without = self.chance.choice((_OF_LETTERS, _OF_BYTES))
        self.columns = [each for each in COLUMNS if not any(word in each for word in without)]
        self.number = 0

    @property
    def databases(self) -> list[str]:
        return [self.target, "shop", "other"]

    def run(self, text: str, database: str | None = None, *, form: str | None = None) -> bool:
        """Run one statement, as it is; what the server refuses is no change and no matter."""
        session = self.server.open(database)
        try:
            with session.cursor() as cursor:
                cursor.execute("SET sql_mode = ''")
                if form is not None:
                    cursor.execute(f"SET binlog_format = {form}")
                cursor.execute(text)
        except pymysql.Error as error:
            if error.args[0] in (2006, 2013):
                raise
            return False
        finally:
            session.close()
        self.done.append(f"[{database} {form}] {text}")
        return True

    def make(self) -> None:
        """Make the databases anew."""
        for name in self.databases:
            self.run(f"DROP DATABASE IF EXISTS {quoted(name)}")
            charset = self.chance.choice(("utf8mb4 COLLATE utf8mb4_bin", "latin1", "utf8mb3"))
            assert self.run(f"CREATE DATABASE {quoted(name)} CHARACTER SET {charset}")
            self.tables[name] = []
        for name in self.databases:
            for _ in range(self.chance.randint(2, 5)):
                self.new_table(name)
            for _ in range(6):
                self.chance.choice(self.things)(self, name)
        self.run("CREATE OR REPLACE USER app@'%' IDENTIFIED BY 'x'")
        self.run("GRANT ALL ON *.* TO app@'%'")

    def live(self, steps: int) -> None:
        """Let things happen, in all databases, whichever is the current one."""
        for _ in range(steps):
            self.chance.choice(self.changes)(self, self.chance.choice(self.databases))

    def settle(self) -> None:
        """Let the server print views as one does whose users are there, and leave out those that are broken."""
        self.run("CREATE USER IF NOT EXISTS app@'%', gone@nowhere")
        self.run("GRANT SELECT ON *.* TO app@'%'")
        for _ in range(10):  # a view of a view that is dropped is broken, too
            rows = self.server.query(
                f"SELECT table_name FROM information_schema.views WHERE table_schema = '{self.target}'"
            )
            for (name,) in rows:
                if not self.run(f"SHOW FIELDS FROM {quoted(self.target, name)}"):
                    self.run(f"DROP VIEW {quoted(self.target, name)}")

    def somewhere(self) -> str:
        return self.chance.choice(self.databases)

    def form(self) -> str:
        return self.chance.choice(("ROW", "STATEMENT", "MIXED"))

    def name(self, kind: str) -> str:
        self.number += 1
        return f"{kind}{self.number}{self.chance.choice(('', ' x', '`', 'ü', '-', '%'))}"

    def new_table(self, database: str) -> None:
        table, column = self.name("t"), self.chance.choice(self.columns)
        more = self.chance.choice(
            (
                "",
                ", g VARCHAR(20) AS (CONCAT(n, ';')) STORED",
                ", g INT AS (n + 1) VIRTUAL, KEY (g)",
                ", i INT INVISIBLE DEFAULT 7",
                ", CONSTRAINT c CHECK (n > -100)",
                ", CHECK (v IS NULL OR n < 4)",  # which rows break that come when checks are off
                ", f INT, FULLTEXT KEY (w), w TEXT",
                ", up INT, KEY (up), CONSTRAINT own FOREIGN KEY (up) REFERENCES "
                + quoted(table)
                + " (n) ON DELETE SET NULL",
                ", place POINT NOT NULL DEFAULT ST_GeomFromText('POINT(1 2)'), SPATIAL KEY (place)",
                ", since DATE DEFAULT '2020-01-01', until DATE DEFAULT '2030-01-01', PERIOD FOR valid (since, until)",
                ", hidden VARCHAR(9) INVISIBLE DEFAULT 'ü' COMMENT 'it''s', KEY (hidden(3) DESC)",
                f", s BIGINT DEFAULT nextval({quoted(database, 'sq')})",
            )
        )
        end = self.chance.choice(
            (
                "",
                "",
                " COMMENT 'a\\nb''c'",
                " PARTITION BY HASH (n) PARTITIONS 3",
                " ROW_FORMAT=COMPRESSED",
                " ENGINE=Aria",
                " ENGINE=MyISAM CHECKSUM=1",
                " WITH SYSTEM VERSIONING",
                " PAGE_COMPRESSED=1",
                " AUTO_INCREMENT=500 ROW_FORMAT=DYNAMIC",
            )
        )
        self.run(f"CREATE SEQUENCE IF NOT EXISTS {quoted(database, 'sq')}")
        text = f"CREATE TABLE {quoted(database, table)} (n INT AUTO_INCREMENT PRIMARY KEY, {column}{more}){end}"
        if self.run(text, self.somewhere(), form="ROW"):
            self.tables[database].append((table, column))
            for _ in range(self.chance.randint(0, 6)):
                self.insert(database)

    def value(self, column: str) -> str:
        for word, value in VALUES.items():
            if word in column:
                return value
        text = "".join(self.chance.choices(TEXTS, k=3)) + "z" * self.chance.randint(0, 40)
        return "0x" + text.encode().hex() if text else "''"

    def insert(self, database: str) -> None:
        if self.tables[database]:
            table, column = self.chance.choice(self.tables[database])
            where = database if (near := self.chance.random() < 0.4) else self.somewhere()
            name = quoted(table) if near else quoted(database, table)
            self.run(
                f"INSERT INTO {name} (v) VALUES ({self.value(column)})", where, form=self.form()
            )

    def unchecked(self, database: str) -> None:
        """Rows that a check forbids, as they are when checks were off."""
        if self.tables[database]:
            table, column = self.chance.choice(self.tables[database])
            text = f"SET STATEMENT check_constraint_checks=0 FOR INSERT INTO {quoted(database, table)} (v) VALUES ({self.value(column)})"
            self.run(text, self.somewhere(), form="ROW")

    def together(self, database: str) -> None:
        """Change several databases in one transaction, or none."""
        session = self.server.open(self.somewhere())
        try:
            with session.cursor() as cursor:
                cursor.execute("SET sql_mode = ''")
                cursor.execute("SET binlog_format = ROW")
                cursor.execute("START TRANSACTION")
                for each in self.databases:
                    if self.tables[each]:
                        table, column = self.chance.choice(self.tables[each])
                        cursor.execute(
                            f"INSERT INTO {quoted(each, table)} (v) VALUES ({self.value(column)})"
                        )
                cursor.execute(self.chance.choice(("COMMIT", "COMMIT", "ROLLBACK")))
        except pymysql.Error:
            pass  # what the server refuses is no change
        finally:
            session.close()

    def copied(self, database: str) -> None:
        """Take rows of another database, by their values."""
        other = self.somewhere()
        if self.tables[other] and self.tables[database]:
            source, column = self.chance.choice(self.tables[other])
            table, _ = self.chance.choice(self.tables[database])
            text = self.chance.choice(
                (
                    f"INSERT INTO {quoted(database, table)} (v) SELECT v FROM {quoted(other, source)} LIMIT 3",
                    f"UPDATE {quoted(database, table)} a, {quoted(other, source)} b SET a.v = b.v WHERE a.n = b.n",
                    f"DELETE a FROM {quoted(database, table)} a JOIN {quoted(other, source)} b ON a.n = b.n WHERE a.n > 7",
                )
            )
            self.run(text, self.somewhere(), form="ROW")
            name = self.name("t")
            made = f"CREATE TABLE {quoted(database, name)} (n INT AUTO_INCREMENT PRIMARY KEY) SELECT v FROM {quoted(other, source)}"
            if self.run(made, self.somewhere(), form="ROW"):
                self.tables[database].append((name, column))

    def called(self, database: str) -> None:
        """Change one database by a routine of another."""
        other, name = self.somewhere(), self.name("c")
        if self.tables[database]:
            table, column = self.chance.choice(self.tables[database])
            body = f"INSERT INTO {quoted(database, table)} (v) VALUES ({self.value(column)})"
            self.run(f"CREATE PROCEDURE {quoted(other, name)}() BEGIN {body}; {body}; END", other)
            self.run(f"CALL {quoted(other, name)}()", self.somewhere(), form="ROW")

    def package(self, database: str) -> None:
        session = self.server.open(database)
        try:
            with session.cursor() as cursor:
                cursor.execute("SET sql_mode = ORACLE")
                name = quoted(self.name("k"))
                cursor.execute(f"CREATE OR REPLACE PACKAGE {name} AS FUNCTION f RETURN INT; END")
                cursor.execute(
                    f"CREATE OR REPLACE PACKAGE BODY {name} AS FUNCTION f RETURN INT AS BEGIN RETURN 7; END; END"
                )
        except pymysql.Error:
            pass  # what the server refuses is no change
        finally:
            session.close()

    def gone(self, database: str) -> None:
        """Drop what is no table."""
        for kind, query in (
            (
                "TRIGGER",
                "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema",
            ),
            ("EVENT", "SELECT event_name FROM information_schema.events WHERE event_schema"),
            ("VIEW", "SELECT table_name FROM information_schema.views WHERE table_schema"),
            ("PROCEDURE", f"{_ROUTINES} routine_type = 'PROCEDURE' AND routine_schema"),
            ("FUNCTION", f"{_ROUTINES} routine_type = 'FUNCTION' AND routine_schema"),
        ):
            rows = self.server.query(f"{query} = '{database}'")
            if rows and self.chance.random() < 0.4:
                name = str(self.chance.choice(rows)[0])
                self.run(f"DROP {kind} {quoted(database, name)}", self.somewhere())

    def update(self, database: str) -> None:
        if self.tables[database]:
            table, column = self.chance.choice(self.tables[database])
            text = f"UPDATE {quoted(database, table)} SET v = {self.value(column)} WHERE n % 3 = {self.chance.randint(0, 2)}"
            self.run(text, self.somewhere(), form=self.form())

    def delete(self, database: str) -> None:
        if self.tables[database]:
            table, _ = self.chance.choice(self.tables[database])
            text = f"DELETE FROM {quoted(database, table)} WHERE n = {self.chance.randint(1, 9)}"
            self.run(text, self.somewhere(), form=self.form())

    def empty(self, database: str) -> None:
        if self.tables[database] and self.chance.random() < 0.3:
            table, _ = self.chance.choice(self.tables[database])
            self.run(f"TRUNCATE {quoted(database, table)}", self.somewhere())

    def alter(self, database: str) -> None:
        if self.tables[database]:
            table, _ = self.chance.choice(self.tables[database])
            text = f"ALTER TABLE {quoted(database, table)} ADD COLUMN IF NOT EXISTS extra INT DEFAULT 3"
            self.run(text, self.somewhere())

    def rename(self, database: str) -> None:
        if self.tables[database]:
            place = self.chance.randrange(len(self.tables[database]))
            table, column = self.tables[database][place]
            new = self.name("t")
            text = f"RENAME TABLE {quoted(database, table)} TO {quoted(database, new)}"
            if self.run(text, self.somewhere()):
                self.tables[database][place] = new, column

    def drop(self, database: str) -> None:
        if len(self.tables[database]) > 1 and self.chance.random() < 0.3:
            table, _ = self.tables[database].pop()
            self.run(f"DROP TABLE {quoted(database, table)}", self.somewhere())

    def view(self, database: str) -> None:
        if self.tables[database]:
            table, _ = self.chance.choice(self.tables[database])
            who = self.chance.choice(("", "DEFINER=app@'%' ", "DEFINER=gone@nowhere "))
            text = f"CREATE OR REPLACE {who}VIEW {quoted(database, self.name('v'))} AS SELECT n AS m, v FROM {quoted(database, table)} WHERE n > 1"
            self.run(text, database)

    def trigger(self, database: str) -> None:
        if self.tables[database]:
            table, _ = self.chance.choice(self.tables[database])
            name = self.name("r")
            where = quoted(name), quoted(table)
            if self.chance.random() < 0.5:
                where = quoted(database, name), quoted(database, table)
            who = self.chance.choice(("", "DEFINER=app@'%' "))
            text = f"CREATE {who}TRIGGER {where[0]} BEFORE INSERT ON {where[1]} FOR EACH ROW BEGIN\n SET @a = 'x;\nDELIMITER'; -- why\n SET @b = 1; END"
            self.run(text, database)

    def routine(self, database: str) -> None:
        kind = self.chance.choice(("PROCEDURE", "FUNCTION"))
        name = quoted(database, self.name("p"))
        body = (
            "() BEGIN SELECT 'ä;\n'; END"
            if kind == "PROCEDURE"
            else "(a INT) RETURNS INT DETERMINISTIC RETURN a + 1"
        )
        self.run(f"CREATE {kind} {name}{body}", self.somewhere())

    def event(self, database: str) -> None:
        state = self.chance.choice(("", " DISABLE"))
        text = f"CREATE EVENT {quoted(database, self.name('e'))} ON SCHEDULE EVERY 3 DAY STARTS '2035-01-01 00:00:00'{state} DO SET @x = 'ü'"
        self.run(text, self.somewhere())

    def sequence(self, database: str) -> None:
        self.run(f"DO nextval({quoted(database, 'sq')})", database, form="ROW")

    def account(self, database: str) -> None:
        user = f"u{self.chance.randint(1, 4)}@'%'"
        text = self.chance.choice(
            (
                f"CREATE OR REPLACE USER {user} IDENTIFIED BY 'secret'",
                f"GRANT SELECT ON {quoted(database)}.* TO {user}",
                f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {user}",
                f"DROP USER {user}",
                "CREATE OR REPLACE ROLE chief",
                f"GRANT SELECT, INSERT (v) ON {self.some_table(database)} TO app@'%'",
                f"GRANT SELECT ON {self.some_table(self.somewhere())} TO {user}",
                "REVOKE ALL PRIVILEGES, GRANT OPTION FROM app@'%'",
            )
        )
        self.run(text, self.somewhere())

    def some_table(self, database: str) -> str:
        table, _ = self.chance.choice(self.tables[database] or [("none", "")])
        return quoted(database, table)

    def whole_database(self, database: str) -> None:
        text = self.chance.choice(
            (
                "CREATE DATABASE IF NOT EXISTS extra",
                "DROP DATABASE IF EXISTS extra",
                "DROP DATABASE extra",
            )
        )
        self.run(text, self.somewhere())
        self.run("CREATE TABLE IF NOT EXISTS extra.t (n INT)", self.somewhere())

    def temporary(self, database: str) -> None:
        if not self.tables[database]:
            return
        table, column = self.chance.choice(self.tables[database])
        session = self.server.open(self.somewhere())
        try:
            with session.cursor() as cursor:
                cursor.execute("SET sql_mode = ''")
                cursor.execute(f"SET binlog_format = {self.form()}")
                cursor.execute(f"CREATE TEMPORARY TABLE {quoted(database, 'tmp')} (v LONGBLOB)")
                cursor.execute(f"INSERT INTO {quoted(database, 'tmp')} VALUES ('tmp')")
                if "LONGBLOB" in column:
                    cursor.execute(
                        f"INSERT INTO {quoted(database, table)} (v) SELECT v FROM {quoted(database, 'tmp')}"
                    )
        except pymysql.Error:
            pass  # what the server refuses is no change
        finally:
            session.close()

    things: tuple[Callable[[Any, str], None], ...] = (
        view, trigger, routine, event, insert, package, unchecked,
    )  # fmt: skip
    changes: tuple[Callable[[Any, str], None], ...] = (
        insert, insert, insert, update, update, delete, empty, alter, rename, drop, new_table, view, trigger,
        routine, event, account, whole_database, temporary, sequence, unchecked, together, copied,
        called, package, gone,
    )  # fmt: skip


def told(server: MariaDB, *databases: str) -> str:
    """Return all there is in some databases, as the server's own dump program writes it."""
    command = [
        "mariadb-dump",
        "--no-defaults",
        f"--socket={server.folder / 's'}",
        "--user=root",
        "--skip-comments",
        "--skip-dump-date",
        "--skip-add-locks",
        "--routines",
        "--triggers",
        "--events",
        "--hex-blob",
        "--order-by-primary",
        "--skip-extended-insert",
        "--default-character-set=binary",  # what is no letter would look like any other
        "--force",
        "--databases",
        *databases,
    ]
    done = subprocess.run(command, capture_output=True, check=False)
    return done.stdout.decode("utf-8", "backslashreplace")


def accounts(server: MariaDB) -> list[object]:
    """Return every account and every grant of a server."""
    found: list[object] = []
    for table in (
        "global_priv",
        "db",
        "tables_priv",
        "columns_priv",
        "procs_priv",
        "roles_mapping",
    ):
        found += sorted(map(repr, server.query(f"SELECT * FROM mysql.{table}")))
    return found
