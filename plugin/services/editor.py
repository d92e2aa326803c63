"""Carries out a change of a schedule that was made here: checked, saved, on the audit log, on its way to a DAG."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import ScheduleVersion
from airflow_backup.core.errors import Refused
from airflow_backup.core.ids import dag_id
from airflow_backup.plugin.access import Access
from airflow_backup.plugin.airflow import changes as airflow_changes
from airflow_backup.plugin.airflow import reads as airflow_reads
from airflow_backup.plugin.errors import InvalidDefinition
from airflow_backup.plugin.services import edits, queries
from airflow_backup.plugin.views.rows import row_of
from airflow_backup.schedules.loading.dependencies import Elsewhere


@dataclass(frozen=True)
class Editor:
    """The changes that one request makes, in the name of its user."""

    catalog: Catalog
    session: Session
    access: Access
    now: datetime

    def create(self, definition: Mapping[str, Any]) -> str:
        """Make a schedule and return its id."""
        checked = edits.checked(definition, elsewhere=self._elsewhere())
        schedule_id: str = checked["id"]
        newest = self.catalog.schedules.newest(schedule_id)
        visible = bool(self.access.readable([schedule_id]))
        deployed = self.catalog.deployed.get(schedule_id)
        edits.free_id(row_of(deployed, newest), schedule_id, visible=visible)
        edits.free_id(row_of(None, newest), schedule_id, visible=visible)
        dag = airflow_reads.dags(self.session, [dag_id(schedule_id)]).get(dag_id(schedule_id))
        if newest is None and deployed is None and dag is not None and not dag.stale:
            edits.refuse_foreign(schedule_id, visible=visible)
        self._save(checked, before=newest)
        enabled = bool(checked.get("enabled", True))
        airflow_changes.revive(self.session, dag_id(schedule_id), paused=not enabled)
        return schedule_id

    def replace(self, schedule_id: str, definition: Mapping[str, Any], match: str | None) -> str:
        """Give a schedule another definition."""
        before = self._current(schedule_id, match)
        given = {"id": schedule_id} | dict(definition)
        if given["id"] != schedule_id:
            raise InvalidDefinition(
                [
                    {
                        "field": "id",
                        "message": f"the id of a schedule stays {schedule_id!r}",
                        "hint": "clone the schedule under the other id, and delete this one",
                    }
                ]
            )
        whole = edits.with_passwords(given, before.definition)
        self._save(edits.checked(whole, elsewhere=self._elsewhere()), before=before)
        return schedule_id

    def patch(self, schedule_id: str, patch: Mapping[str, Any], match: str | None) -> str:
        """Change some keys of a schedule."""
        before = self._current(schedule_id, match)
        return self.replace(
            schedule_id, edits.merge_patch(before.definition, patch), edits.etag(before)
        )

    def delete(self, schedule_id: str, match: str | None) -> int:
        """End a schedule, and return the version that ended it."""
        before = self._current(schedule_id, match)
        busy = airflow_reads.active_runs(self.session, [dag_id(schedule_id)])
        if busy:
            raise Refused(
                f"a run of this schedule is {busy[0].state}: {busy[0].run_id!r}",
                hint="wait until it has finished, or cancel it",
            )
        self._check_nobody_follows(schedule_id)
        saved = self._save(before.definition, before=before, deleted=True)
        airflow_changes.retire(self.session, dag_id(schedule_id))
        return saved.version

    def _check_nobody_follows(self, schedule_id: str) -> None:
        """Refuse to end what others wait for: they would never run again, and nobody would say so."""
        follows = queries.all_rows(self.catalog).follows
        followers = sorted(name for name, after in follows.items() if schedule_id in after)
        if followers:
            readable = self.access.readable(followers)
            named = [name for name in followers if name in readable]
            raise Refused(
                f"{', '.join(map(repr, named)) or 'another schedule'} would wait for it in vain",
                hint="give what runs after it other times first, or disable this one instead",
            )

    def clone(self, schedule_id: str, copy_id: str) -> str:
        """Copy a schedule under another id, disabled."""
        row = queries.one(self.catalog, self.access, schedule_id)
        return self.create({**row.definition, "id": copy_id, "enabled": False})

    def _current(self, schedule_id: str, match: str | None) -> ScheduleVersion:
        row = queries.one(self.catalog, self.access, schedule_id)
        saved = edits.editable(row)
        edits.check_match(match, saved)
        return saved

    def _elsewhere(self) -> Elsewhere:
        """Return what may be named: a schedule that the user may not read does not exist for them."""
        return queries.elsewhere(self.catalog, queries.visible(self.catalog, self.access))

    def _save(
        self,
        definition: Mapping[str, Any],
        *,
        before: ScheduleVersion | None,
        deleted: bool = False,
    ) -> ScheduleVersion:
        user = self.access.user
        saved = edits.save(
            self.catalog,
            str(definition["id"]),
            definition,
            author=user.get_name(),
            at=self.now,
            before=before,
            deleted=deleted,
        )
        airflow_changes.note(
            self.session,
            f"backup_schedule_{edits.verb(before, deleted=deleted)}",
            dag_id=dag_id(saved.id),
            user_id=str(user.get_id()),
            user_name=user.get_name(),
            detail=edits.summary_of(before, saved),
        )
        airflow_changes.request_parse(self.session)
        return saved
