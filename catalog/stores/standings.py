"""What protection is judged by, of many schedules at once: a handful of queries, whatever their number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select, true

from airflow_backup.catalog.database import Database
from airflow_backup.catalog.records import LostSet, SetRow, Verification
from airflow_backup.catalog.rules.known import KnownSets
from airflow_backup.catalog.stores.newest_sets import newest_good_sets
from airflow_backup.catalog.stores.probe import given_ids, newest
from airflow_backup.catalog.stores.sets import set_of
from airflow_backup.catalog.stores.verifications import verification_of
from airflow_backup.catalog.tables import executions, first_seen, lost_sets, sets, verifications
from airflow_backup.core.words import (
    ExecutionStatus,
    Kind,
    VerificationLevel,
    VerificationOutcome,
)

_CONCLUSIVE = (VerificationOutcome.PASSED, VerificationOutcome.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the catalog knows of one schedule's safety."""

    first_seen: datetime | None = None
    """None for a schedule that was never deployed and never ran."""

    sets: KnownSets
    last_passed: Verification | None = None
    """Not read where the newest good set has passed, for nobody asks for it then."""

    last_restore_test: Verification | None = None
    usual_duration: timedelta = timedelta(0)
    """How long the last run that completed took; nothing where none did."""

    failures_in_row: int = 0
    last_error: str | None = None


