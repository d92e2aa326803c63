"""
The newest row of each of many schedules, without reading the others.

For every schedule one probe into an index that ends in the time: 1,000 schedules cost 1,000
probes however many rows there are, where GROUP BY and window functions read them all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from sqlalchemy import (
    JSON,
    ColumnElement,
    FromClause,
    Select,
    String,
    Table,
    and_,
    bindparam,
    cast,
    func,
    select,
)

Condition = Callable[[FromClause], ColumnElement[bool]]


def newest(
    table: Table,
    *,
    key: str,
    order: str,
    ids: Iterable[str] | None,
    is_sqlite: bool,
    condition: Condition | None = None,
) -> Select[tuple[object, ...]]:
    """
    Select the newest row by ``order`` of each schedule; of all schedules when ``ids`` is None.

    ``key`` tells the rows of one schedule apart.
    """
    wanted = _every_id(table) if ids is None else given_ids(list(ids), is_sqlite=is_sqlite)
    inner = table.alias("probe")
    probe = (
        select(inner.c[key])
        .where(inner.c.schedule_id == wanted.c.id)
        .order_by(inner.c[order].desc(), inner.c[key].desc())
        .limit(1)
        .correlate(wanted)
    )
    if condition is not None:
        probe = probe.where(condition(inner))
    found = and_(table.c.schedule_id == wanted.c.id, table.c[key] == probe.scalar_subquery())
    return select(table).select_from(wanted.join(table, found))


def given_ids(ids: list[str], *, is_sqlite: bool) -> FromClause:
    if is_sqlite:
        each = func.json_each(bindparam("ids", json.dumps(ids), String)).table_valued("value")
    else:
        from sqlalchemy.dialects.postgresql import (
            JSONB,  # a fiftieth of a second, only for those who use it
        )

        given = cast(bindparam("ids", ids, JSON), JSONB)
        each = func.jsonb_array_elements_text(given).table_valued("value")
    return select(cast(each.c.value, String).label("id")).distinct().subquery("wanted")


def _every_id(table: Table) -> FromClause:
    # A loose index scan: from each id straight to the next greater one.
    first = select(func.min(table.c.schedule_id).label("id")).cte("wanted", recursive=True)
    following = (
        select(func.min(table.c.schedule_id))
        .where(table.c.schedule_id > first.c.id)
        .correlate(first)
        .scalar_subquery()
    )
    return first.union_all(select(following).where(first.c.id.is_not(None)))
