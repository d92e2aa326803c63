"""Makes a database file of stored sets: by gbak from its output, by nbackup from levels."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from airflow_backup.core.errors import ToolMissing, VerifyError
from airflow_backup.engines.firebird.physical import assemble
from airflow_backup.engines.firebird.program import counts_of, feed
from airflow_backup.engines.firebird.runner import Runner
from airflow_backup.engines.protocol import EngineContext, SetReader

DUMP = "database.fbk"


def make(
    chain: Sequence[SetReader], folder: Path, context: EngineContext, *, runner: Runner
) -> tuple[Path, list[str]]:
    """Make the database below ``folder``; return its file, and warnings."""
    state = chain[-1].manifest.state
    file = folder / _file_name(str(state["database"]))
    if state["method"] == "physical":
        return file, assemble(chain, file, context, runner)
    _create(chain[-1], file, context, runner)
    return file, []


def _create(reader: SetReader, file: Path, context: EngineContext, runner: Runner) -> None:
    if shutil.which("gbak") is None:
        raise ToolMissing("restoring needs gbak", hint="on Debian: apt install firebird3.0-utils")

    def told_blocks() -> Iterator[bytes]:
        for block in reader.blocks(DUMP):
            context.reporter.advance(bytes_done=len(block))
            yield block

    # -k: a shadow lies where the living database has its own, perhaps on this very machine.
    options = ["-user", "SYSDBA", "-k", "-c", "-v", "stdin", str(file)]
    told = feed("gbak", options, told_blocks(), runner=runner)
    # Of a table without rows gbak says nothing when it restores, and zero when it saves.
    found, expected = counts_of(told), reader.manifest.counts
    for name in {**expected, **found}:
        if expected.get(name, 0) != found.get(name, 0):
            raise VerifyError(
                f"table {name} has {found.get(name, 0)} rows, and {expected.get(name, 0)} were saved"
            )


def _file_name(database: str) -> str:
    """
    Return the name of a restored file.

    >>> _file_name("/data/bank.fdb"), _file_name("/data/a:b.fdb"), _file_name("/..")
    ('bank.fdb', 'a_b.fdb', 'database.fdb')
    """
    name = PurePosixPath(database).name.replace(":", "_")
    return "database.fdb" if name in ("", ".", "..") else name
