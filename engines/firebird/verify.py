"""Proves stored Firebird sets: makes the database in a sandbox, lets gbak read every row of it, and asks assertions."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence

from airflow_backup.core.errors import (
    EngineError,
    Inconclusive,
    ScratchFull,
    ToolMissing,
    VerifyError,
)
from airflow_backup.engines.firebird.program import NO_TRIGGERS, Database, counts_of, read
from airflow_backup.engines.firebird.questions import ask_all
from airflow_backup.engines.firebird.restore import make
from airflow_backup.engines.firebird.runner import DATA, inside
from airflow_backup.engines.protocol import EngineContext, SetReader, VerificationReport
from airflow_backup.engines.shared.scratch import check_room
from airflow_backup.engines.shared.test_server import Place, place

_NOT_HERE = re.compile(
    r"[Cc]rypt plugin|key holder|encryption key|crypt key|is not installed|[Ee]rror loading plugin"
    r"|external engine plugin|denied by server administrator|not allowed by server configuration"
    r"|invalid request BLR.*module name|UDF .*(?:not defined|denied)|module name or entrypoint"
    r"|unavailable database|INTL-0001|is not defined.*CHARACTER SET|CHARACTER SET .* is not defined"
)
"""What a program says where the database needs something that this machine, or the sandbox, has not."""


def try_restore(
    chain: Sequence[SetReader], context: EngineContext, *, assertions: Sequence[str] = ()
) -> VerificationReport:
    """Make the database in a scratch folder, read every row, and ask the assertions."""
    missing = [name for name in ("gbak", "nbackup") if shutil.which(name) is None]
    if missing:
        return VerificationReport(inconclusive=f"{missing[0]} is not installed")
    expected = sum(each.manifest.totals.bytes_read for each in chain)
    try:
        check_room(context.scratch, 2 * expected)
        with place(context, expected=expected) as where:
            return _try(chain, where, context, assertions)
    except (ToolMissing, ScratchFull, Inconclusive) as error:
        return VerificationReport(inconclusive=error.message)


def _try(
    chain: Sequence[SetReader], where: Place, context: EngineContext, assertions: Sequence[str]
) -> VerificationReport:
    runner = inside(where)
    where.give()
    try:
        file, _ = make(chain, where.folder / DATA, context, runner=runner)
        own = Database(str(file), login="SYSDBA")
        options = [*NO_TRIGGERS, "-b", "-v", str(file), "stdout"]
        told = read(own, "gbak", options, take=_drop, reporter=context.reporter, runner=runner)
    except (ToolMissing, VerifyError):
        raise
    except EngineError as error:
        if _NOT_HERE.search(error.message):
            raise Inconclusive(
                f"restoring it asks for more than a restore test gives: {error.message}"
            ) from error
        raise VerifyError(f"the database cannot be restored: {error.message}") from error
    ask_all(file, assertions, runner, context.reporter)
    return VerificationReport(
        counts=counts_of(told),
        checks=["gbak read every row of the restored database"],
        isolation=where.cage.holds,
    )


def _drop(chunk: bytes) -> None:
    """Only what gbak tells on the side is wanted."""
