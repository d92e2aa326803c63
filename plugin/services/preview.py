"""What a definition would do before it is saved: its problems, its coming runs, what it gets in the way of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from airflow_backup.catalog import Catalog
from airflow_backup.plugin.access import Access
from airflow_backup.plugin.schemas.edits import CautionNote, Validation
from airflow_backup.plugin.services import queries
from airflow_backup.plugin.services.edits import (
    beyond_the_fence,
    checked,
    free_id,
    problems_of,
    read_yaml,
    with_passwords,
)
from airflow_backup.plugin.views.rhythms import coming, rhythms, schedule_of
from airflow_backup.plugin.views.rows import Row, row_of
from airflow_backup.schedules.loading.dependencies import Elsewhere
from airflow_backup.schedules.loading.loader import Loaded, check_definition
from airflow_backup.schedules.loading.warnings import load_warnings
from airflow_backup.schedules.model.schedule import Schedule

RUNS = 5
_NEIGHBOURS = 40
"""With how many other schedules a definition is compared; reckoning the week of each takes a moment."""

_LOOKED_AT = 40
"""Of how many schedules of a file that somebody typed the week is reckoned; all of them are checked."""


def validate(
    given: str | Mapping[str, Any],
    *,
    rows: Sequence[Row],
    elsewhere: Elsewhere,
    slots: int | None,
    durations: Mapping[str, timedelta],
    now: datetime,
) -> Validation:
    """Check a definition, given as YAML or as data."""
    loaded, lines_off = _read(given, elsewhere)
    found = [item.schedule for item in loaded.schedules]
    only = found[0] if len(found) == 1 else None
    problems = problems_of(loaded, lines_off=lines_off)
    problems += [problem for schedule in found for problem in beyond_the_fence(schedule)]
    return Validation(
        valid=bool(found) and not problems,
        definition=only.definition() if only is not None and not problems else None,
        problems=problems,
        warnings=_warnings(found, rows, slots=slots, durations=durations, now=now),
        timezone=only.timezone if only is not None else "UTC",
        rhythms=[] if only is None else rhythms(only),
        next_runs=[] if only is None else coming(only, after=now, count=RUNS),
    )


def to_try(catalog: Catalog, access: Access, given: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return a definition that a worker may look at; InvalidDefinition with every problem.

    An id that is taken is refused as it is when it is saved: what would become of its next set is for those who may
    change it. They get what the version that is saved keeps secret, too.
    """
    name = given.get("id")
    if isinstance(name, str):
        saved = catalog.schedules.newest(name)
        row = row_of(catalog.deployed.get(name), saved)
        if row is not None and row.made is not None and access.may_change(name, row.made):
            given = with_passwords(given, row.made.definition)
        else:
            free_id(row, name, visible=bool(access.readable([name])))
    return checked(given, elsewhere=queries.elsewhere(catalog, queries.visible(catalog, access)))


def _read(given: str | Mapping[str, Any], elsewhere: Elsewhere) -> tuple[Loaded, int | None]:
    if isinstance(given, str):
        return read_yaml(given, elsewhere=elsewhere)
    return check_definition(given, elsewhere=elsewhere), None


def _warnings(
    found: Sequence[Schedule],
    rows: Sequence[Row],
    *,
    slots: int | None,
    durations: Mapping[str, timedelta],
    now: datetime,
) -> list[CautionNote]:
    ids = {schedule.id for schedule in found}
    left_out = len(found) - _LOOKED_AT
    found = found[:_LOOKED_AT]
    others = [
        schedule
        for row in rows
        if row.id not in ids and (schedule := schedule_of(row.definition)) is not None
    ]
    if len(others) > _NEIGHBOURS:
        slots = None  # with some of them left out, the count would be wrong
        others = [one for one in others if any(_meets(one, mine) for mine in found)][:_NEIGHBOURS]
    if left_out > 0:
        slots = None
    told = load_warnings([*found, *others], now=now, slots=slots, durations=durations)
    notes = [_of_the_first(left_out)] if left_out > 0 else []
    return notes + [
        CautionNote(
            message=item.message, hint=item.hint, at=item.at, schedules=list(item.schedules)
        )
        for item in told
        if ids & set(item.schedules)
    ]


def _of_the_first(left_out: int) -> CautionNote:
    return CautionNote(
        message=f"the coming week of the first {_LOOKED_AT} schedules was looked at, "
        f"and that of {left_out} more was not",
        hint="airflow-backup validate looks at all of them",
        at=None,
        schedules=[],
    )


def _meets(one: Schedule, other: Schedule) -> bool:
    return one.repository == other.repository or one.source == other.source
