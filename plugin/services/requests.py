"""What a person asks to have done with a set: a ticket that only the run it is for can use, and that run."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session

from airflow_backup.actions.backup.in_force import in_force
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import SetRow, Ticket, Verb
from airflow_backup.core.errors import NotFound, Refused
from airflow_backup.core.ids import requested_dag_id
from airflow_backup.core.words import ExecutionStatus
from airflow_backup.operators.shared.outcome import KEY as OUTCOME
from airflow_backup.plugin.access import Access
from airflow_backup.plugin.airflow import changes as airflow_changes
from airflow_backup.plugin.airflow import reads as airflow_reads
from airflow_backup.plugin.airflow.records import AirflowRun
from airflow_backup.plugin.schemas.answers import (
    Answer,
    ContentsRequest,
    DryRunAnswer,
    DryRunRequest,
    Fault,
    SetContents,
)
from airflow_backup.plugin.schemas.requests import RestoreRequest, VerifyRequest
from airflow_backup.plugin.schemas.runs import Progress, RequestedRun, RestoreOutcome
from airflow_backup.plugin.schemas.schedules import Started
from airflow_backup.plugin.services import places
from airflow_backup.plugin.views.airflow_states import failure, judge_requested
from airflow_backup.plugin.views.secrets import mask
from airflow_backup.schedules.model.placement import Placement

_State = Literal["waiting", "running", "done", "failed"]
_SILENT = Fault(
    message="the run ended without an answer",
    hint="the log of its task says why; is a worker there that serves its queue?",
)

ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True)
class Requests:
    """Starts what one person asks for."""

    catalog: Catalog
    session: Session
    access: Access
    now: datetime
    from_page: bool

    def verify(self, row: SetRow, body: VerifyRequest) -> Started:
        """Start a verification of a set."""
        request = {"set_id": row.set_id, "level": str(body.level)}
        note = f"verify {row.set_id} of {row.schedule_id} at level {body.level}"
        return self._start("verify", row.schedule_id, request, note=note)

    def restore(self, row: SetRow, body: RestoreRequest) -> Started:
        """Start a restore of a set, or of a moment; Refused when it is not confirmed."""
        if body.confirm != row.schedule_id:
            raise Refused(
                "the restore was not confirmed",
                hint=f"type the schedule's id, {row.schedule_id!r}, as `confirm`",
            )
        if row.state == "quarantined" and not body.despite_quarantine:
            raise Refused(
                f"set {row.set_id!r} failed its verification",
                hint="an earlier set, or `despite_quarantine` if there is nothing better",
            )
        request = {
            "set_id": row.set_id if body.at is None else None,
            "at": None if body.at is None else body.at.isoformat(),
            "target": body.target,
            "paths": body.paths,
        }
        if body.place is not None:
            places.check_allowed(self.catalog, self.access, body.place)
            request["place"] = body.place
        what = row.set_id if body.at is None else f"the state of {request['at']}"
        note = f"restore {what} of {row.schedule_id}"
        return self._start("restore", row.schedule_id, request, note=note)

    def contents(self, row: SetRow, body: ContentsRequest) -> Started:
        """Start a look into a set."""
        request = {"what": "contents", "set_id": row.set_id} | body.model_dump()
        return self._ask(row.schedule_id, request, note=f"what is in {row.set_id}")

    def dry_run(self, schedule_id: str, body: DryRunRequest) -> Started:
        """Start a look at what a run of a schedule would do, as it is in force."""
        request = {"what": "dry_run"} | body.model_dump(mode="json")
        return self._ask(schedule_id, request, note=f"what a run of {schedule_id} would do")

    def try_definition(self, definition: Mapping[str, Any]) -> Started:
        """Start a look at what a schedule would do that nobody has saved."""
        schedule_id = str(definition["id"])
        request = {"what": "dry_run", "definition": dict(definition)}
        place = requested_dag_id("ask", Placement.of(definition).name)
        note = f"what a run of {schedule_id} would do, as it was typed"
        started = self._ask(schedule_id, {**request, "place": place}, note=note)
        airflow_changes.note(
            self.session,
            "backup_dry_run",
            dag_id=started.dag_id,
            user_id=str(self.access.user.get_id()),
            user_name=self.access.user.get_name(),
            detail={"schedule": schedule_id, "run_id": started.run_id},
        )
        return started

    def answer(self, run_id: str) -> Answer:
        """Return what became of a question; NotFound where this person asked none in that run."""
        ticket = self.catalog.tickets.asked_by(self.access.user.get_name(), run_id, now=self.now)
        names = ticket is not None and ticket.request["what"] == "contents"
        if ticket is None or (names and not self.access.may_name_files()):
            raise NotFound(f"you asked nothing in a run {run_id!r}", hint="ask again")
        dag = str(ticket.request["place"])
        found = airflow_reads.runs_by_id(self.session, [(dag, run_id)])
        return _answer_of(ticket, dag, found[0] if found else None)

    def _ask(self, schedule_id: str, request: Mapping[str, Any], *, note: str) -> Started:
        place = request.get("place") or requested_dag_id(
            "ask", Placement.of(in_force(self.catalog, schedule_id).definition).name
        )
        return self._start("ask", schedule_id, {**request, "place": place}, note=note)

    def _start(
        self,
        verb: Verb,
        schedule_id: str,
        request: Mapping[str, Any],
        *,
        note: str,
    ) -> Started:
        dag, user = request.get("place"), self.access.user
        if dag is None:
            place = Placement.of(in_force(self.catalog, schedule_id).definition).name
            dag = requested_dag_id(verb, place)
        airflow_changes.check_startable(self.session, dag)
        run_id = f"manual__{self.now:%Y-%m-%dT%H:%M:%S}+00:00_{secrets.token_hex(16)}"
        self.catalog.tickets.issue(
            run_id, verb, schedule_id, request, person=user.get_name(), at=self.now
        )
        airflow_changes.start_request(
            self.session,
            dag,
            run_id,
            user_name=user.get_name(),
            user_id=str(user.get_id()),
            note=note,
            from_page=self.from_page,
        )
        return Started(schedule_id=schedule_id, dag_id=dag, run_id=run_id)


def _answer_of(ticket: Ticket, dag: str, run: AirflowRun | None) -> Answer:
    """Say what became of a question; a run that Airflow has forgotten answers no more."""
    told = ticket.answer or {}
    found, problem = told.get("found"), told.get("problem")
    is_contents = ticket.request["what"] == "contents"
    state = "failed" if problem else "done" if found else _state(run)
    return Answer(
        dag_id=dag,
        run_id=ticket.run_id,
        state=state,
        problem=Fault.model_validate(problem)
        if problem
        else _SILENT
        if state == "failed"
        else None,
        contents=SetContents.model_validate(found) if found and is_contents else None,
        dry_run=DryRunAnswer.model_validate(found) if found and not is_contents else None,
    )


def _state(run: AirflowRun | None) -> _State:
    if run is None or not run.active:
        return "failed"
    is_at_work = any(task.state == "running" for task in run.tasks.values())
    return "running" if is_at_work else "waiting"


def lately(
    catalog: Catalog, session: Session, schedule_id: str, *, limit: int, may_name: bool
) -> list[RequestedRun]:
    """
    List what people asked to have done with the sets of a schedule, the newest first.

    ``may_name``: whether whoever looks may restore; others see no name of a file, nor of a target.
    """
    tickets = catalog.tickets.of(schedule_id, limit=limit)
    verbs = {each.verb for each in tickets}
    dags = {verb: airflow_reads.dags_of_verb(session, verb) for verb in verbs}
    keys = [(dag, each.run_id) for each in tickets for dag in dags[each.verb]]
    runs = airflow_reads.runs_by_id(session, keys)
    active = [run for run in runs if run.active]
    told = airflow_reads.progress(session, active, tasks=verbs)
    kept = airflow_reads.progress(session, runs, tasks=verbs, key=OUTCOME)
    by_id = {run.run_id: run for run in runs}
    found = [
        _requested(
            each,
            run,
            progress=told.get((run.dag_id, run.run_id)),
            outcome=kept.get((run.dag_id, run.run_id), {}),
        )
        for each in tickets
        if (run := by_id.get(each.run_id)) is not None
    ]
    return found if may_name else list(map(_without_names, found))


def _without_names(run: RequestedRun) -> RequestedRun:
    """Leave out of a restore what names files and places: what it wrote where, and why it could not."""
    if run.verb != "restore":
        return run
    bare: dict[str, Any] = {"target": None, "kept": None, "passed_over": [], "warnings": []}
    result = None if run.result is None else run.result.model_copy(update=bare)
    failed = None if run.error is None else f"the {run.verb} failed"
    hint = None if run.error is None else "who may restore sees why"
    update: dict[str, Any] = {
        "target": None,
        "paths": [],
        "result": result,
        "error": failed,
        "hint": hint,
    }
    return run.model_copy(update=update)


def _requested(
    ticket: Ticket,
    run: AirflowRun,
    *,
    progress: Mapping[str, Any] | None,
    outcome: Mapping[str, Any],
) -> RequestedRun:
    asked, task = ticket.request, run.tasks.get(ticket.verb)
    status, reason = judge_requested(run, task)
    failed = failure(status) if "error" not in outcome else outcome
    return RequestedRun(
        verb="restore" if ticket.verb == "restore" else "verify",
        dag_id=run.dag_id,
        run_id=run.run_id,
        person=ticket.person,
        asked_at=ticket.issued_at,
        set_id=asked.get("set_id"),
        at=asked.get("at"),
        target=asked.get("target"),
        paths=asked.get("paths") or [],
        level=asked.get("level"),
        status=status,
        reason=reason,
        started_at=run.started_at,
        finished_at=None if run.active else run.ended_at,
        progress=_read(Progress, progress) if status is ExecutionStatus.RUNNING else None,
        result=_read(RestoreOutcome, outcome.get("result")) if ticket.verb == "restore" else None,
        error=None if (said := failed.get("error")) is None else mask(said),
        hint=None if (told := failed.get("hint")) is None else mask(told),
    )


def _read(model: type[ModelT], given: Any) -> ModelT | None:
    """Read what a task kept; None where there is nothing, or another release kept something else."""
    try:
        return None if given is None else model.model_validate(given)
    except ValidationError:
        return None
