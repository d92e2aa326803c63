"""What can be done to a schedule, one at a time or to many: switch, run, skip the next run, pause."""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlalchemy.orm import Session

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import Hold
from airflow_backup.core.errors import Refused
from airflow_backup.core.ids import dag_id
from airflow_backup.core.text.texts import storable
from airflow_backup.plugin.access import Access
from airflow_backup.plugin.airflow import changes as airflow_changes
from airflow_backup.plugin.airflow import reads as airflow_reads
from airflow_backup.plugin.schemas.requests import RunRequest
from airflow_backup.plugin.schemas.schedules import State
from airflow_backup.plugin.views.rows import Row
from airflow_backup.schedules.times.holds import (
    EVERY_SCHEDULE,
    hold_text,
    maintenance_of,
)


def switch(
    catalog: Catalog, session: Session, row: Row, *, enabled: bool, by: str, now: datetime
) -> None:
    """Enable or disable a schedule; that somebody disabled it is told."""
    airflow_changes.set_paused(session, dag_id(row.id), paused=not enabled)
    catalog.monitor_state.note_switch(row.id, enabled=enabled, at=now, actor=by, reason="disabled")


def run(
    catalog: Catalog,
    session: Session,
    access: Access,
    row: Row,
    body: RunRequest,
    *,
    now: datetime,
    from_page: bool,
    key: str | None = None,
) -> str:
    """
    Run a schedule now, and return the id of the run.

    The same person asks with the same ``key`` for the same run, however often: the answer to the first may be lost.
    """
    run_id = None if key is None else _run_of(key, access.user.get_id())
    if run_id is not None and _was_started(catalog, session, row, run_id, body):
        return run_id
    _check_runnable(session, row)
    held = maintenance_of(catalog.holds.active(row.id, now=now))
    if held is not None:
        raise Refused(hold_text(held, "UTC"), hint="nothing starts until the maintenance is ended")
    return airflow_changes.start_run(
        session,
        dag_id(row.id),
        user_name=access.user.get_name(),
        user_id=access.user.get_id(),
        conf=_conf(body),
        note=body.note,
        from_page=from_page,
        run_id=run_id,
    )


def _run_of(key: str, by: str) -> str:
    """
    Return the id of the run that the key of the person with the id ``by`` stands for; nobody else's key is the same.
    """
    digest = hashlib.sha256(f"{by}\x00{key}".encode()).hexdigest()
    return f"manual__{digest[:32]}"


def _was_started(
    catalog: Catalog, session: Session, row: Row, run_id: str, body: RunRequest
) -> bool:
    found = airflow_reads.runs_by_id(session, [(dag_id(row.id), run_id)])
    if found:
        airflow_changes.check_same_request(found[0], _conf(body))
        return True
    # Airflow forgets its runs, by `airflow db clean`; it would start this one again, and write over its history.
    known = catalog.executions.get(row.id, run_id)
    if known is not None and known.note not in (None, storable(body.note)):
        raise airflow_changes.other_request()
    return known is not None


def skip_next(catalog: Catalog, row: Row, *, by: str, reason: str | None, now: datetime) -> Hold:
    """Skip the next run of a schedule."""
    hold = catalog.holds.add_only(row.id, "skip_next", by=by, at=now, reason=reason, replaces=False)
    if hold is None:
        raise Refused(
            f"the next run of {row.id!r} is skipped already", hint="lift that hold to let it run"
        )
    return hold


def pause(
    catalog: Catalog, row: Row, *, until: datetime, by: str, reason: str | None, now: datetime
) -> Hold:
    """Let a schedule start nothing until a moment, instead of until another one."""
    if until <= now:
        raise Refused("the pause would be over already", hint="give a moment that is still to come")
    hold = catalog.holds.add_only(
        row.id, "pause_until", by=by, at=now, until=until, reason=reason, replaces=True
    )
    assert hold is not None
    return hold


def begin_maintenance(
    catalog: Catalog, *, until: datetime | None, by: str, reason: str | None, now: datetime
) -> Hold:
    """Let no schedule start anything, until a moment or until it is ended; what runs goes on to its end."""
    if until is not None and until <= now:
        raise Refused(
            "the maintenance would be over already", hint="give a moment that is still to come"
        )
    hold = catalog.holds.add_only(
        EVERY_SCHEDULE, "maintenance", by=by, at=now, until=until, reason=reason, replaces=True
    )
    assert hold is not None
    return hold


def end_maintenance(catalog: Catalog, *, now: datetime) -> None:
    """Let everything start again, each as it is switched; nothing is made up for."""
    for hold in catalog.holds.active(EVERY_SCHEDULE, now=now):
        catalog.holds.end(hold.id, at=now)


def _conf(body: RunRequest) -> dict[str, str]:
    """What the tasks of the run read; the note goes with the execution into the catalog, too."""
    given = {"kind": body.kind, "note": body.note}
    return {name: str(value) for name, value in given.items() if value}


def _check_runnable(session: Session, row: Row) -> None:
    if row.state is State.REJECTED:
        raise Refused(
            f"schedule {row.id!r} is rejected, and cannot run",
            hint="mend its problems first; the page and 'airflow-backup validate' list them",
        )
    dag = airflow_reads.dags(session, [dag_id(row.id)]).get(dag_id(row.id))
    if dag is None or dag.stale:
        raise Refused(
            f"schedule {row.id!r} has no DAG",
            hint="was it added a moment ago, or removed? is the DAG processor running?",
        )
    if dag.paused:
        raise Refused(
            f"schedule {row.id!r} is disabled; Airflow would keep the run queued",
            hint="enable the schedule first",
        )
