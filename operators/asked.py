"""
Looks that a person asked for through the API: what is in a set, and what a run would do.

Both need what only a worker has: the source, the programs, the way to the repository. The run writes what it found
into its ticket, where only the person who asked may read it: Airflow shows a task's result to everybody who may
look at its DAG.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context

from airflow_backup.actions.backup.dry_run import dry_run
from airflow_backup.actions.backup.in_force import in_force
from airflow_backup.actions.restore.contents import (
    Contents,
    Listed,
    contents,
    everything,
    in_folder,
)
from airflow_backup.actions.sets.encryption import secret_keys
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import Ticket
from airflow_backup.core.clock import utc_now
from airflow_backup.core.errors import BackupError, ConfigError
from airflow_backup.core.text.texts import storable
from airflow_backup.core.words import Kind
from airflow_backup.operators.requested import used_ticket
from airflow_backup.operators.shared.airflow_settings import (
    PATIENCE,
    allowed_commands,
    catalog_url,
    connection,
)
from airflow_backup.operators.shared.fence import check_placement, roots_for
from airflow_backup.operators.shared.supervised import SupervisedOperator
from airflow_backup.operators.shared.worker import worker_of
from airflow_backup.schedules.loading.dependencies import Elsewhere
from airflow_backup.schedules.loading.loader import check_definition
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.storage.open import open_storage

MOST = 1000
"""Entries of a folder, or of what was found, that an answer has; it says how many there are."""

MOST_BYTES = 1 << 20
"""Room for their paths."""


class AskedOperator(SupervisedOperator):
    """Answer what the ticket of the run asks; whatever becomes of it is the answer."""

    _cancelled = "the look was cancelled"

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("retries", 0)  # a person waits, and can ask again
        super().__init__(**kwargs)

    def execute(self, context: Context) -> None:
        """Look, and write down what was found; nothing goes to XCom."""
        ticket = used_ticket(self, context, "ask")
        with Catalog.open(catalog_url(), patience=PATIENCE) as catalog:
            try:
                found = {"found": self._look(ticket, catalog, context)}
            except BackupError as error:
                found = {"problem": {"message": error.message, "hint": error.hint}}
            except Exception as error:
                # Its words may hold what is in the source; the log is for fewer eyes.
                what = f"the look failed with a {type(error).__name__}"
                fault = {"message": what, "hint": "the log of the task says more"}
                catalog.tickets.answer(ticket.run_id, {"problem": fault})
                raise
            catalog.tickets.answer(ticket.run_id, found)

    def _look(self, ticket: Ticket, catalog: Catalog, context: Context) -> dict[str, Any]:
        if ticket.request["what"] == "contents":
            return _contents(ticket, catalog)
        schedule, fenced = _asked_about(ticket, catalog)
        kind = ticket.request.get("kind")
        if fenced:
            check_placement(schedule)
        return dry_run(
            schedule,
            catalog=catalog,
            connections=connection,
            clock=utc_now,
            kind=None if kind is None else Kind(kind),
            allowed_commands=allowed_commands(),
            source_roots=roots_for(schedule, fenced=fenced),
            worker=worker_of(context, executor=self.executor),
        ).as_dict()


def _asked_about(ticket: Ticket, catalog: Catalog) -> tuple[Schedule, bool]:
    """Return the schedule, as it was sent or as it is in force, and whether it is fenced in."""
    given = ticket.request.get("definition")
    if given is None:
        found = in_force(catalog, ticket.schedule_id)
        return found.schedule, found.fenced
    loaded = check_definition(given, elsewhere=Elsewhere(given.get("after") or ()))
    if len(loaded.schedules) != 1 or loaded.problems:
        raise ConfigError("; ".join(str(problem) for problem in loaded.problems) or "no schedule")
    return loaded.schedules[0].schedule, True  # nobody deployed it: it may name what the page may


def _contents(ticket: Ticket, catalog: Catalog) -> dict[str, Any]:
    found = in_force(catalog, ticket.schedule_id)
    schedule = found.schedule
    roots_for(schedule, fenced=found.fenced)
    request = ticket.request
    name = request.get("find")
    return _as_dict(
        contents(
            open_storage(schedule.repository, connection, connection=schedule.connection),
            Trust.of(schedule),
            in_folder(request.get("folder") or "") if name is None else everything(name),
            set_id=request["set_id"],
            keys=secret_keys(schedule.encryption, connection),
            catalog=catalog,
            connections=connection,
            source=schedule.source,
            limit=MOST,
        )
    )


def _as_dict(found: Contents) -> dict[str, Any]:
    entries, room = [], MOST_BYTES
    for each in map(_entry, found.entries):
        room -= 4 * len(each["path"])
        if room < 0:
            break
        entries.append(each)
    return {
        "set_id": found.set_id,
        "consistent_at": found.consistent_at.isoformat(),
        "total": found.total,
        "entries": entries,
    }


def _entry(entry: Listed) -> dict[str, Any]:
    # A name that is not UTF-8 can be shown, and not be sent back as it is.
    is_exact = bool(entry.path == storable(entry.path)) and "\ufffd" not in entry.path
    restorable = is_exact and entry.kind in ("file", "folder", "link", "other")
    return {**entry.as_dict(), "restorable": restorable}
