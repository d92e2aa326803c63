"""What `airflow-backup setup` says at its end: what was made, what was not carried over, what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from airflow_backup.schedules.export.yaml_text import in_one_line
from airflow_backup.schedules.loading.drivers import missing_drivers
from airflow_backup.schedules.loading.loaded import Loaded
from airflow_backup.schedules.setup.document import add_command
from airflow_backup.schedules.setup.draft import Draft, SetupPlan


def lines(plan: SetupPlan, loaded: Loaded, files: Sequence[Path]) -> Iterator[str]:
    """Yield the summary for people."""
    count = len(plan.drafts)
    what = f"{count} {'schedule' if count == 1 else 'schedules'}"
    names = [each.name for each in plan.drafts]
    more = f" and {count - _MOST_LISTED} more" if count > _MOST_LISTED else ""
    yield f"{what}: {', '.join(names[:_MOST_LISTED])}{more}"
    for path in files:
        yield _text(f"made {path}")
    left = [*plan.notes, *_grouped(plan.drafts)]
    if left:
        yield "\nNot carried over, or to be looked at (also in the file, beside each schedule):"
        yield from (_text(f"  - {each}") for each in left)
    needed = _connections(plan.drafts)
    if needed:
        yield (
            "\nConnections to make once, where they are not there; then give each its password on Airflow's page "
            "(Admin, Connections):"
        )
        yield from (f"  {each}" for each in needed)
    hints = dict.fromkeys(each.hint for each in missing_drivers(loaded.schedules) if each.hint)
    if hints:
        yield "\nTo be installed where it runs:"
        yield from (f"  {each}" for each in hints)
    if files:
        yield "\nNext:"
        yield from (f"  {each}" for each in _next(plan, files[0]))


def _grouped(drafts: Sequence[Draft]) -> Iterator[str]:
    """Say what several schedules have in common once."""
    by_note: dict[str, list[str]] = {}
    for draft in drafts:
        for note in draft.notes:
            by_note.setdefault(note, []).append(draft.name)
    for note, names in by_note.items():
        shown_names = ", ".join(names[:_MOST_NAMES])
        more = len(names) - _MOST_NAMES
        yield f"{shown_names}{f' and {more} more' if more > 0 else ''}: {note}"


_MOST_NAMES = 4
_MOST_LISTED = 30


def as_dict(plan: SetupPlan, loaded: Loaded, files: Sequence[Path]) -> dict[str, Any]:
    """Return the same for programs."""
    return {
        "files": [str(path) for path in files],
        "schedules": [
            {
                "id": each.name,
                "source": each.source,
                "origin": each.origin,
                "notes": list(each.notes),
            }
            for each in plan.drafts
        ],
        "notes": list(plan.notes),
        "connections": _connections(plan.drafts),
        "missing": [each.hint for each in missing_drivers(loaded.schedules)],
    }


def _connections(drafts: Sequence[Draft]) -> list[str]:
    return list(
        dict.fromkeys(
            add_command(each.connection) for each in drafts if each.connection is not None
        )
    )


def _next(plan: SetupPlan, schedules: Path) -> Iterator[str]:
    where = "" if schedules.parent == Path() else f" --schedules {shlex.quote(str(schedules))}"
    path = where.removeprefix(" --schedules ") or schedules.name
    first = plan.drafts[0].name
    yield f"airflow-backup validate {path}"
    yield f"airflow-backup run {first}{where}"
    yield f"airflow-backup restore {first} --to restored{where}"


def _text(line: str) -> str:
    return in_one_line(line)
