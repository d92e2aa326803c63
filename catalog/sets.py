"""Stored sets and their pieces, as their manifests describe them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, RowMapping, literal, select

from airflow_backup.catalog.database import Database
from airflow_backup.catalog.probe import newest
from airflow_backup.catalog.records import PieceRow, SetRow, SetState
from airflow_backup.catalog.tables import pieces, sets
from airflow_backup.core.manifest import Manifest, hash_of
from airflow_backup.core.words import Kind, VerificationLevel, VerificationOutcome

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

        ``manifest_hash`` is that of the stored bytes, where they are at hand.
        """
        row = _row(manifest, repository, manifest_hash or hash_of(manifest.to_bytes()))
        parts = [
            {
                "set_id": manifest.set_id,
                "name": piece.name,
                "stream": piece.stream,
                "size": piece.size,
                "raw_size": piece.raw_size,
                "checksum": piece.checksum,
            }
            for piece in manifest.pieces
        ]
        with self._database.writing() as connection:
            if _update(connection, row):
                connection.execute(pieces.delete().where(pieces.c.set_id == manifest.set_id))
            else:
                connection.execute(sets.insert().values(**row, state="good", pinned=False))
            if parts:
                connection.execute(pieces.insert(), parts)

    def get(self, set_id: str) -> SetRow | None:
        """Return one set, or None."""
        with self._database.reading() as connection:
            found = connection.execute(select(sets).where(sets.c.set_id == set_id))
            row = found.mappings().first()
        return None if row is None else _set(row)

    def of(self, schedule_id: str, limit: int | None = None) -> list[SetRow]:
        """Return the sets of a schedule, the newest first."""
        query = (
            select(sets)
            .where(sets.c.schedule_id == schedule_id)
            .order_by(sets.c.consistent_at.desc(), sets.c.set_id.desc())
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [_set(row) for row in connection.execute(query).mappings()]

    def latest(self, schedule_id: str) -> SetRow | None:
        """Return the newest good set of a schedule, or None."""
        return self.latest_of([schedule_id]).get(schedule_id)

    def latest_of(self, ids: Iterable[str] | None = None) -> dict[str, SetRow]:
        """Return the newest good set of each schedule that has one."""
        query = newest(
            sets,
            key="set_id",
            order="consistent_at",
            ids=ids,
            is_sqlite=self._database.is_sqlite,
            condition=lambda table: table.c.state == "good",
        )
        with self._database.reading() as connection:
            found = [_set(row) for row in connection.execute(query).mappings()]
        return {each.schedule_id: each for each in found}

    def latest_full(self, schedule_id: str) -> SetRow | None:
        """Return the newest good full set of a schedule, or None."""
        query = (
            select(sets)
            .where(
                sets.c.schedule_id == schedule_id,
                sets.c.state == "good",
                sets.c.kind == Kind.FULL,
            )
            .order_by(sets.c.consistent_at.desc(), sets.c.set_id.desc())
            .limit(1)
        )
        with self._database.reading() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else _set(row)

    def chain(self, set_id: str) -> list[SetRow]:
        """Return a set and those below it as far as they are known, the full one first."""
        below = select(sets.c.set_id, sets.c.parent, literal(0).label("depth"))
        walk = below.where(sets.c.set_id == set_id).cte("walk", recursive=True)
        step = select(sets.c.set_id, sets.c.parent, walk.c.depth + 1)
        walk = walk.union_all(step.where(sets.c.set_id == walk.c.parent, walk.c.depth < MAX_CHAIN))
        query = (
            select(sets).join(walk, sets.c.set_id == walk.c.set_id).order_by(walk.c.depth.desc())
        )
        with self._database.reading() as connection:
            return [_set(row) for row in connection.execute(query).mappings()]

    def pieces(self, set_id: str) -> list[PieceRow]:
        """Return the pieces of a set in order of name."""
        query = select(pieces).where(pieces.c.set_id == set_id).order_by(pieces.c.name)
        with self._database.reading() as connection:
            return [PieceRow(**row) for row in connection.execute(query).mappings()]

    def mark(self, set_id: str, state: SetState) -> None:
        """Change the state of a set."""
        with self._database.writing() as connection:
            connection.execute(sets.update().where(sets.c.set_id == set_id).values(state=state))

    def forget(self, set_id: str) -> None:
        """Remove a set that is no longer stored."""
        with self._database.writing() as connection:
            connection.execute(pieces.delete().where(pieces.c.set_id == set_id))
            connection.execute(sets.delete().where(sets.c.set_id == set_id))


def _update(connection: Connection, row: dict[str, Any]) -> bool:
    values = {key: value for key, value in row.items() if key != "set_id"}
    changed = connection.execute(
        sets.update().where(sets.c.set_id == row["set_id"]).values(**values)
    )
    return bool(changed.rowcount)


def _row(manifest: Manifest, repository: str, manifest_hash: str) -> dict[str, Any]:
    previous = manifest.previous
    return {
        "set_id": manifest.set_id,
        "schedule_id": manifest.schedule_id,
        "repository": repository,
        "run_id": manifest.run_id,
        "engine": manifest.engine,
        "kind": manifest.kind,
        "parent": manifest.parent,
        "base": manifest.base,
        "run_at": manifest.run_at,
        "started_at": manifest.started_at,
        "consistent_at": manifest.consistent_at,
        "finished_at": manifest.finished_at,
        "files": manifest.totals.files,
        "bytes_read": manifest.totals.bytes_read,
        "bytes_stored": manifest.totals.bytes_stored,
        "counts": manifest.counts,
        "warnings": list(manifest.warnings),
        "manifest_hash": manifest_hash,
        "previous_set_id": None if previous is None else previous.set_id,
        "previous_hash": None if previous is None else previous.hash,
    }


def _set(row: RowMapping) -> SetRow:
    given = dict(row)
    level, outcome = given["verified_level"], given["verified_outcome"]
    return replace(
        SetRow(**given),
        kind=Kind(given["kind"]),
        verified_level=None if level is None else VerificationLevel(level),
        verified_outcome=None if outcome is None else VerificationOutcome(outcome),
    )
