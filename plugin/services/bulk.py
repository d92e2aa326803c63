"""The same verb on many schedules, with a result for each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import BackupError, Refused
from airflow_backup.plugin.access import Access
from airflow_backup.plugin.schemas.edits import BulkResult, BulkResults
from airflow_backup.plugin.schemas.requests import BulkRequest, RunRequest
from airflow_backup.plugin.schemas.schedules import Permissions
from airflow_backup.plugin.services import verbs
from airflow_backup.plugin.views.rows import Row


def choose(rows: Iterable[Row], body: BulkRequest) -> list[Row]:
    """Keep the schedules that are meant."""
    if body.ids is not None:
        wanted = set(body.ids)
        return [row for row in rows if row.id in wanted]
    if body.group is not None:
        return [row for row in rows if row.definition.get("group") == body.group]
    return [row for row in rows if body.tag in row.definition.get("tags", ())]


def allowed(action: str, may: Permissions) -> bool:
    """Whether the user may do it to a schedule."""
    return may.run if action == "run" else may.toggle


def summed(results: Sequence[BulkResult]) -> BulkResults:
    """Count what became of all."""
    done = sum(result.done for result in results)
    return BulkResults(done=done, refused=len(results) - done, results=list(results))


@dataclass(frozen=True)
class Bulk:
    """One verb, and in whose name."""

    catalog: Catalog
    session: Session
    access: Access
    body: BulkRequest
    now: datetime
    from_page: bool

    def act(self, row: Row, may: Permissions) -> BulkResult:
        """Do it to one schedule, and say what became of it."""
        try:
            if not allowed(self.body.action, may):
                raise Refused("your role does not allow this", hint=may.reason)
            self._act(row)
        except BackupError as error:
            return BulkResult(schedule_id=row.id, done=False, detail=error.message, hint=error.hint)
        return BulkResult(schedule_id=row.id, done=True)

    def _act(self, row: Row) -> None:
        body, by = self.body, self.access.user.get_name()
        if body.action == "run":
            verbs.run(
                self.catalog,
                self.session,
                self.access,
                row,
                RunRequest(),
                now=self.now,
                from_page=self.from_page,
            )
        elif body.action == "skip_next":
            verbs.skip_next(self.catalog, row, by=by, reason=body.reason, now=self.now)
        elif body.until is not None:
            verbs.pause(
                self.catalog, row, until=body.until, by=by, reason=body.reason, now=self.now
            )
        else:
            enabled = body.action == "enable"
            verbs.switch(self.catalog, self.session, row, enabled=enabled, by=by, now=self.now)
