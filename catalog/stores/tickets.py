"""
Tickets: what a person may have done once.

A run that restores or verifies does what its ticket says, not what the run's own parameters say: whoever may
start a DAG in Airflow may write those. The API writes a ticket for a person whom it has asked for the right, under
an id of the run that nobody can guess, and the run uses it up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from airflow_backup.catalog.database import Database
from airflow_backup.catalog.records import Ticket, Verb
from airflow_backup.catalog.tables import tickets
from airflow_backup.core.errors import Refused
from airflow_backup.core.text.texts import storable

VALID_FOR = timedelta(days=1)
"""A run may have to wait for a free place; after this it must be asked for again."""

_ASK = "ask for it on the page Backups, or with POST /backup/api/v1/sets/SET/{verb}; or use airflow-backup {verb}"
_ASK_AGAIN = (
    "ask again on the page Backups; or use airflow-backup contents, or airflow-backup run --dry-run"
)


class Tickets:
    """The tickets of all runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def issue(
        self,
        run_id: str,
        verb: Verb,
        schedule_id: str,
        request: Mapping[str, Any],
        *,
        person: str,
        at: datetime,
    ) -> None:
        """Write the ticket of a run that is about to be started; old questions are dropped with their answers."""
        with self._database.writing() as connection:
            connection.execute(
                tickets.delete().where(tickets.c.verb == "ask", tickets.c.expires_at < at)
            )
            connection.execute(
                tickets.insert().values(
                    run_id=run_id,
                    verb=verb,
                    schedule_id=schedule_id,
                    request=json.dumps(request, sort_keys=True),
                    person=person,
                    issued_at=at,
                    expires_at=at + VALID_FOR,
                )
            )

    def asked(self, run_id: str, verb: Verb) -> tuple[str, Mapping[str, Any]] | None:
        """Return whose sets the ticket of a run is for, and what was asked, without using it up; None without one."""
        mine = (tickets.c.run_id == run_id, tickets.c.verb == verb)
        with self._database.reading() as connection:
            row = connection.execute(select(tickets).where(*mine)).mappings().one_or_none()
        return None if row is None else (row["schedule_id"], json.loads(row["request"]))

    def of(self, schedule_id: str, *, limit: int) -> list[Ticket]:
        """List what was to be done last with the sets of a schedule, the newest first; nothing is used up."""
        query = (
            select(tickets)
            .where(tickets.c.schedule_id == schedule_id, tickets.c.verb != "ask")
            .order_by(tickets.c.issued_at.desc(), tickets.c.run_id)
            .limit(limit)
        )
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return [_ticket(dict(row)) for row in rows]

    def use(
        self,
        run_id: str,
        verb: Verb,
        *,
        at: datetime,
        again: bool = False,
    ) -> Ticket:
        """
        Use up the ticket of a run; Refused when there is none, it is used already, or it has expired.

        Of two that come at once, one gets it. ``again``: the attempt that used it failed, and is tried again.
        """
        hint = _ASK_AGAIN if verb == "ask" else _ASK.format(verb=verb)
        what = "look" if verb == "ask" else verb
        with self._database.writing() as connection:
            row = (
                connection.execute(
                    select(tickets).where(tickets.c.run_id == run_id, tickets.c.verb == verb)
                )
                .mappings()
                .one_or_none()
            )
            if row is None:
                raise Refused(
                    f"nobody was allowed to start this {what}: it has no ticket", hint=hint
                )
            if row["used_at"] is not None and not again:
                raise Refused(
                    f"this {what} was carried out already, at {row['used_at']:%Y-%m-%d %H:%M:%S} UTC",
                    hint=hint,
                )
            if at > row["expires_at"]:
                raise Refused(
                    f"this {what} was asked for at {row['issued_at']:%Y-%m-%d %H:%M:%S} UTC, too long ago",
                    hint=hint,
                )
            connection.execute(
                tickets.update().where(tickets.c.run_id == run_id).values(used_at=at)
            )
        return _ticket({**row, "used_at": at})

    def answer(self, run_id: str, found: Mapping[str, Any]) -> None:
        """Write down what a run found out; it is kept for as long as its ticket is valid."""
        text = json.dumps(storable(found), sort_keys=True)
        with self._database.writing() as connection:
            mine = (tickets.c.run_id == run_id, tickets.c.verb == "ask")
            connection.execute(tickets.update().where(*mine).values(answer=text))

    def asked_by(self, person: str, run_id: str, *, now: datetime) -> Ticket | None:
        """Return what a person asked, with the answer where there is one; None after a day, and for others."""
        mine = (
            tickets.c.run_id == run_id,
            tickets.c.verb == "ask",
            tickets.c.person == person,
            tickets.c.expires_at >= now,
        )
        with self._database.reading() as connection:
            row = connection.execute(select(tickets).where(*mine)).mappings().one_or_none()
        return None if row is None else _ticket(dict(row))


def _ticket(row: Mapping[str, Any]) -> Ticket:
    answer = row["answer"]
    told = None if answer is None else json.loads(answer)
    return Ticket(**{**row, "request": json.loads(row["request"]), "answer": told})
