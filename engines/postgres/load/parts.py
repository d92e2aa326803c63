"""
Loads a dump part by part, where it does not go in as a whole.

`pg_restore` works with an empty search path. What it makes names its schemas; the body of a function need
not, and when a CHECK constraint, an index, a generated column, a domain or a materialized view calls it, it
finds nothing. So while the parts are loaded, the functions have the search path that they ran with. What
fails because it reads what is not there yet is tried again, as long as anything more succeeds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from airflow_backup.core.errors import EngineError
from airflow_backup.engines.postgres.client import libpq
from airflow_backup.engines.postgres.client.quoting import execute, name
from airflow_backup.engines.postgres.client.server import Server
from airflow_backup.engines.postgres.load.search_paths import (
    IGNORED,
    failures,
    give_path,
    line_of,
    raw_of,
    routines_without_path,
)
from airflow_backup.engines.postgres.properties.model import Properties
from airflow_backup.engines.postgres.properties.statements import setting_clause

_ENTRY = re.compile(r"(\d+); (\d+) (\d+) ([A-Z ]*[A-Z]) (.*)")

_LATE = frozenset(
    (
        *("TRIGGER", "EVENT TRIGGER", "POLICY", "ROW SECURITY", "MATERIALIZED VIEW DATA"),
        *("COMMENT", "SECURITY LABEL", "SUBSCRIPTION", "SUBSCRIPTION TABLE"),
    )
)
"""What would act upon rows that are loaded again, or needs what may be late itself."""

_NOT_MEANWHILE = frozenset(
    (
        *("session_preload_libraries", "local_preload_libraries", "role"),
        *("session_authorization", "session_replication_role"),
    )
)
"""Settings that would choose who loads it, or a library that this server need not have."""

_NAMED = 5

_ASKING = """
    WITH asking AS (
      SELECT d.classid, d.objid FROM pg_depend d
      WHERE (d.refclassid = 'pg_proc'::regclass OR d.refclassid = 'pg_operator'::regclass) AND d.refobjid >= 16384
    )
    SELECT DISTINCT n.nspname || ' ' || c.relname
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.oid IN (
      SELECT k.conrelid FROM asking a JOIN pg_constraint k ON a.classid = 'pg_constraint'::regclass AND a.objid = k.oid
      UNION ALL
      SELECT f.adrelid FROM asking a JOIN pg_attrdef f ON a.classid = 'pg_attrdef'::regclass AND a.objid = f.oid
      UNION ALL
      SELECT t.attrelid FROM asking a JOIN pg_constraint k ON a.classid = 'pg_constraint'::regclass AND a.objid = k.oid
      JOIN pg_attribute t ON t.atttypid = k.contypid AND k.contypid <> 0
    )
"""
"""Tables whose rows call functions of the database when they are loaded: these may read other tables."""


@dataclass(frozen=True)
class Entry:
    """One line of a dump's table of contents: its number, what it is, and its schema, name and owner."""

    number: int
    kind: str
    label: str


