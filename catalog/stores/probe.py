"""
The newest row of each of many schedules, without reading the others; and all rows of many in one order.

For every schedule one probe into an index that ends in the time: 1,000 schedules cost 1,000
probes however many rows there are, where GROUP BY and window functions read them all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

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
    collate,
    func,
    literal,
    or_,
    select,
    tuple_,
)

Condition = Callable[[FromClause], ColumnElement[bool]]

Place = tuple[datetime, str, str]
"""Where a run is in a history: when it came into being, the name of what ran, and its run id."""


@dataclass(frozen=True, slots=True)
class Order:
    """
    The order of a history, the newest first: by three columns, which make a place.

    Names compare by their bytes, as Python's do, whatever the database thinks of letters: two databases, and this
    program, read one history.
    """

    columns: tuple[Any, Any, Any]
    dialect: str

    def newest_first(self) -> tuple[ColumnElement[Any], ...]:
        """Return what to order by."""
        since, name, run_id = self._compared()
        return since.desc(), name.desc(), run_id.desc()

    def below(self, place: Place) -> ColumnElement[bool]:
        """Return what holds for all that come after ``place``."""
        since, name, run_id = self._compared()
        moment = literal(place[0], since.type)
        further = or_(name < place[1], and_(name == place[1], run_id < place[2]))
        # The first part is what an index finds.
        return and_(since <= moment, or_(since < moment, further))

    def _compared(self) -> tuple[Any, Any, Any]:
        since, name, run_id = self.columns
        if self.dialect == "postgresql":
            return since, collate(name, "C"), collate(run_id, "C")
        return since, name, run_id


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


def is_one_of_pairs(
    columns: tuple[Any, Any], pairs: Collection[tuple[str, str]], *, dialect: str
) -> ColumnElement[bool]:
    """
    Compare two columns with many pairs of texts; on SQLite so that an index finds them, which a list of pairs does
    not.
    """
    if dialect != "sqlite":
        return tuple_(*columns).in_(pairs)
    given = json.dumps([list(pair) for pair in pairs])
    each = func.json_each(bindparam("pairs", given, String, unique=True)).table_valued("value")
    first, second = (func.json_extract(each.c.value, place) for place in ("$[0]", "$[1]"))
    return tuple_(*columns).in_(select(first, second))


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
