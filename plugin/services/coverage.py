"""Which connections no schedule protects, as far as the user may know."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from sqlalchemy.orm import Session

from airflow_backup.actions.report import coverage as rule
from airflow_backup.catalog import Catalog
from airflow_backup.core.clock import utc_now
from airflow_backup.core.connections import Connection
from airflow_backup.core.errors import ConfigError
from airflow_backup.core.ids import dag_id
from airflow_backup.plugin.access import Access
from airflow_backup.plugin.airflow import connections as airflow_connections
from airflow_backup.plugin.airflow import reads as airflow_reads
from airflow_backup.plugin.airflow.records import AirflowDag
from airflow_backup.plugin.kept.rows import AllRows
from airflow_backup.plugin.schemas.coverage import ConnectionCoverage, CoverageList, ProtectedBy
from airflow_backup.plugin.schemas.schedules import State
from airflow_backup.plugin.schemas.status import CoverageCounts
from airflow_backup.plugin.services import queries
from airflow_backup.plugin.views.rows import Row
from airflow_backup.plugin.views.schedules import enabled_of, subject_of
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.model.sources import extras_by_type

log = logging.getLogger(__name__)

_KEPT_FOR = 60.0
"""Seconds."""


@dataclass(frozen=True)
class _Known:
    """What counts, and the schedules with their DAGs."""

    coverage: rule.Coverage
    rows: list[Row]
    dags: dict[str, AirflowDag]


def counts(catalog: Catalog, session: Session, access: Access) -> CoverageCounts | None:
    """Count the connections that the user may read; None where that is none by right."""
    if not access.may_read_connections():
        return None
    found = _known(catalog, session, access).coverage
    unprotected = found.count("unprotected")
    return CoverageCounts(unprotected=unprotected, total=unprotected + found.count("protected"))


def listed(catalog: Catalog, session: Session, access: Access) -> CoverageList:
    """List the connections that the user may read, with the schedules that they may read."""
    known = _known(catalog, session, access)
    found = known.coverage
    readable = access.readable({name for each in found.found for name in each.schedules})
    rows = [row for row in known.rows if row.id in readable]
    safety = queries.protections_of(catalog, rows, known.dags, now=utc_now())
    return CoverageList(
        percent=found.percent_shown,
        protected=found.count("protected"),
        unprotected=found.count("unprotected"),
        exceptions=found.count("exception"),
        connections=[
            ConnectionCoverage(
                connection_id=each.connection_id,
                type=each.type,
                engine=each.engine,
                state=each.state,
                schedules=[
                    ProtectedBy(schedule_id=name, protection=safety[name].state)
                    for name in each.schedules
                    if name in readable
                ],
                reason=each.reason,
                source=dict(each.source),
            )
            for each in found.found
        ],
        unknown_exceptions=list(found.unknown),
    )


def _known(catalog: Catalog, session: Session, access: Access) -> _Known:
    """Compare all connections with all schedules, whoever asks; keep the connections that the user may read."""
    rows = queries.all_rows(catalog)
    dags = airflow_reads.our_dags(session)
    stored = airflow_connections.connections(session, extras_by_type())
    found = _compared(rows, dags, stored, catalog.deployed.unprotected())
    ids = [each.connection_id for each in found.found]
    may = access.readable_connections([*ids, *found.unknown], stored={each.id for each in stored})
    seen = rule.Coverage(
        tuple(each for each in found.found if each.connection_id in may),
        tuple(each for each in found.unknown if each in may),
    )
    return _Known(seen, list(rows.rows), dags)


def _compared(
    rows: AllRows,
    dags: Mapping[str, AirflowDag],
    stored: list[Connection],
    exceptions: Mapping[str, str],
) -> rule.Coverage:
    """Compare them, or return what was found a moment ago in the same: links may lead elsewhere, and nobody says so."""
    enabled = [each for row in rows.rows if (each := _enabled(row, dags.get(dag_id(row.id))))]
    given = [each.id for each in enabled], stored, dict(exceptions)
    kept = rows.remembered.get("coverage")
    if kept is not None and kept[0] == given and time.monotonic() - kept[1] < _KEPT_FOR:
        return cast("rule.Coverage", kept[2])
    connections = rule.with_environment(
        stored, rule.mentioned(enabled, exceptions), unreadable=_say_so
    )
    found = rule.coverage(connections, enabled, exceptions)
    rows.remembered["coverage"] = given, time.monotonic(), found
    return found


def _enabled(row: Row, dag: AirflowDag | None) -> Schedule | None:
    """Return what a row runs; None where it is switched off, or wrong."""
    subject = subject_of(row, enabled_of(dag))
    if subject.schedule is None or row.state is State.REJECTED:
        return None
    enabled = subject.schedule.enabled if subject.enabled is None else subject.enabled
    return subject.schedule if enabled else None


def _say_so(error: ConfigError) -> None:
    log.error("a connection is not looked at: %s", error)
