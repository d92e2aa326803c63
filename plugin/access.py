"""Who may do what: Airflow's login and Airflow's permissions, asked on every request."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import BaseAuthManager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import (
    AccessView,
    DagAccessEntity,
    DagDetails,
    PoolDetails,
)
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import (
    GetUserDep,
)
from airflow.configuration import conf
from airflow.secrets.environment_variables import TEAM_SEP
from fastapi import Depends
from sqlalchemy.orm import Session

from airflow_backup.catalog.records import ScheduleVersion
from airflow_backup.core.ids import dag_id, requested_dag_id
from airflow_backup.plugin.airflow import reads as airflow_reads
from airflow_backup.plugin.schemas.schedules import Permissions
from airflow_backup.plugin.schemas.sets import SetPermissions

READ_ONLY = "your role may look at backups, but not run or change all of them"
"""Why a control of the page is off."""

RESTORE_DAG = requested_dag_id("restore", None)
"""Who may start this DAG may restore, on whichever workers."""

Method = Literal["GET", "POST", "PUT", "DELETE"]


@dataclass(frozen=True)
class Access:
    """What the user of this request may see and do."""

    user: BaseUser
    session: Session
    manager: BaseAuthManager[Any]

    def readable(
        self, schedule_ids: Iterable[str], *, existing: Collection[str] | None = None
    ) -> set[str]:
        """
        Keep the schedules whose DAG the user may read, or could read if there were one.

        ``existing`` are the DAGs that there are, of these at least, where that is known.
        """
        wanted = {dag_id(schedule): schedule for schedule in schedule_ids}
        if existing is None:
            existing = airflow_reads.existing_dags(self.session, wanted)
        allowed = self.manager.get_authorized_dag_ids(user=self.user, session=self.session)
        unborn = self.manager.filter_authorized_dag_ids(
            dag_ids=wanted.keys() - existing, user=self.user, method="GET"
        )
        return {schedule for dag, schedule in wanted.items() if dag in allowed or dag in unborn}

    def has_just_made(
        self, saved: ScheduleVersion | None, *, existing: Collection[str] | None = None
    ) -> bool:
        """
        Whether the user saved a schedule that has no DAG yet.

        Somebody who may read some DAGs only gets no answer about one that is not there, and must still see what
        they saved a second ago; once there is a DAG, Airflow's rules for it count. ``existing`` is as for ``readable``.
        """
        if saved is None or saved.author != self.user.get_name():
            return False
        if existing is None:
            existing = airflow_reads.existing_dags(self.session, [dag_id(saved.id)])
        return dag_id(saved.id) not in existing

    def permissions(self, schedule_ids: Iterable[str]) -> dict[str, Permissions]:
        """Say what the user may do with each schedule."""
        wanted = {dag_id(schedule): schedule for schedule in schedule_ids}
        teams = airflow_reads.teams(self.session, wanted)
        edit = self.may_edit()
        return {
            schedule: self._permissions(DagDetails(id=dag, team_name=teams.get(dag)), edit=edit)
            for dag, schedule in wanted.items()
        }

    def may_edit(self, method: Method = "PUT") -> bool:
        """
        Whether the user may make and change schedules.

        A schedule names paths, connections and programs, so it takes what a connection takes.
        """
        return self.manager.is_authorized_connection(method=method, user=self.user)

    def may_name_files(self) -> bool:
        """Whether the user may restore, and so see what is in a set: names of files may be secret, too."""
        return self.may_restore() and self.may_edit("POST")

    def may_change(
        self, schedule_id: str, saved: ScheduleVersion | None, method: Method = "PUT"
    ) -> bool:
        """
        Whether the user may change, or delete, this schedule: what a connection takes, and what its DAG takes.

        Else whoever may only look at a DAG could disable its schedule, or let its sets be pruned. ``saved`` is the
        version made here, for one that the user has just made and that has no DAG yet.
        """
        if not self.may_edit(method):
            return False
        dag = dag_id(schedule_id)
        details = DagDetails(id=dag, team_name=airflow_reads.teams(self.session, [dag]).get(dag))
        may_dag = self.manager.is_authorized_dag(method=method, details=details, user=self.user)
        return may_dag or self.has_just_made(saved)

    def may_read_connections(self) -> bool:
        """Whether the user may read connections at all."""
        return self.manager.is_authorized_connection(method="GET", user=self.user)

    def readable_connections(self, ids: Iterable[str], *, stored: Collection[str]) -> set[str]:
        """Keep the connections that the user may read; those in Airflow's table may belong to a team."""
        wanted = set(ids)
        allowed = self.manager.get_authorized_connections(user=self.user, session=self.session)
        others = wanted - set(stored)
        if conf.getboolean("core", "multi_team", fallback=False):
            # AIRFLOW_CONN__<TEAM>___<ID> is a connection of that team alone, and of this id there is none.
            others = {each for each in others if TEAM_SEP not in each}
        free = self.manager.filter_authorized_connections(conn_ids=others, user=self.user)
        return wanted & (allowed | free)

    def _permissions(self, details: DagDetails, *, edit: bool) -> Permissions:
        may = self.manager.is_authorized_dag
        run = DagAccessEntity.RUN
        toggle = may(method="PUT", details=details, user=self.user)
        start = may(method="POST", access_entity=run, details=details, user=self.user)
        cancel = may(method="PUT", access_entity=run, details=details, user=self.user)
        complete = toggle and start and cancel
        return Permissions(
            toggle=toggle,
            run=start,
            cancel=cancel,
            edit=edit and toggle,
            reason=None if complete else READ_ONLY,
        )

    def may_restore(self, dag: str = RESTORE_DAG) -> bool:
        """Whether the user may start a DAG that restores: that of the default workers, or of others."""
        return self.manager.is_authorized_dag(
            method="POST",
            access_entity=DagAccessEntity.RUN,
            details=DagDetails(id=dag),
            user=self.user,
        )

    def set_permissions(self, schedule_id: str) -> SetPermissions:
        """Say what the user may do with the sets of a schedule."""
        may = self.permissions([schedule_id])[schedule_id]
        return SetPermissions(
            verify=may.run,
            pin=may.edit,
            lock=may.edit and self.may_delete(schedule_id),
            restore=self.may_name_files(),
        )

    def may_maintain(self) -> bool:
        """Whether the user may stop everything: edit every DAG, and the pool in which backups run."""
        pool = PoolDetails(name=airflow_reads.POOL)
        return self.manager.is_authorized_dag(method="PUT", user=self.user) and (
            self.manager.is_authorized_pool(method="PUT", details=pool, user=self.user)
        )

    def may_delete(self, schedule_id: str) -> bool:
        """Whether the user may delete a schedule for good: what a DAG and a connection take."""
        details = DagDetails(id=dag_id(schedule_id))
        may_dag = self.manager.is_authorized_dag(method="DELETE", details=details, user=self.user)
        return may_dag and self.may_edit("DELETE")

    def sees_load_errors(self) -> bool:
        """Whether the user may read problems of files that belong to no schedule."""
        return self.manager.is_authorized_view(access_view=AccessView.IMPORT_ERRORS, user=self.user)


def _access(user: GetUserDep, session: SessionDep) -> Access:
    return Access(user=user, session=session, manager=get_auth_manager())


AccessDep = Annotated[Access, Depends(_access)]
