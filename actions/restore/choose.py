"""Which sets restore a moment, from the repository alone: on the day that there is no catalog."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import MAXYEAR, UTC, datetime, timedelta

from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog.records import SetRow, as_row
from airflow_backup.catalog.rules.recovery import RecoveryChain, log_before, recovery_chain
from airflow_backup.core.errors import NotFound, Refused, VerifyError
from airflow_backup.core.format.manifest import MANIFEST_NAME
from airflow_backup.core.words import Kind
from airflow_backup.storage.protocol import Storage

_CLOCKS_DIFFER = timedelta(days=1)
"""How far the clock of a storage may be behind that of a worker."""


def chain_at(storage: Storage, trust: Trust, at: datetime) -> RecoveryChain:
    """
    Return the sets that bring the source back to ``at``; NotFound when there are none.

    What `recovery_chain` says of all sets, without reading all of their manifests.
    """
    known = _Known(storage, trust)
    found = recovery_chain(known.context(at), at)
    if isinstance(found, RecoveryChain):
        return replace(found, skipped=(*known.unreadable.values(), *found.skipped))
    hint = (
        "is the name right?"
        if found.earliest is None
        else f"the earliest is of {found.earliest:%Y-%m-%d %H:%M} UTC"
    )
    reasons = [*known.unreadable.values(), *(() if found.is_empty else found.reasons)]
    why = f": {reasons[0]}" if reasons else ""
    when = f"set at or before {at:%Y-%m-%d %H:%M %Z}"
    if at.year == MAXYEAR:
        when = "set that can be restored"
    raise NotFound(f"'{trust.schedule_id}' has no {when}{why}", hint=hint)


class _Known:
    """The sets of a schedule whose manifests were read."""

    def __init__(self, storage: Storage, trust: Trust) -> None:
        self._storage, self._trust = storage, trust
        self.rows: dict[str, SetRow] = {}
        self.unreadable: dict[str, str] = {}
        """Sets whose manifest is damaged: on the day that everything is wrong, the one before it counts."""

    def context(self, at: datetime) -> Iterable[SetRow]:
        """Read the sets from the last good one before ``at`` to the log that reaches it."""
        ids = sorted(self._storage.folders(f"{self._trust.schedule_id}/sets/"))
        # A set is of a moment after that in its id, which is when its run was due.
        begun_before = [
            set_id for set_id in ids if set_id[:16] <= f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        ]
        base = self._back_to_a_base(begun_before, at)
        if base is None:
            begun_before = []
        else:
            self._stored_late(base)
        self._on_to_the_log(ids[len(begun_before) :], at)
        self._what_the_logs_continue(base)
        return self.rows.values()

    def _back_to_a_base(self, ids: list[str], at: datetime) -> SetRow | None:
        for set_id in reversed(ids):
            row = self._read(set_id)
            if row is None or row.kind is Kind.ARCHIVE_LOG or row.consistent_at > at:
                continue
            lowest = self._down_from(row)
            if lowest is not None and lowest.kind is Kind.FULL:
                return row
        return None

    def _down_from(self, row: SetRow) -> SetRow | None:
        """Read what a set is a change of; return the lowest, None where one is not there."""
        below: SetRow | None = row
        seen = {row.set_id}
        while below is not None and below.parent is not None and below.parent not in seen:
            seen.add(below.parent)
            below = self._read(below.parent)
        return below

    def _stored_late(self, base: SetRow) -> None:
        """
        Read the sets of runs that came late: due before the run of ``base``, and stored after it.

        When a manifest was stored says the storage. Where it was copied there, that is after all of them, and all
        are read.
        """
        sets = f"{self._trust.schedule_id}/sets/"
        since = base.consistent_at - _CLOCKS_DIFFER
        for found in list(self._storage.list(sets)):
            set_id, _, name = found.name.removeprefix(sets).partition("/")
            if name != MANIFEST_NAME or set_id >= base.set_id:
                continue
            is_late = found.modified > since or not found.modified.timestamp()  # or nobody knows
            if is_late and (row := self._read(set_id)) is not None:
                self._down_from(row)

    def _on_to_the_log(self, ids: list[str], at: datetime) -> None:
        logs = any(row.kind is Kind.ARCHIVE_LOG for row in self.rows.values())
        fulls = 0
        for set_id in ids:
            row = self._read(set_id)
            if row is None:
                continue
            if row.kind is Kind.ARCHIVE_LOG:
                logs = True
                if row.consistent_at >= at:
                    return
            fulls += row.kind is Kind.FULL
            if fulls == 2 and not logs:
                return  # of a schedule without logs, not everything needs to be read

    def _what_the_logs_continue(self, base: SetRow | None) -> None:
        for row in sorted(self.rows.values(), key=lambda each: each.consistent_at):
            if base is None or row.kind is not Kind.ARCHIVE_LOG or row.parent is None:
                continue
            while isinstance(missing := log_before(row, self.rows), str):
                if self._read(missing) is None:
                    break

    def _read(self, set_id: str) -> SetRow | None:
        if set_id not in self.rows:
            try:
                found = self._trust.read(self._storage, set_id)
            except NotFound:
                return None  # an attempt that was never finished, or a set that is gone
            except (VerifyError, Refused) as error:
                self.unreadable[set_id] = error.message
                return None
            self.rows[set_id] = as_row(found.manifest, self._storage.url, found.hash)
        return self.rows[set_id]
