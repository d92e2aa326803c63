"""What a route asks for before it begins: a permission of Airflow's, and a row in its audit log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.api_fastapi.logging.decorators import action_logging
from fastapi import Depends, Header, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from airflow_backup.core.errors import ConfigError
from airflow_backup.core.ids import dag_id, schedule_id_of
from airflow_backup.plugin.access import RESTORE_DAG, AccessDep, Method
from airflow_backup.plugin.services import queries
from airflow_backup.plugin.services.catalog_access import CatalogDep
from airflow_backup.plugin.views.secrets import mask


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


_LOGGED = ("dag_id", "task_id", "run_id", "dag_run_id")
"""What Airflow's audit log takes from a request into columns of their own, whether a route knows it or not."""

_LONGEST = 250
"""Letters that such a column holds."""


async def _check_names(request: Request) -> None:
    """
    Let nobody write into the audit log what is not meant: another DAG, task, run or set than that of the address.

    Airflow's log takes names from query and body, above those of the path, and before anything was validated: a row
    would accuse what was never touched, and what is no text, or no moment, would break the answer. And it knows a
    secret by its name only: an address with a password would stand there, and in the note of a run.
    """
    if request.query_params:
        raise ConfigError(
            "a change takes no parameters after a '?'", hint="path and body say what is meant"
        )
    body = await request.json() if await request.body() else None
    known = {*_LOGGED, *request.path_params}
    wrong = [name for name in body if name in known] if isinstance(body, Mapping) else []
    if wrong:
        raise ConfigError(f"the body names {wrong[0]}", hint="the address says what is meant")
    if _has_password(body):
        raise ConfigError(
            "the body holds an address with a password, and all may read what it says",
            hint="leave the password out; is it in an Airflow connection?",
        )
    _check_body(request, body)
    named = [str(request.path_params.get(name, "")) for name in _LOGGED]
    if any(len(each) > _LONGEST or "\0" in each for each in named):
        raise HTTPException(404)


def _check_body(request: Request, body: Any) -> None:
    # The row is written before the route looks at the body: what it does not know, nobody can mask.
    field = request.scope["route"].body_field
    if field is None and body:
        raise ConfigError("this takes no body", hint="the address says all")
    if field is None or body is None:
        return
    _, errors = field.validate(body, loc=("body",))
    if errors:
        raise RequestValidationError(errors, body=body)


def _has_password(value: Any) -> bool:
    if isinstance(value, str):
        return mask(value) != value
    items = value.values() if isinstance(value, Mapping) else value
    return isinstance(value, Mapping | list) and any(map(_has_password, items))


def logged(event: str) -> list[Any]:
    """Write a row in Airflow's audit log."""
    return [Depends(_check_names), Depends(action_logging(event))]


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
    return [Depends(_name_the_dag_of_the_set), Depends(check), *logged("backup_verify")]


def may_restore() -> list[Any]:
    """Ask for the right to start the DAG that restores, and for that to edit; write the audit log."""

    def check(request: Request, access: AccessDep) -> None:
        request.scope["path_params"]["dag_id"] = RESTORE_DAG
        if not access.may_name_files():
            raise HTTPException(403)

    return [Depends(check), *logged("backup_restore")]


def may_look_into() -> list[Any]:
    """Ask for the right to restore: names of files may be secret, too; write the audit log."""

    def check(access: AccessDep) -> None:
        if not access.may_name_files():
            raise HTTPException(403)

    return [Depends(_name_the_dag_of_the_set), Depends(check), *logged("backup_look_into")]


def may_pin() -> list[Any]:
    """Ask for the right to edit the set's DAG, and schedules; write the audit log."""

    def check(access: AccessDep) -> None:
        if not access.may_edit("PUT"):
            raise HTTPException(403)

    return [
        Depends(_name_the_dag_of_the_set),
        Depends(check),
        Depends(requires_access_dag("PUT")),
        *logged("backup_pin"),
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

    return [Depends(check), *logged("backup_maintenance")]


def may_test_messages() -> list[Any]:
    """Ask for the right to make connections, for a test uses one; write the audit log."""

    def check(access: AccessDep) -> None:
        if not access.may_edit("POST"):
            raise HTTPException(403)

    return [Depends(check), *logged("backup_test_message")]


def may_read_connections() -> list[Any]:
    """Ask for the right to read connections."""

    def check(access: AccessDep) -> None:
        if not access.may_read_connections():
            raise HTTPException(403)

    return [Depends(check)]


def may_edit(method: Method) -> list[Any]:
    """Ask for the right to make schedules; the edit itself writes the audit log."""

    def check(access: AccessDep) -> None:
        if not access.may_edit(method):
            raise HTTPException(403)

    return [Depends(check)]


def may_change(method: Method) -> list[Any]:
    """Ask for the right to change or delete the schedule of the address, and its DAG; the edit writes the audit log."""

    def check(request: Request, access: AccessDep, catalog: CatalogDep) -> None:
        if not access.may_edit(method):
            raise HTTPException(403)
        row = queries.one(catalog, access, request.path_params["schedule_id"])
        if not access.may_change(row.id, row.made, method):
            raise HTTPException(403)

    return [Depends(check)]


def _asks(check: Callable[..., None], event: str) -> list[Any]:
    return [Depends(_name_the_dag), Depends(check), *logged(event)]