class Standings:
    """What sets, executions and verifications say of the protection of all schedules."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, schedule_ids: Iterable[str], *, now: datetime) -> dict[str, Standing]:
        """Return how each of these schedules stands."""
        ids = list(dict.fromkeys(schedule_ids))
        if not ids:
            return {}
        with self._database.reading() as connection:
            queries = self._queries(connection, ids)
            seen, known = queries.first_seen(), queries.known_sets(now)
            unproven = [each for each in ids if not _is_proven(known[each])]
            passed = self._queries(connection, unproven).verification(
                outcome=(VerificationOutcome.PASSED,)
            )
            tested = queries.verification(outcome=_CONCLUSIVE, level=VerificationLevel.RESTORE_TEST)
            durations = queries.durations()
            failures = queries.failures_in_row()
            errors = self._queries(connection, list(failures)).errors()
        return {
            each: Standing(
                first_seen=seen.get(each),
                sets=known[each],
                last_passed=passed.get(each),
                last_restore_test=tested.get(each),
                usual_duration=durations.get(each, timedelta(0)),
                failures_in_row=failures.get(each, 0),
                last_error=errors[each] if each in failures else None,
            )
            for each in ids
        }

    def first_seen(self, schedule_ids: Iterable[str]) -> Mapping[str, datetime]:
        """Return when each of these schedules was seen first; unknown ones are missing from the answer."""
        ids = list(dict.fromkeys(schedule_ids))
        if not ids:
            return {}
        with self._database.reading() as connection:
            return self._queries(connection, ids).first_seen()

    def _queries(self, connection: Connection, ids: list[str]) -> _Queries:
        return _Queries(connection, ids, is_sqlite=self._database.is_sqlite)

    def note_seen(self, schedule_ids: Iterable[str], *, at: datetime) -> None:
        """Remember when schedules were seen first; those that are known stay as they are."""
        ids = list(dict.fromkeys(schedule_ids))
        with self._database.reading() as connection:
            known = set(connection.scalars(select(first_seen.c.schedule_id)))
        new = [{"schedule_id": each, "at": at} for each in ids if each not in known]
        if new:
            with self._database.writing(alone="deployed") as connection:
                known = set(connection.scalars(select(first_seen.c.schedule_id)))
                new = [each for each in new if each["schedule_id"] not in known]
                if new:
                    connection.execute(first_seen.insert(), new)


def _is_proven(known: KnownSets) -> bool:
    good = known.good
    return good is not None and good.verified_outcome is VerificationOutcome.PASSED


class _Queries:
    """The queries of one look, in one transaction."""

    def __init__(self, connection: Connection, ids: list[str], *, is_sqlite: bool) -> None:
        self._connection, self._ids, self._is_sqlite = connection, ids, is_sqlite

    def _wanted(self) -> Any:
        return given_ids(self._ids, is_sqlite=self._is_sqlite)

    def _newest(self, table: Any, key: str, order: str, condition: Any) -> Any:
        return newest(
            table,
            key=key,
            order=order,
            ids=self._ids,
            is_sqlite=self._is_sqlite,
            condition=condition,
        )

    def first_seen(self) -> Mapping[str, datetime]:
        wanted = self._wanted()
        query = select(first_seen).join(wanted, wanted.c.id == first_seen.c.schedule_id)
        return {row.schedule_id: row.at for row in self._connection.execute(query)}

    def known_sets(self, now: datetime) -> Mapping[str, KnownSets]:
        """Sum up the sets of each; most schedules have nothing but sound ones, and only their newest is read."""
        lost, newest = self._lost(), self._newest_good()
        unsound = self._unsound()
        unsound |= {each for each, row in newest.items() if row.consistent_at > now}
        rows = self._since_base(sorted(unsound), now)
        return {
            each: KnownSets.of(rows.get(each, ()), lost.get(each, ()), now=now)
            if each in unsound
            else KnownSets.of_sound(newest.get(each), lost.get(each, ()))
            for each in self._ids
        }

    def _newest_good(self) -> Mapping[str, SetRow]:
        if self._is_sqlite:
            found = newest_good_sets(self._connection, self._ids)
        else:
            query = self._newest(
                sets, "set_id", "consistent_at", lambda table: table.c.state == "good"
            )
            found = [set_of(row) for row in self._connection.execute(query).mappings()]
        return {row.schedule_id: row for row in found}

    def _unsound(self) -> set[str]:
        """Return the schedules with a set that cannot be taken for good at one look: recovery chains tell of those."""
        wanted, parent = self._wanted(), sets.alias("parent")
        query = (
            select(sets.c.schedule_id)
            .select_from(wanted.join(sets, sets.c.schedule_id == wanted.c.id))
            .outerjoin(parent, and_(parent.c.set_id == sets.c.parent, parent.c.state == "good"))
            .where(
                sets.c.state != "deleting",
                or_(
                    sets.c.state != "good",
                    sets.c.kind == Kind.ARCHIVE_LOG,
                    and_(sets.c.parent.is_not(None), parent.c.set_id.is_(None)),
                ),
            )
            .distinct()
        )
        return set(self._connection.scalars(query))

    def _since_base(self, ids: list[str], now: datetime) -> Mapping[str, list[SetRow]]:
        """Return the newest good full set and all that is newer; all sets where there is none."""
        if not ids:
            return {}
        base = newest(
            sets,
            key="set_id",
            order="consistent_at",
            ids=ids,
            is_sqlite=self._is_sqlite,
            condition=lambda table: and_(
                table.c.state == "good",
                table.c.kind == Kind.FULL,
                table.c.consistent_at <= now,
            ),
        ).subquery("base")
        wanted = given_ids(ids, is_sqlite=self._is_sqlite)
        query = (
            select(sets)
            .select_from(wanted.join(sets, sets.c.schedule_id == wanted.c.id))
            .outerjoin(base, base.c.schedule_id == wanted.c.id)
            .where(
                sets.c.state != "deleting",
                or_(base.c.set_id.is_(None), sets.c.consistent_at >= base.c.consistent_at),
            )
        )
        found = {row["set_id"]: set_of(row) for row in self._connection.execute(query).mappings()}
        self._add_parents(found)
        by_schedule: dict[str, list[SetRow]] = defaultdict(list)
        for each in found.values():
            by_schedule[each.schedule_id].append(each)
        return by_schedule

    def _add_parents(self, found: dict[str, SetRow]) -> None:
        """Add what chains reach below the newest full set: it may have been released from quarantine since."""
        looked_for: set[str] = set()
        while (
            missing := {each.parent for each in found.values() if each.parent}
            - found.keys()
            - looked_for
        ):
            looked_for |= missing
            query = select(sets).where(
                sets.c.set_id.in_(sorted(missing)), sets.c.state != "deleting"
            )
            for row in self._connection.execute(query).mappings():
                found[row["set_id"]] = set_of(row)

    def _lost(self) -> Mapping[str, list[LostSet]]:
        wanted = self._wanted()
        query = select(lost_sets).join(wanted, wanted.c.id == lost_sets.c.schedule_id)
        found: dict[str, list[LostSet]] = defaultdict(list)
        for row in self._connection.execute(query).mappings():
            found[row["schedule_id"]].append(LostSet(**row))
        return found

    def verification(
        self,
        *,
        outcome: Sequence[VerificationOutcome],
        level: VerificationLevel | None = None,
    ) -> Mapping[str, Verification]:
        query = self._newest(
            verifications,
            "id",
            "id",
            lambda table: and_(
                table.c.outcome.in_(outcome), true() if level is None else table.c.level == level
            ),
        )
        rows = self._connection.execute(query).mappings()
        return {row["schedule_id"]: verification_of(row) for row in rows}

    def durations(self) -> Mapping[str, timedelta]:
        """Return how long the last run that completed took, where that is known."""
        own = executions.c
        query = self._of_newest(
            ExecutionStatus.COMPLETED, own.schedule_id, own.started_at, own.finished_at
        )
        return {
            row.schedule_id: row.finished_at - row.started_at
            for row in self._connection.execute(query)
            if row.started_at is not None and row.finished_at is not None
        }

    def errors(self) -> Mapping[str, str | None]:
        """Return why the last run that failed did."""
        query = self._of_newest(
            ExecutionStatus.FAILED, executions.c.schedule_id, executions.c.error
        )
        return {row.schedule_id: row.error for row in self._connection.execute(query)}

    def _of_newest(self, status: ExecutionStatus, *columns: Any) -> Any:
        found = self._newest(executions, "run_id", "since", lambda table: table.c.status == status)
        return found.with_only_columns(*columns, maintain_column_froms=True)

    def failures_in_row(self) -> Mapping[str, int]:
        good = self._newest(
            executions,
            "run_id",
            "since",
            lambda table: table.c.status == ExecutionStatus.COMPLETED,
        ).subquery("good")
        wanted = self._wanted()
        query = (
            select(executions.c.schedule_id, func.count())
            .select_from(wanted.join(executions, executions.c.schedule_id == wanted.c.id))
            .outerjoin(good, good.c.schedule_id == wanted.c.id)
            .where(
                executions.c.status == ExecutionStatus.FAILED,
                or_(good.c.run_id.is_(None), executions.c.since > good.c.since),
            )
            .group_by(executions.c.schedule_id)
        )
        return {row[0]: row[1] for row in self._connection.execute(query)}
