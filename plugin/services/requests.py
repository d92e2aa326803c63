"""What a person asks to have done with a set: a ticket that only the run it is for can use, and that run."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy.orm import Session

from airflow_backup.actions.backup.in_force import in_force
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import SetRow
from airflow_backup.core.errors import Refused
from airflow_backup.core.ids import requested_dag_id
from airflow_backup.plugin.access import Access
from airflow_backup.plugin.airflow import changes as airflow_changes
from airflow_backup.plugin.schemas.requests import RestoreRequest, VerifyRequest
from airflow_backup.plugin.schemas.schedules import Started
from airflow_backup.plugin.services import places
from airflow_backup.schedules.model.placement import Placement


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
        note = f"restore {what} of {row.schedule_id} into {body.target}"
        return self._start("restore", row.schedule_id, request, note=note)

    def _start(
        self,
        verb: Literal["restore", "verify"],
        schedule_id: str,
        request: Mapping[str, Any],
        *,
        note: str,
    ) -> Started:
        place = Placement.of(in_force(self.catalog, schedule_id).definition).name
        dag, user = request.get("place") or requested_dag_id(verb, place), self.access.user
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
