"""
Restores and verifications that a person asked for through the API.

Who may start a DAG in Airflow may start ours too, with any parameters. So these tasks read no parameters: they do
what the ticket of their run says, which the API wrote for a person who may, and they do it once.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator, Context

from airflow_backup.actions.backup.in_force import in_force
from airflow_backup.actions.restore.target import ServerTarget, Target, target_of
from airflow_backup.actions.verify.scheduled import raise_what_is_bad
from airflow_backup.actions.verify.verify import Verifier
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import Ticket, Verb
from airflow_backup.core.clock import utc_now
from airflow_backup.core.errors import NotFound, Refused
from airflow_backup.core.ids import requested_dag_id
from airflow_backup.core.progress import Reporter
from airflow_backup.core.words import VerificationLevel
from airflow_backup.operators.restore import RestoreOperator
from airflow_backup.operators.retry_policy import (
    ONLY_WHAT_PASSES,
    BackupRetryPolicy,
    is_own_retry,
)
from airflow_backup.operators.shared.airflow_settings import (
    PATIENCE,
    airflow_home,
    catalog_url,
    connection,
    option,
)
from airflow_backup.operators.shared.in_force import schedule_in_force
from airflow_backup.operators.shared.outcome import keeping_outcome
from airflow_backup.operators.shared.runs import run_id_of
from airflow_backup.operators.shared.supervised import SupervisedOperator
from airflow_backup.operators.shared.telling import telling
from airflow_backup.schedules.model.placement import Placement


class RequestedRestoreOperator(RestoreOperator):
    """
    Restore what the ticket of the run says, within limits that an administrator set.

    Folders must lie below one of ``[backup] restore_roots``, and connections be among ``restore_connections``.
    """

    template_fields: Collection[str] = ()

    def execute(self, context: Context) -> dict[str, Any]:
        """Restore; the result goes to XCom, and where the page finds it."""
        return keeping_outcome(
            context, lambda: super(RequestedRestoreOperator, self).execute(context)
        )

    def wanted(self, context: Context) -> Mapping[str, Any]:
        """Use up the ticket of the run; Refused when it has none."""
        ticket = used_ticket(self, context, "restore")
        actor = f"{ticket.person}, run {ticket.run_id}"
        return {"schedule": ticket.schedule_id, "actor": actor, **ticket.request}

    def checked(self, wanted: Mapping[str, Any]) -> Target:
        """Return the target; Refused where it is not allowed."""
        target = target_of(str(wanted["target"]))
        if isinstance(target, ServerTarget):
            _check_connection(target)
            return target
        return _below_a_root(target)


class RequestedVerifyOperator(SupervisedOperator):
    """Verify the set that the ticket of the run names."""

    _cancelled = "the verification was cancelled"

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("retries", ONLY_WHAT_PASSES.max_retries)
        kwargs.setdefault("retry_delay", ONLY_WHAT_PASSES.delay)
        kwargs.setdefault("retry_policy", BackupRetryPolicy(ONLY_WHAT_PASSES))
        super().__init__(**kwargs)

    def execute(self, context: Context) -> dict[str, Any]:
        """Verify; the result goes to XCom, and where the page finds it."""
        return keeping_outcome(context, lambda: self._verify(context))

    def _verify(self, context: Context) -> dict[str, Any]:
        ticket = used_ticket(self, context, "verify")
        with (
            Catalog.open(catalog_url(), patience=PATIENCE) as catalog,
            telling(context, check=self._require_wanted) as listener,
        ):
            schedule = schedule_in_force(catalog, ticket.schedule_id)
            verifier = Verifier(
                schedule,
                catalog=catalog,
                connections=connection,
                clock=utc_now,
                reporter=Reporter(listener),
            )
            level = VerificationLevel(ticket.request["level"])
            results = verifier.verify(str(ticket.request["set_id"]), level)
        raise_what_is_bad(results, schedule.id)
        return results[0].as_dict()


def restore_roots() -> list[Path]:
    """Return the folders below which a requested restore may write."""
    configured = option("restore_roots")
    if configured is None:
        return [airflow_home() / "restores"]
    return [Path(each.strip()).expanduser() for each in configured.split(",") if each.strip()]


def used_ticket(task: BaseOperator, context: Context, verb: Verb) -> Ticket:
    """Use up the ticket of the run; Refused when it has none, or when it is for other workers."""
    with Catalog.open(catalog_url(), patience=PATIENCE) as catalog:
        run_id = run_id_of(context)
        asked = catalog.tickets.asked(run_id, verb)
        if asked is not None:
            schedule_id, request = asked
            chosen = request.get("place")
            wanted = chosen or _dag_of(verb, catalog, schedule_id)
            _check_place(task.get_dag(), verb, schedule_id, wanted)
        return catalog.tickets.use(run_id, verb, at=utc_now(), again=is_own_retry(task, context))


def _dag_of(verb: str, catalog: Catalog, schedule_id: str) -> str | None:
    """Return the DAG on the workers of the schedule; None where it is gone."""
    try:
        place = Placement.of(in_force(catalog, schedule_id).definition)
    except NotFound:
        return None  # there is nothing to do it by, as is said at once
    return requested_dag_id(verb, place.name)


def _check_place(dag: Any, verb: str, schedule_id: str, wanted: str | None) -> None:
    """
    Refuse a run on other workers than those that it was asked for, before it uses up the ticket.

    The schedule was moved meanwhile; or somebody who may start DAGs gave a run of another one the id of this run.
    """
    if dag is not None and wanted is not None and dag.dag_id != wanted:
        raise Refused(
            f"a {verb} of schedule '{schedule_id}' is a run of DAG '{wanted}', and this is one of '{dag.dag_id}'",
            hint="was the schedule moved to other workers since it was asked for? ask again",
        )


def _below_a_root(target: Path) -> Path:
    roots = restore_roots()
    path = target if target.is_absolute() else roots[0] / target
    clean = Path(os.path.realpath(path))
    for root in roots:
        if clean != (real := Path(os.path.realpath(root))) and clean.is_relative_to(real):
            clean.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return clean
    raise Refused(
        f"'{target}' does not lie below {', '.join(map(str, roots))}",
        hint="an administrator names folders in [backup] restore_roots; or use airflow-backup restore",
    )


def _check_connection(target: ServerTarget) -> None:
    allowed = {each.strip() for each in (option("restore_connections") or "").split(",")}
    if target.connection not in allowed:
        raise Refused(
            f"nothing may be restored into connection '{target.connection}'",
            hint="an administrator names connections in [backup] restore_connections",
        )
