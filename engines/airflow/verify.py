"""Proves a set of Airflow by what the engines of its parts prove."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from airflow_backup.core.errors import VerifyError
from airflow_backup.engines.airflow import fernet
from airflow_backup.engines.airflow.dump import PACKAGES
from airflow_backup.engines.airflow.kept_configuration import STREAM, read_kept, read_text
from airflow_backup.engines.airflow.parts import DATABASE, Part, for_part, parts_of, state_in
from airflow_backup.engines.airflow.restore import keys_here
from airflow_backup.engines.capabilities import (
    Decoder,
    FormatChecker,
    Locator,
    RestoreTester,
    StructureChecker,
)
from airflow_backup.engines.protocol import EngineContext, SetReader, VerificationReport

Ask = Callable[[Part], VerificationReport | None]


def check_format(stored: SetReader) -> list[str]:
    """Read the configuration, and look at the beginnings and ends of the parts."""
    checks = _check_configuration(stored)
    for part in parts_of(stored):
        if isinstance(part.engine, FormatChecker):
            checks += _of(part, part.engine.check_format(part.reader))
    return checks


def check_structure(stored: SetReader) -> list[str]:
    """Read the configuration, and look at the structure of those parts that have one to look at."""
    checks = _check_configuration(stored)
    for part in parts_of(stored):
        if isinstance(part.engine, StructureChecker):
            checks += _of(part, part.engine.check_structure([part.reader]))
        elif isinstance(part.engine, FormatChecker):
            checks += _of(part, part.engine.check_format(part.reader))
    return checks


def decode(stored: SetReader, context: EngineContext) -> VerificationReport:
    """Decode every part to its end."""

    def ask(part: Part) -> VerificationReport | None:
        if not isinstance(part.engine, Decoder):
            return None
        return part.engine.decode([part.reader], for_part(context))

    return _all(stored, context, ask)


def try_restore(
    stored: SetReader, context: EngineContext, *, assertions: Sequence[str]
) -> VerificationReport:
    """Restore every part into a temporary place, and ask the database the assertions."""

    def ask(part: Part) -> VerificationReport | None:
        if not isinstance(part.engine, RestoreTester):
            return None
        questions = assertions if part.place == DATABASE else ()
        return part.engine.try_restore([part.reader], for_part(context), assertions=questions)

    return _all(stored, context, ask)


def concerned(stored: SetReader, stream: str, begin: int, end: int) -> list[str]:
    """Name what has content in a part of a stream."""
    if stream in (STREAM, PACKAGES):
        return [stream]
    for part in parts_of(stored):
        if not part.owns(stream):
            continue
        if not isinstance(part.engine, Locator):
            return [part.place]
        own = stream.removeprefix(part.prefix)
        return [
            f"{part.place}/{each}" for each in part.engine.concerned(part.reader, own, begin, end)
        ]
    return []


def _all(stored: SetReader, context: EngineContext, ask: Ask) -> VerificationReport:
    checks = _check_configuration(stored)
    found = [(part, report) for part in parts_of(stored) if (report := ask(part)) is not None]
    for part, report in found:
        checks += _of(part, report.checks)
    _, words = fernet.compare(state_in(stored).fernet, keys_here(context))
    database = next((report for part, report in found if part.place == DATABASE), None)
    return VerificationReport(
        inconclusive=next((each.inconclusive for _, each in found if each.inconclusive), None),
        counts={} if database is None else database.counts,
        uncounted=() if database is None else database.uncounted,
        checks=[*checks, words],
        isolation=tuple(dict.fromkeys(word for _, each in found for word in each.isolation)),
    )


def _check_configuration(stored: SetReader) -> list[str]:
    read_kept(stored)
    if not read_text(stored, PACKAGES):
        raise VerifyError(f"set '{stored.manifest.set_id}' does not say which packages there were")
    return ["the configuration, and that nothing secret is in it"]


def _of(part: Part, checks: Sequence[str]) -> list[str]:
    return [f"{part.place}: {each}" for each in checks]
