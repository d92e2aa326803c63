"""
Loads a dump that may be hostile into a test server: as a role that owns the database and may do nothing else.

A function in a CHECK, an index or a view that is refreshed runs while a dump is loaded, with the rights of whoever
loads it. A superuser makes before what needs more: roles, extensions, and definitions that run nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from airflow_backup.core.errors import EngineError, Inconclusive, ToolMissing
from airflow_backup.engines.postgres.client import libpq
from airflow_backup.engines.postgres.client.programs import find, version_of
from airflow_backup.engines.postgres.client.quoting import execute
from airflow_backup.engines.postgres.client.server import Server
from airflow_backup.engines.postgres.contents import Entry, Part, entries_of, parts_of
from airflow_backup.engines.postgres.dump import ARCHIVE
from airflow_backup.engines.postgres.load.whole import LOADED_BY_OLDER, load_as_text
from airflow_backup.engines.postgres.restore import unpack_dump, version_of_dump
from airflow_backup.engines.postgres.restore_test.extensions import KNOWN_EXTENSIONS
from airflow_backup.engines.protocol import EngineContext, SetReader
from airflow_backup.engines.shared.scratch import check_room, scratch_folder

_JOBS = 2
_MOST_TRIES = 200
_NO_SCHEMA = re.compile(
    r'(relation|type|collation) "[^".]+" does not exist|(function|procedure) [^."(]+\(.*?\) does not exist'
)
"""What a dump itself never says: it names the schema of everything."""

_NO_RIGHT = re.compile(
    r"permission denied|[Mm]ust be (?:a )?superuser|[Oo]nly superusers?|must be owner of|must be able to SET ROLE"
    r"|must be (?:a )?member of|must have privileges"
)
_NAME = r'([a-z_][a-z0-9_$]*|"(?:[^"\n]|"")+")'
_EXTENSION = re.compile(
    rf"^CREATE EXTENSION IF NOT EXISTS {_NAME} WITH SCHEMA {_NAME};$", re.MULTILINE
)
_ENTRY = re.compile(r"from TOC entry (\d+);")


def load_dump(
    reader: SetReader,
    superuser: Server,
    loader: Server,
    context: EngineContext,
    *,
    options: Sequence[str],
    is_closed: bool,
) -> list[str]:
    """
    Load a set into an empty database; everything goes in, or an EngineError comes out.

    ``is_closed``: the server is in a sandbox. Inconclusive where restoring runs code that asks for more than
    to own the database. Returns what is not as in the original, in words.
    """
    check_room(context.scratch, reader.manifest.totals.bytes_read)
    program = find("pg_restore", **version_of_dump(reader, context))
    with superuser.session() as session:
        superuser = superuser.beside(session, tempered=True)
    with loader.session() as session:
        loader = loader.beside(session, tempered=True)
    with scratch_folder(context.scratch) as scratch:
        dump, _, _ = unpack_dump(reader, Path(scratch), context.reporter)
        trial = _Trial(reader, superuser, loader, context, program, dump, tuple(options), is_closed)
        trial.run(
            entries_of(
                libpq.run_apart([program, "--list", str(dump)], read=[dump]).decode(
                    "utf-8", "replace"
                )
            )
        )
    return trial.told


class _AtEntry(EngineError):
    """An entry of a dump could not be restored; ``number`` is its own in the list, 0 when it is not known."""

    def __init__(self, message: str) -> None:
        found = _ENTRY.findall(message)
        self.number = int(found[-1]) if found else 0
        head, sign, rest = message.partition("pg_restore: error: ")
        super().__init__(f"pg_restore: error: {rest}" if sign else head)


class _Trial:
    """One dump, on its way into a database."""

    def __init__(
        self,
        reader: SetReader,
        superuser: Server,
        loader: Server,
        context: EngineContext,
        program: str,
        dump: Path,
        options: tuple[str, ...],
        is_closed: bool,
    ) -> None:
        self.told: list[str] = []
        self._reader, self._context = reader, context
        self._superuser, self._loader = superuser, loader
        self._program, self._dump, self._options = program, dump, options
        self._is_closed = is_closed
        self._is_text = version_of(program) >= LOADED_BY_OLDER > superuser.version

    def run(self, entries: Sequence[Entry]) -> None:
        schemas = [each for each in entries if each.rest.startswith("SCHEMA ")]
        self._restore(Part(tuple(schemas), by_superuser=False)) if schemas else None
        self._make_extensions([each for each in entries if each.kind == "EXTENSION"])
        waiting = parts_of([each for each in entries if each not in schemas])
        tries = 0
        while waiting:
            part = waiting.pop(0)
            if part.by_superuser and not self._is_closed:
                self._leave_out(part)
                continue
            try:
                self._restore(part)
            except EngineError as error:
                tries += 1
                waiting[:0] = self._again(part, error, is_last=tries > _MOST_TRIES)

    def _leave_out(self, part: Part) -> None:
        kinds = sorted({each.kind or "COMMENT" for each in part.entries})
        if any("ACL" not in kind for kind in kinds):
            raise Inconclusive(
                f"only a superuser may make what the dump holds ({', '.join(kinds).lower()}), and this machine "
                "has no sandbox (Landlock, Linux 5.13, and seccomp) for one"
            )
        self.told.append("rights on tables were not restored: this machine has no sandbox")

    def _again(self, part: Part, error: EngineError, *, is_last: bool) -> list[Part]:
        """Return how to go on after a failure; raise it where there is no way."""
        if _NO_SCHEMA.search(error.message) is not None:
            raise Inconclusive(
                "code of the database names no schema, and a restore test does not try such an order as a restore "
                f"does: {error.message}"
            ) from error
        if _NO_RIGHT.search(error.message) is None:
            raise error
        number = error.number if isinstance(error, _AtEntry) else 0
        entry = next((each for each in part.entries if each.number == number), None)
        may = entry is not None and entry.may_be_superusers and not part.by_superuser
        if not may or is_last or not self._is_closed:
            raise Inconclusive(
                "restoring it runs code of the database that asks for more than to own the database, "
                f"and a restore test gives no more: {error.message}"
            ) from error
        return part.context(number)

    def _restore(self, part: Part) -> None:
        server = self._superuser if part.by_superuser else self._loader
        options = [*self._options, *(() if part.keeps_owners else ("--no-owner",))]
        with scratch_folder(self._context.scratch) as folder:
            listing = Path(folder) / "list"
            listing.write_text(part.listing, encoding="utf-8", errors="surrogateescape")
            options.append(f"--use-list={listing}")
            if self._is_text:
                load_as_text(
                    self._reader,
                    server,
                    self._program,
                    self._context,
                    tuple(options),
                    [],
                    at_once=True,
                )
                return
            side_by_side = part.has_data and ARCHIVE in self._reader.manifest.streams
            how = f"--jobs={_JOBS}" if side_by_side else "--single-transaction"
            # Only then it says at which entry it failed.
            more = ("--verbose", "--exit-on-error", "--no-password", how, *options)
            command = server.tool("pg_restore", *more, path=self._program)
            try:
                libpq.run([*command, str(self._dump)], password=server.password)
            except ToolMissing:
                raise
            except EngineError as error:
                raise _AtEntry(error.message) from error

    def _make_extensions(self, entries: Sequence[Entry]) -> None:
        """Make them as a superuser, by statements of our own; their tables are open to the loader's rows."""
        if not entries:
            return
        with scratch_folder(self._context.scratch) as folder:
            listing = Path(folder) / "list"
            listing.write_text(Part(tuple(entries), by_superuser=True).listing, encoding="utf-8")
            command = [self._program, "--file=-", f"--use-list={listing}", str(self._dump)]
            text = libpq.run_apart(command, read=[self._dump, Path(folder)])
        found = [
            (match[1], match[2]) for match in _EXTENSION.finditer(text.decode("utf-8", "replace"))
        ]
        for extension, _ in found:
            if not self._is_closed and extension.strip('"') not in KNOWN_EXTENSIONS:
                raise Inconclusive(
                    f"the extension '{extension}' is none of those that a restore test makes without a sandbox"
                )
        with self._superuser.session() as session:
            for extension, schema in found:
                execute(session, f"CREATE EXTENSION IF NOT EXISTS {extension} SCHEMA {schema}")
            rows = session.execute(_OWN_TABLES).fetchall()
            for (table,) in rows:
                execute(session, f"GRANT ALL ON {table} TO {self._loader.facts['user']}")


_OWN_TABLES = """
    SELECT format('%I.%I', n.nspname, c.relname) FROM pg_depend d
    JOIN pg_class c ON c.oid = d.objid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
      AND c.relkind IN ('r', 'p', 'S')
"""
