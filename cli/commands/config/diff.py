"""`airflow-backup diff`: what a change of the schedules does, before it is deployed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airflow_backup.cli import exit_codes
from airflow_backup.cli.arguments import add_format, loaded, schedules_path
from airflow_backup.cli.commands.config.next_ import fire_dict
from airflow_backup.cli.output import local, print_json
from airflow_backup.cli.revisions import load_revision
from airflow_backup.core.clock import utc_now
from airflow_backup.core.errors import NotFound
from airflow_backup.schedules.loading.compare import Change, compare
from airflow_backup.schedules.loading.loader import Loaded, load
from airflow_backup.schedules.times.fire_times import Fire

_SIGNS = {"added": "+", "removed": "-", "changed": "~", "broken": "!", "mended": "+"}
_SHORT = 60


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "diff", help="show which schedules appear, vanish and change, and when they run then"
    )
    parser.add_argument(
        "old",
        metavar="OLD",
        nargs="?",
        default="HEAD",
        help="schedules file or folder, or a git revision (default: HEAD)",
    )
    parser.add_argument(
        "new",
        metavar="NEW",
        nargs="?",
        type=Path,
        help="schedules file or folder (default: as for validate)",
    )
    parser.add_argument(
        "--exit-code", action="store_true", help="exit 1 when there are changes, as git diff does"
    )
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the changes; return 1 when a schedule is broken by them."""
    path = schedules_path(arguments.new)
    new = loaded(path)
    changes = compare(_old(arguments.old, path), new, now=utc_now())
    if arguments.format == "json":
        print_json([_dict(change) for change in changes])
    else:
        for change in changes:
            _print(change)
        if not changes:
            print("no schedule changes")
    broken = any(change.what == "broken" for change in changes)
    return exit_codes.BAD if broken or (changes and arguments.exit_code) else exit_codes.DONE


def _old(given: str, path: Path) -> Loaded:
    """Read what was before: a path where there is one, else a revision of ``path``."""
    if Path(given).exists():
        return load(Path(given))
    if given.endswith((".yaml", ".yml", "/")) or given.startswith(("/", ".")):
        raise NotFound(f"no schedules file at {given}", hint="is it a path, or a git revision?")
    return load_revision(given, path)


def _print(change: Change) -> None:
    print(f"{_SIGNS[change.what]} {change.id}: {change.what}")
    for key, (before, after) in change.keys.items():
        print(f"    {key}: {_text(before)} -> {_text(after)}")
    for problem in change.problems:
        print(f"    {problem}")
    if change.what in ("changed", "broken") and change.next_before != change.next_after:
        print(f"    next before: {_fires(change.next_before, change.timezone)}")
    if change.next_after:
        print(f"    next: {_fires(change.next_after, change.timezone)}")
    elif change.what == "broken" and change.next_before:
        print("    it goes on in its last good version where it is deployed")


def _fires(fires: Sequence[Fire], timezone: str) -> str:
    if not fires:
        return "after other schedules"
    several = len({fire.kind for fire in fires}) > 1
    return ", ".join(
        local(fire.at, timezone)
        + (f" {fire.kind}" if several else "")
        + (f" (skipped: {fire.skipped})" if fire.skipped else "")
        for fire in fires
    )


def _text(value: Any) -> str:
    if value is None:
        return "(default)"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHORT else text[: _SHORT - 3] + "..."


def _dict(change: Change) -> dict[str, Any]:
    return {
        "id": change.id,
        "what": change.what,
        "keys": {
            key: {"before": before, "after": after} for key, (before, after) in change.keys.items()
        },
        "next_before": [fire_dict(change.id, fire) for fire in change.next_before],
        "next_after": [fire_dict(change.id, fire) for fire in change.next_after],
        "problems": [problem.as_dict() for problem in change.problems],
    }