@dataclass
class Parts:
    """A dump that lies on a disk, and the database that it is loaded into, which is empty."""

    dump: Path
    program: str
    server: Server
    options: tuple[str, ...]
    jobs: int
    warnings: list[str]
    routines: list[tuple[bytes, bytes]] = field(default_factory=list)
    """Which have no search path of their own: how they are altered, and their schemas."""

    pending: dict[int, str] = field(default_factory=dict)
    """What has not gone in yet, with the reason."""

    path: str = ""
    """The search path that the functions have now."""

    def load(self, wanted: Properties | None, paths: Sequence[str]) -> None:
        """Load everything; EngineError that names what does not go in."""
        self._set(wanted)
        pre, data, post = (self._list(part) for part in ("pre-data", "data", "post-data"))
        known = {each.number: each for each in (*pre, *data, *post)}
        self._run([each for each in pre if each.kind != "ACL"])
        with self.server.session() as session:
            self.routines = routines_without_path(session)
        self._use(paths[0])
        self._again(known, paths)
        self._use(paths[0])
        asking = self._those_that_ask(data)
        self._run([each for each in data if each not in asking])
        self._run(asking, side_by_side=False)
        rights = [each for each in pre if each.kind == "ACL"]
        self._run([*(each for each in post if each.kind not in _LATE), *rights])
        self._again(known, paths)
        self._run([each for each in post if each.kind in _LATE])
        self._again(known, paths)
        self._use(None)
        if self.pending:
            raise EngineError(self._told(known))

    def _set(self, wanted: Properties | None) -> None:
        """Let sessions have the settings that the database had: code may ask for them."""
        own = [each.values for each in (wanted.settings if wanted else []) if each.role is None]
        target = f"DATABASE {name(self.server.database)}"
        with self.server.session() as session:
            for one in [one for values in own for one in values]:
                if one.partition("=")[0].lower() not in _NOT_MEANWHILE:
                    execute(session, f"ALTER {target} SET {setting_clause(one)}")
        with self.server.session() as session:
            self.server = self.server.beside(session, tempered=True)

    def _list(self, part: str) -> list[Entry]:
        command = [self.program, "--list", f"--section={part}", *self.options, str(self.dump)]
        text = libpq.run_apart(command, read=[Path(self.dump)]).decode("utf-8", "surrogateescape")
        found = [_ENTRY.fullmatch(line) for line in text.split("\n")]
        return [Entry(int(each[1]), each[4], each[5]) for each in found if each is not None]

    def _those_that_ask(self, entries: list[Entry]) -> list[Entry]:
        """Return the rows that are looked at by code as they are loaded, which may read any other table."""
        with self.server.session() as session:
            rows = session.execute(_ASKING.encode()).fetchall()
        names = [raw_of(session, row[0]).decode("utf-8", "surrogateescape") for row in rows]
        asking = tuple(line_of(each) + " " for each in names)
        return [each for each in entries if each.label.startswith(asking)]

    def _again(self, known: dict[int, Entry], paths: Sequence[str]) -> None:
        """Try again what has failed, by one search path after the other."""
        for path in dict.fromkeys((self.path, *paths)):
            if not self.pending:
                return
            self._use(path)
            self._until_no_more(known)

    def _until_no_more(self, known: dict[int, Entry]) -> None:
        while self.pending:
            before = len(self.pending)
            wanted = [known[number] for number in sorted(self.pending)]
            self.pending = {}
            # A view whose owner is held by policies is filled with what they let him see, as it was.
            views = [each for each in wanted if each.kind == "MATERIALIZED VIEW DATA"]
            self._run([each for each in wanted if each not in views], side_by_side=False)
            self._run(views, "--enable-row-security", side_by_side=False)
            if len(self.pending) >= before:
                return

    def _run(self, entries: Sequence[Entry], *more: str, side_by_side: bool = True) -> None:
        """Load these in their order, and remember which did not go in."""
        if not entries:
            return
        listed = self.dump.parent / "part.list"
        listed.write_text("".join(f"{each.number};\n" for each in entries), encoding="ascii")
        # Without --verbose it does not say which entry it was that failed.
        options = ["--verbose", "--no-password", f"--use-list={listed}", *more, *self.options]
        options += [f"--jobs={self.jobs}"] if self.jobs > 1 and side_by_side else []
        command = self.server.tool("pg_restore", *options, path=self.program)
        said, warned = libpq.attempt([*command, str(self.dump)], password=self.server.password)
        self.warnings += [each for each in warned if not IGNORED.fullmatch(each)]
        if said is not None:
            self.pending |= failures(said, {each.number for each in entries})

    def _use(self, path: str | None) -> None:
        """Give a search path to the functions that have none of their own; None takes it away again."""
        if path == self.path:
            return
        with self.server.session() as session, session.transaction():
            give_path(session, self.routines, path)
        if path is not None:
            self.path = path

    def _told(self, known: dict[int, Entry]) -> str:
        told = [
            f"{known[number].kind} {known[number].label.rpartition(' ')[0]}: {why}"
            for number, why in sorted(self.pending.items())[:_NAMED]
        ]
        more = len(self.pending) - _NAMED
        return "what does not load: " + "; ".join(told + [f"and {more} more"] * (more > 0))
