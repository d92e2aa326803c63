"""
Airflow itself: its metadata database, its configuration, the files of its local DAG bundles, and its plugins.

The parts are made by other engines: the database by `sqlite`, `postgres` or `mysql`, the folders by `files`.
Connections and variables are in the database, encrypted with the Fernet key, which is never in a set.

By hand::

    cat database.*.zst | zstd -d                                  # as the database's engine says
    cat airflow.cfg.*.zst | zstd -d > airflow.cfg                  # without what may be secret
    cat folder-1.files.tar.*.zst | zstd -d | tar -x -C dags       # which folder is which says the manifest
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from airflow_backup.core.errors import BackupError, EngineError
from airflow_backup.core.words import Kind
from airflow_backup.engines.airflow import dump, restore, verify
from airflow_backup.engines.airflow.options import AirflowOptions
from airflow_backup.engines.airflow.state import AirflowState
from airflow_backup.engines.capabilities import StoredEntry
from airflow_backup.engines.protocol import (
    DumpReport,
    EngineContext,
    RestoreReport,
    SetReader,
    Sink,
    VerificationReport,
)
from airflow_backup.schedules.model.base import Model


class AirflowEngine:
    """Backs up the Airflow that it runs in, or another one's folder."""

    name = "airflow"
    held_while_paused = (
        "while the database is read, its transaction stays open, and the server, or the write-ahead log, keeps "
        "what is old"
    )
    state_model = AirflowState
    version = "1"
    kinds = frozenset({Kind.FULL})

    def check(self, source: Model, context: EngineContext) -> list[BackupError]:
        """Return what is in the way: of the configuration, of the database, of a folder, or the wrong Fernet key."""
        return dump.problems_of(_options(source), context)

    def dump(
        self,
        source: Model,
        context: EngineContext,
        *,
        kind: Kind,
        parent: SetReader | None,
        sink: Sink,
    ) -> DumpReport:
        """Store the database first, then what lies in files."""
        return dump.dump(_options(source), context, sink)

    def restore(
        self,
        chain: Sequence[SetReader],
        target: Path,
        context: EngineContext,
        *,
        only: Sequence[str] = (),
        until: datetime | None = None,
    ) -> RestoreReport:
        """Write each part below a folder of its own, and say whether the Fernet key that is known here fits."""
        return restore.restore(chain[-1], target, context, only=only)

    def load(
        self,
        chain: Sequence[SetReader],
        context: EngineContext,
        *,
        connection: str,
        database: str | None = None,
        until: datetime | None = None,
        overwrite: bool = False,
    ) -> RestoreReport:
        """Load the database alone into a running server."""
        return restore.load(
            chain[-1],
            context,
            connection=connection,
            database=database,
            until=until,
            overwrite=overwrite,
        )

    def check_parts(
        self, chain: Sequence[SetReader], only: Sequence[str], context: EngineContext
    ) -> None:
        """Look for the parts: ``airflow.cfg``, ``database``, ``bundles/NAME/PATH``."""
        restore.check_parts(chain[-1], only, context)

    def contents(self, chain: Sequence[SetReader], context: EngineContext) -> Iterator[StoredEntry]:
        """Yield the parts, each with what its engine lists."""
        return restore.contents(chain[-1], context)

    def check_format(self, stored: SetReader) -> Sequence[str]:
        """Look at the configuration, and at beginnings and ends of the parts."""
        return verify.check_format(stored)

    def check_structure(self, chain: Sequence[SetReader]) -> Sequence[str]:
        """Look at the configuration, and at the structure of the parts."""
        return verify.check_structure(chain[-1])

    def decode(self, chain: Sequence[SetReader], context: EngineContext) -> VerificationReport:
        """Decode every part as its engine does."""
        return verify.decode(chain[-1], context)

    def try_restore(
        self, chain: Sequence[SetReader], context: EngineContext, *, assertions: Sequence[str] = ()
    ) -> VerificationReport:
        """Restore every part as its engine does; the assertions are asked of the database."""
        return verify.try_restore(chain[-1], context, assertions=assertions)

    def concerned(self, stored: SetReader, stream: str, begin: int, end: int) -> Sequence[str]:
        """Name the files, or the part, that have content in a part of a stream."""
        return verify.concerned(stored, stream, begin, end)


def _options(source: Model) -> AirflowOptions:
    if not isinstance(source, AirflowOptions):
        raise EngineError(f"the airflow engine cannot read a {type(source).__name__}")
    return source
