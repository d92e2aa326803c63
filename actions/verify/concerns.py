"""What damage concerns: files of the source that lie in a damaged block, and other sets of the chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from airflow_backup.actions.sets.checked_set import CheckedSet
from airflow_backup.actions.sets.damage import Damage, VerifyResult
from airflow_backup.core.errors import BackupError
from airflow_backup.core.words import VerificationLevel, VerificationOutcome
from airflow_backup.engines.capabilities import Locator
from airflow_backup.engines.protocol import Engine

_MOST = 50
"""Damages for which the engine is asked."""


def with_concerns(
    damages: Sequence[Damage], chain: Sequence[CheckedSet], engine: Engine[Any] | None
) -> list[Damage]:
    """Return the damages, with what has content there."""
    if engine is None or not isinstance(engine, Locator):
        return list(damages)

    sets = {each.manifest.set_id: each for each in chain}
    return [
        _located(damage, sets.get(damage.set_id), engine) if number < _MOST else damage
        for number, damage in enumerate(damages)
    ]


def _located(damage: Damage, stored: CheckedSet | None, engine: Locator) -> Damage:
    if damage.piece is None or damage.offset is None or damage.length is None:
        return damage
    if stored is None or stored.manifest.encryption is not None:
        return damage
    piece = next(each for each in stored.manifest.pieces if each.name == damage.piece)
    end = damage.offset + max(damage.length, 1)
    frames = [
        frame
        for frame in piece.each_frame()
        if frame.offset < end and frame.offset + frame.size > damage.offset
    ]
    if not frames:
        return damage
    last = frames[-1].raw_offset + frames[-1].raw_size
    try:
        found = engine.concerned(stored, piece.stream, frames[0].raw_offset, last)
    except BackupError:
        return damage  # the index is damaged too
    return replace(damage, concerns=tuple(found))


def others_of(result: VerifyResult) -> list[VerifyResult]:
    """Return what was found out about other sets while one was looked at: those with damage."""
    others = dict.fromkeys(each.set_id for each in result.damages if each.set_id != result.set_id)
    return [
        replace(
            result,
            set_id=other,
            outcome=VerificationOutcome.FAILED,
            level=VerificationLevel.QUICK if result.level.rank < 1 else result.level,
            proven=None,
            damages=(damages := [each for each in result.damages if each.set_id == other]),
            reason=str(damages[0]),
            unchecked=(),
            notes=(f"found while set '{result.set_id}' was verified",),
            checks=(),
            isolation=(),
            bytes_read=0,
            restore_seconds=None,
        )
        for other in others
    ]
