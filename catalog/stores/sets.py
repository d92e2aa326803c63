"""Stored sets and their pieces, as their manifests describe them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    bindparam,
    func,
    literal,
    select,
)

from airflow_backup.catalog.columns import Moment
from airflow_backup.catalog.database import Database
from airflow_backup.catalog.records import LostSet, PieceRow, SetRow, SetState, piece_rows, row_of
from airflow_backup.catalog.rules.recovery import Gap, RecoveryChain, recovery_chain
from airflow_backup.catalog.stores.newest_sets import newest_good_sets
from airflow_backup.catalog.stores.probe import newest
from airflow_backup.catalog.tables import lost_sets, pieces, sets
from airflow_backup.core.format.manifest import Manifest, hash_of
from airflow_backup.core.words import Kind, VerificationLevel, VerificationOutcome

_NEW = {"state": "good", "pinned": False}
_UNPROVEN = {"state": "good"} | dict.fromkeys(("verified_level", "verified_outcome", "verified_at"))
MAX_CHAIN = 10_000
"""Deeper than any chain; ends the search in one that was forged to go in a circle."""


class Sets:
    """The sets of all schedules, in all repositories."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self, manifest: Manifest, repository: str, *, manifest_hash: str | None = None
    ) -> None:
        """
        Take over what a manifest says; doing it again changes nothing.

        ``manifest_hash`` is that of the stored bytes, where they are at hand. Where the set was another one, because
        its run was cleared and took it again, what was found out about that one is nothing about this.
        """
        found = manifest_hash or hash_of(manifest.to_bytes())
        self.record_many([(manifest, found)], repository, replaced=_UNPROVEN)

    def _replaced(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> set[str]:
        """Return which sets are known with another manifest."""
        hashes = {row["set_id"]: row["manifest_hash"] for row in rows}
        query = select(sets.c.set_id, sets.c.manifest_hash).where(sets.c.set_id.in_(hashes))
        return {set_id for set_id, known in connection.execute(query) if known != hashes[set_id]}

    def record_many(
        self,
        found: Sequence[tuple[Manifest, str]],
        repository: str,
        *,
        replaced: Mapping[str, Any] | None = None,
    ) -> None:
        """
        Take over what many manifests say, each given with its hash, in one transaction.

        ``replaced`` is written to sets that were known with another manifest.
        """
        rows = [row_of(manifest, repository, manifest_hash) for manifest, manifest_hash in found]
        ids = [row["set_id"] for row in rows]
        parts = [part for manifest, _ in found for part in piece_rows(manifest)]
        with self._database.writing(alone=f"sets {repository}") as connection:
            known = set(connection.scalars(select(sets.c.set_id).where(sets.c.set_id.in_(ids))))
            new = [row | _NEW for row in rows if row["set_id"] not in known]
            others = self._replaced(connection, rows) if replaced else set()
            old = [_again(row) for row in rows if row["set_id"] in known]
            if new:
                connection.execute(
                    lost_sets.delete().where(lost_sets.c.set_id.in_(ids))
                )  # found again
                connection.execute(sets.insert(), new)
            if old:
                connection.execute(sets.update().where(sets.c.set_id == bindparam("key")), old)
                connection.execute(pieces.delete().where(pieces.c.set_id.in_(known)))
            if others and replaced:
                connection.execute(sets.update().where(sets.c.set_id.in_(others)), dict(replaced))
            if parts:
                connection.execute(pieces.insert(), parts)

    def get(self, set_id: str) -> SetRow | None:
        """Return one set, or None."""
        with self._database.reading() as connection:
            found = connection.execute(select(sets).where(sets.c.set_id == set_id))
            row = found.mappings().first()
        return None if row is None else set_of(row)

    def of(self, schedule_id: str, limit: int | None = None) -> list[SetRow]:
        """Return the sets of a schedule, the newest first."""
        query = (
            select(sets)
            .where(sets.c.schedule_id == schedule_id)
            .order_by(sets.c.consistent_at.desc(), sets.c.set_id.desc())
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [set_of(row) for row in connection.execute(query).mappings()]

    def schedules_in(self, repository: str) -> list[str]:
        """Return the schedules that have sets in a repository."""
        query = select(sets.c.schedule_id).where(sets.c.repository == repository).distinct()
        with self._database.reading() as connection:
            return sorted(connection.scalars(query))

    def latest(self, schedule_id: str) -> SetRow | None:
        """Return the newest good set of a schedule, or None."""
        return self.latest_of([schedule_id]).get(schedule_id)

    def latest_of(self, ids: Iterable[str] | None = None) -> dict[str, SetRow]:
        """Return the newest good set of each schedule that has one."""
        with self._database.reading() as connection:
            if self._database.is_sqlite:
                found = newest_good_sets(connection, ids)
            else:
                rows = connection.execute(_newest_good(ids)).mappings()
                found = [set_of(row) for row in rows]
        return {each.schedule_id: each for each in found}

    def latest_full(self, schedule_id: str) -> SetRow | None:
        """Return the newest good full set of a schedule, or None."""
        return self._newest(schedule_id, sets.c.state == "good", sets.c.kind == Kind.FULL)

    def latest_log(self, schedule_id: str) -> SetRow | None:
        """Return the newest good archived log of a schedule, or None."""
        return self._newest(schedule_id, sets.c.state == "good", sets.c.kind == Kind.ARCHIVE_LOG)

    def newest_but_logs(self, schedule_id: str) -> SetRow | None:
        """Return the newest set that is no archived log, good or not, or None."""
        return self._newest(schedule_id, sets.c.kind != Kind.ARCHIVE_LOG)

    def _newest(self, schedule_id: str, *conditions: ColumnElement[bool]) -> SetRow | None:
        query = (
            select(sets)
            .where(sets.c.schedule_id == schedule_id, *conditions)
            .order_by(sets.c.consistent_at.desc(), sets.c.set_id.desc())
            .limit(1)
        )
        with self._database.reading() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else set_of(row)

    def chain(self, set_id: str) -> list[SetRow]:
        """Return a set and those below it as far as they are known, the full one first."""
        with self._database.reading() as connection:
            rows = connection.execute(_CHAIN, {"set_id": set_id}).mappings()
            return [set_of(row) for row in rows]

    def recovery_chain(self, schedule_id: str, at: datetime) -> RecoveryChain | Gap:
        """Return the sets that bring a schedule's source back to a moment, or why none do."""
        given = {"schedule_id": schedule_id, "at": at}
        with self._database.reading() as connection:
            rows = [set_of(row) for row in connection.execute(_CHAIN_AT, given).mappings()]
            if rows:
                since = {"since": rows[-1].consistent_at}
                logs = connection.execute(_LOGS_AT, given | since).mappings()
                rows += [set_of(row) for row in logs]
            found = recovery_chain(rows, at)
        if isinstance(found, RecoveryChain) and not found.skipped:
            return found
        return recovery_chain(self.of(schedule_id), at)

    def pieces(self, set_id: str) -> list[PieceRow]:
        """Return the pieces of a set in order of name."""
        query = select(pieces).where(pieces.c.set_id == set_id).order_by(pieces.c.name)
        with self._database.reading() as connection:
            return [PieceRow(**row) for row in connection.execute(query).mappings()]

    def mark(self, set_id: str, state: SetState) -> None:
        """Change the state of a set."""
        with self._database.writing() as connection:
            connection.execute(sets.update().where(sets.c.set_id == set_id).values(state=state))

    def pin(self, set_id: str, *, pinned: bool) -> None:
        """Keep a set whatever the rules of retention say, or no longer."""
        with self._database.writing() as connection:
            connection.execute(sets.update().where(sets.c.set_id == set_id).values(pinned=pinned))

    def lock(self, set_id: str, until: datetime) -> bool:
        """Let nobody remove a set before a moment; return False when it is locked for longer already."""
        is_longer = (sets.c.locked_until.is_(None)) | (sets.c.locked_until < until)
        with self._database.writing() as connection:
            done = connection.execute(
                sets.update().where(sets.c.set_id == set_id, is_longer).values(locked_until=until)
            )
            return bool(done.rowcount)

    def lose(self, *set_ids: str, at: datetime) -> None:
        """Note that sets are not stored any more although nobody removed them here: they count for nothing."""
        columns = [each.name for each in lost_sets.c if each.name != "lost_at"]
        with self._database.writing(alone="lost_sets") as connection:
            rows = connection.execute(
                select(*(sets.c[each] for each in columns)).where(
                    sets.c.set_id.in_(set_ids), sets.c.state != "deleting"
                )
            )
            gone = [{**row, "lost_at": at} for row in rows.mappings()]
            connection.execute(pieces.delete().where(pieces.c.set_id.in_(set_ids)))
            connection.execute(sets.delete().where(sets.c.set_id.in_(set_ids)))
            if gone:
                connection.execute(lost_sets.delete().where(lost_sets.c.set_id.in_(set_ids)))
                connection.execute(lost_sets.insert(), gone)

    def lost(self, schedule_id: str) -> list[LostSet]:
        """Return the sets of a schedule that were stored and are gone, the newest first."""
        query = (
            select(lost_sets)
            .where(lost_sets.c.schedule_id == schedule_id)
            .order_by(lost_sets.c.consistent_at.desc(), lost_sets.c.set_id.desc())
        )
        with self._database.reading() as connection:
            return [LostSet(**row) for row in connection.execute(query).mappings()]

    def forget(self, *set_ids: str) -> None:
        """Remove sets that are no longer stored."""
        with self._database.writing() as connection:
            connection.execute(pieces.delete().where(pieces.c.set_id.in_(set_ids)))
            connection.execute(sets.delete().where(sets.c.set_id.in_(set_ids)))


def _newest_good(ids: Iterable[str] | None) -> Select[tuple[object, ...]]:
    return newest(
        sets,
        key="set_id",
        order="consistent_at",
        ids=ids,
        is_sqlite=False,
        condition=lambda table: table.c.state == "good",
    )


def _chain_from(first: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    walk = first.cte("walk", recursive=True)
    step = select(sets.c.set_id, sets.c.parent, walk.c.depth + 1)
    walk = walk.union_all(step.where(sets.c.set_id == walk.c.parent, walk.c.depth < MAX_CHAIN))
    return select(sets).join(walk, sets.c.set_id == walk.c.set_id).order_by(walk.c.depth.desc())


def _one_at() -> Select[*tuple[Any, ...]]:
    newest_then = (
        select(sets.c.set_id)
        .where(
            sets.c.schedule_id == bindparam("schedule_id"),
            sets.c.consistent_at <= bindparam("at", type_=Moment()),
            sets.c.kind != Kind.ARCHIVE_LOG,
        )
        .order_by(sets.c.consistent_at.desc(), sets.c.set_id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return _FIRST.where(sets.c.set_id == newest_then)


def _logs_at() -> Select[*tuple[Any, ...]]:
    """Everything from ``since`` to the first archived log that reaches ``at``; nothing without logs."""
    at = bindparam("at", type_=Moment())
    of_schedule = sets.c.schedule_id == bindparam("schedule_id")
    is_log = sets.c.kind == Kind.ARCHIVE_LOG
    since = sets.c.consistent_at > bindparam("since", type_=Moment())
    end = (
        select(func.min(sets.c.consistent_at))
        .where(of_schedule, is_log, sets.c.consistent_at >= at)
        .scalar_subquery()
    )
    upto = sets.c.consistent_at <= func.coalesce(end, at, type_=Moment())
    return select(sets).where(of_schedule, since, upto)


_FIRST = select(sets.c.set_id, sets.c.parent, literal(0).label("depth"))
_CHAIN = _chain_from(_FIRST.where(sets.c.set_id == bindparam("set_id")))
_CHAIN_AT = _chain_from(_one_at())
_LOGS_AT = _logs_at()


def _again(row: dict[str, Any]) -> dict[str, Any]:
    # A lock may have been made longer since, which no manifest says.
    return {key: value for key, value in row.items() if key != "locked_until"} | {
        "key": row["set_id"]
    }


def set_of(row: RowMapping) -> SetRow:
    given = dict(row)
    level, outcome = given["verified_level"], given["verified_outcome"]
    return SetRow(**given)._replace(
        kind=Kind(given["kind"]),
        verified_level=None if level is None else VerificationLevel(level),
        verified_outcome=None if outcome is None else VerificationOutcome(outcome),
    )
