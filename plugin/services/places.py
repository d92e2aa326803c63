"""Where a restore can be sent to: the workers that schedules have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import Refused
from airflow_backup.core.ids import requested_dag_id
from airflow_backup.plugin.access import Access
from airflow_backup.plugin.schemas.sets import Place
from airflow_backup.plugin.services import queries
from airflow_backup.schedules.model.placement import Placement

_ASKED = 20
"""Schedules of one place whose last hosts are asked for."""


def listed(catalog: Catalog, access: Access) -> list[Place]:
    """List the places of the schedules that the user may read, by queue; those of Airflow's defaults first."""
    found = _by_placement(catalog, access)
    asked = [name for ids in found.values() for name in ids[:_ASKED]]
    last = catalog.executions.last(asked)
    return [
        Place(
            id=_restores_at(place),
            **place._asdict(),
            hosts=sorted(
                {run.host for name in ids[:_ASKED] if (run := last.get(name)) and run.host}
            ),
            schedules=len(ids),
        )
        for place, ids in sorted(found.items(), key=lambda each: [part or "" for part in each[0]])
    ]


def check_allowed(catalog: Catalog, access: Access, dag: str) -> None:
    """Refuse a DAG that restores nowhere where a schedule that the user may read runs, or that they may not start."""
    known = {_restores_at(place) for place in _by_placement(catalog, access)}
    if dag not in known:
        raise Refused(
            f"no schedule that you may read runs where DAG {dag!r} restores",
            hint=f"one of {', '.join(sorted(known))}",
        )
    if not access.may_restore(dag):
        raise Refused(
            f"you may not start DAG {dag!r}",
            hint="restore on the workers of the set's schedule, or ask for the right to start that DAG",
        )


def _restores_at(place: Placement) -> str:
    return requested_dag_id("restore", place.name)


def _by_placement(catalog: Catalog, access: Access) -> Mapping[Placement, Sequence[str]]:
    found: dict[Placement, list[str]] = defaultdict(list)
    for row in queries.visible(catalog, access):
        if not row.definition:
            continue  # it is wrong, and never was right: nothing of it runs anywhere
        found[Placement.of(row.definition)].append(row.id)
    return found
