"""`airflow-backup verify`: prove stored sets, with or without the catalog."""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_backup.cli import exit_codes
from airflow_backup.cli.arguments import (
    add_reading,
    catalog_beside,
    keys,
    loaded,
    public_keys,
    schedule,
)
from airflow_backup.cli.output import print_json
from airflow_backup.cli.progress_bar import progress_bar
from airflow_backup.cli.terminal import say
from airflow_backup.core.clock import utc_now
from airflow_backup.core.connections import from_environment
from airflow_backup.core.errors import ConfigError, NotFound
from airflow_backup.core.ids import SCHEDULE_ID
from airflow_backup.core.progress import Reporter
from airflow_backup.core.text.counts import counted
from airflow_backup.core.text.durations import format_size
from airflow_backup.core.words import VerificationLevel, VerificationOutcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_backup.actions.sets.damage import Share, VerifyResult
    from airflow_backup.actions.verify.verify import Verifier

_LEVELS = {level.value: level for level in VerificationLevel}
_SHARE = re.compile(r"([1-9][0-9]{0,3})/([1-9][0-9]{0,3})")


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "verify",
        help="prove the newest set of a schedule, another one, or every set of a whole repository",
        epilog="exit codes: 0 passed, 1 failed, 5 inconclusive",
    )
    parser.add_argument(
        "schedule", metavar="SCHEDULE", nargs="?", help="(default with --all: every schedule)"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--set", metavar="ID", help="this set (default: the newest)")
    which.add_argument("--all", action="store_true", help="every set")
    parser.add_argument(
        "--level",
        choices=list(_LEVELS),
        type=lambda text: text.replace("-", "_"),  # as it was written in earlier versions
        help="how thoroughly (default: as the schedule says, or standard)",
    )
    parser.add_argument(
        "--share",
        type=_share,
        metavar="N/COUNT",
        help="read only this share of all bytes, for example 3/30; all shares together have every byte",
    )
    add_reading(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Verify; the exit code tells the worst outcome."""
    from airflow_backup.actions.verify.verify import Verifier

    catalog = catalog_beside(arguments)
    quiet = arguments.format == "json" or not sys.stderr.isatty()
    results: list[VerifyResult] = []
    try:
        with progress_bar(quiet=quiet) as listener:
            for item in _schedules(arguments):
                verifier = Verifier(
                    item,
                    catalog=catalog,
                    connections=from_environment,
                    clock=utc_now,
                    reporter=Reporter(listener, interval=0.2),
                    keys=keys(arguments),
                )
                results += _verify(verifier, _level(arguments, item), arguments)
    finally:
        if catalog is not None:
            catalog.close()
    if arguments.format == "json":
        print_json([result.as_dict() for result in results])
    else:
        _print(results)
    return _code(results)


def _schedules(arguments: argparse.Namespace) -> Sequence[Any]:
    """Return what to verify: one schedule, or with ``--all`` alone everything there is."""
    from airflow_backup.actions.verify.verify import Bare
    from airflow_backup.storage.open import open_storage

    said = (arguments.engine, public_keys(arguments))
    if arguments.schedule is not None:
        if arguments.repository is None:
            return [schedule(arguments.schedules, arguments.schedule)]
        return [Bare(arguments.schedule, arguments.repository, *said)]
    if not arguments.all:
        raise ConfigError("which schedule?", hint="airflow-backup verify SCHEDULE, or --all")
    if arguments.repository is None:
        return list(loaded(arguments.schedules).by_id().values())
    storage = open_storage(arguments.repository, from_environment)
    found = [each for each in storage.folders() if SCHEDULE_ID.fullmatch(each)]
    if not found:
        raise NotFound(f"no schedule has sets in {storage.url}", hint="is the disk mounted?")
    return [Bare(each, arguments.repository, *said) for each in found]


def _verify(
    verifier: Verifier, level: VerificationLevel, arguments: argparse.Namespace
) -> list[VerifyResult]:
    sets = verifier.sets() if arguments.all else [arguments.set or verifier.newest()]
    return [
        result
        for set_id in sets
        for result in verifier.verify(set_id, level, share=arguments.share)
    ]


def _level(arguments: argparse.Namespace, item: Any) -> VerificationLevel:
    if arguments.share is not None:
        return VerificationLevel.STANDARD
    if arguments.level is not None:
        return _LEVELS[arguments.level]
    return item.verify.verification_level or VerificationLevel.STANDARD


def _share(text: str) -> Share:
    from airflow_backup.actions.sets.damage import Share

    found = _SHARE.fullmatch(text)
    if found is None or int(found[1]) > int(found[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is not a share; write for example 3/30")
    return Share(number=int(found[1]), count=int(found[2]))


def _print(results: Sequence[VerifyResult]) -> None:
    for result in results:
        took = f"{format_size(result.bytes_read)} read in {result.duration:.1f}s"
        restored = (
            f", restored in {result.restore_seconds:.1f}s"
            if result.restore_seconds is not None
            else ""
        )
        say(
            f"{result.schedule_id}: {result.set_id}: {result.level} {result.outcome}, {took}{restored}"
        )
        if result.reason is not None and not result.damages:
            say(f"    {result.reason}")
        for damage in result.damages:
            say(f"    {damage}")
        if result.isolation:
            say(f"    isolation: {', '.join(result.isolation)}")
        for note in result.notes:
            say(f"    NOTE: {note}")
    if not results:
        say("there is no set")
    if len(results) > 1:
        outcomes = Counter(str(result.outcome) for result in results)
        told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
        schedules = len({result.schedule_id for result in results})
        say(f"{counted(len(results), 'set')} of {counted(schedules, 'schedule')}: {told}")


def _code(results: Sequence[VerifyResult]) -> int:
    outcomes = {result.outcome for result in results}
    if VerificationOutcome.FAILED in outcomes:
        return exit_codes.BAD
    if VerificationOutcome.INCONCLUSIVE in outcomes or not outcomes:
        return exit_codes.INCONCLUSIVE
    return exit_codes.DONE
