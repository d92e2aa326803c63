"""What a route asks for before it begins: a permission of Airflow's, and a row in its audit log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.api_fastapi.logging.decorators import action_logging
from fastapi import Depends, Header, Request
from starlette.exceptions import HTTPException

from airflow_backup.core.ids import dag_id, schedule_id_of
from airflow_backup.plugin.access import RESTORE_DAG, AccessDep, Method
from airflow_backup.plugin.services.catalog_access import CatalogDep


def _asked_by_page(
    client: Annotated[
        str | None, Header(alias="X-Backup-Client", description="`page`: the page itself")
    ] = None,
) -> bool:
    return client == "page"


FromPage = Annotated[bool, Depends(_asked_by_page)]
"""Whether the page asks, and not a program: Airflow shows it with the run."""


def _name_the_dag(request: Request) -> None:
    # Airflow's permission check and audit log look for the DAG among the parameters of the path;
    # with it the audit row stands on the DAG's own page.
    parameters = request.scope["path_params"]
    if "schedule_id" in parameters:
        parameters["dag_id"] = dag_id(parameters["schedule_id"])
    elif schedule_id_of(parameters.get("dag_id", "")) is None:
        raise HTTPException(404)


def may_toggle() -> list[Any]:
    """Ask for the right to edit the DAG; write the audit log."""
    return _asks(requires_access_dag("PUT"), "backup_toggle")


def may_run() -> list[Any]:
    """Ask for the right to start runs of the DAG; write the audit log."""
    return _asks(requires_access_dag("POST", DagAccessEntity.RUN), "backup_run_now")


def may_cancel() -> list[Any]:
    """Ask for the right to change runs of the DAG; write the audit log."""
    return _asks(requires_access_dag("PUT", DagAccessEntity.RUN), "backup_cancel")


def may_hold() -> list[Any]:
    """Ask for the right to edit the DAG; write the audit log."""
    return _asks(requires_access_dag("PUT"), "backup_hold")


def may_control() -> list[Any]:
    """Ask for the right to change runs of the DAG; write the audit log."""
    return _asks(requires_access_dag("PUT", DagAccessEntity.RUN), "backup_control")


def may_verify() -> list[Any]:
    """Ask for the right to start runs of the set's schedule; write the audit log."""
    check = requires_access_dag("POST", DagAccessEntity.RUN)
    return [
        Depends(_name_the_dag_of_the_set),
        Depends(check),
        Depends(action_logging("backup_verify")),
    ]


def may_restore() -> list[Any]:
    """Ask for the right to start the DAG that restores, and for that to edit; write the audit log."""

    def check(request: Request, access: AccessDep) -> None:
        request.scope["path_params"]["dag_id"] = RESTORE_DAG
        if not (access.may_restore() and access.may_edit("POST")):
            raise HTTPException(403)

    return [Depends(check), Depends(action_logging("backup_restore"))]


def may_pin() -> list[Any]:
    """Ask for the right to edit the set's DAG, and schedules; write the audit log."""

    def check(access: AccessDep) -> None:
        if not access.may_edit("PUT"):
            raise HTTPException(403)

    return [
        Depends(_name_the_dag_of_the_set),
        Depends(check),
        Depends(requires_access_dag("PUT")),
        Depends(action_logging("backup_pin")),
    ]


def _name_the_dag_of_the_set(request: Request, catalog: CatalogDep) -> None:
    parameters = request.scope["path_params"]
    row = catalog.sets.get(parameters["set_id"])
    if row is not None:  # else there is no DAG that anybody may start, and the route says so
        parameters["dag_id"] = dag_id(row.schedule_id)


def may_maintain() -> list[Any]:
    """Ask for the right to stop everything; write the audit log."""

    def check(access: AccessDep) -> None:
        if not access.may_maintain():
            raise HTTPException(403)

    return [Depends(check), Depends(action_logging("backup_maintenance"))]


def may_test_messages() -> list[Any]:
    """Ask for the right to make connections, for a test uses one; write the audit log."""

    def check(access: AccessDep) -> None:
        if not access.may_edit("POST"):
            raise HTTPException(403)

    return [Depends(check), Depends(action_logging("backup_test_message"))]


def may_read_connections() -> list[Any]:
    """Ask for the right to read connections."""

    def check(access: AccessDep) -> None:
        if not access.may_read_connections():
            raise HTTPException(403)

    return [Depends(check)]


def may_edit(method: Method) -> list[Any]:
    """Ask for the right to make or change schedules; the edit itself writes the audit log."""

    def check(access: AccessDep) -> None:
        if not access.may_edit(method):
            raise HTTPException(403)

    return [Depends(check)]


def _asks(check: Callable[..., None], event: str) -> list[Any]:
    return [Depends(_name_the_dag), Depends(check), Depends(action_logging(event))]
