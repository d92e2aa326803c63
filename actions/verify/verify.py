"""Prove sets: look at them, note what was found in the catalog, and say what it comes to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from airflow_backup.actions.sets.damage import Share, VerifyResult
from airflow_backup.actions.sets.encryption import secret_keys
from airflow_backup.actions.sets.repository import Presence
from airflow_backup.actions.sets.trust import Described, Trust
from airflow_backup.actions.verify.inspect import Inspection, inspect_set
from airflow_backup.catalog.records import SetRow
from airflow_backup.core.connections import Connections
from airflow_backup.core.errors import BackupError, NotFound
from airflow_backup.core.format.age import Identity
from airflow_backup.core.format.manifest import manifest_name
from airflow_backup.core.format.signing import PublicKey
from airflow_backup.core.progress import Reporter
from airflow_backup.core.words import VerificationLevel, VerificationOutcome
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.engines.registry import Registry
from airflow_backup.schedules.model.policies import Encryption, Verify
from airflow_backup.storage.open import open_storage
from airflow_backup.storage.protocol import Storage

if TYPE_CHECKING:
    from airflow_backup.catalog import Catalog

logger = logging.getLogger(__name__)

_ROTATION = "verify share"


class Proven(Described, Protocol):
    """What verifying needs to know of a schedule."""

    @property
    def repository(self) -> str: ...
    @property
    def connection(self) -> str | None: ...
    @property
    def encryption(self) -> Encryption | None: ...
    @property
    def verify(self) -> Verify: ...


@dataclass(frozen=True)
class Bare:
    """All that is known of a schedule whose file is not at hand: where its sets lie."""

    id: str
    repository: str
    engine: str | None = None
    """The engine that somebody says the sets are of; what a set says itself is not enough to run programs."""

    public_keys: Sequence[PublicKey] = ()
    """Who must have signed the sets."""

    connection: str | None = None
    verify: Verify = field(default_factory=Verify)


class Verifier:
    """
    Verifies the sets of one schedule.

    Without a catalog nothing is noted, and manifests are compared with each other only.
    """

    def __init__(
        self,
        schedule: Proven | Bare,
        *,
        catalog: Catalog | None,
        connections: Connections,
        clock: Callable[[], datetime],
        reporter: Reporter | None = None,
        keys: Sequence[Identity] | None = None,
        engines: Registry | None = None,
        storage: Storage | None = None,
    ) -> None:
        self._schedule, self._catalog, self._clock = schedule, catalog, clock
        self._storage = storage or open_storage(
            schedule.repository, connections, connection=schedule.connection
        )
        self._keys = _keys(schedule, connections) if keys is None else keys
        self._engines = engines
        context = EngineContext(
            connections=connections,
            reporter=reporter or Reporter(),
            clock=clock,
            source=None if isinstance(schedule, Bare) else schedule.source,
        )
        scratch = schedule.verify.scratch
        self._context = context if scratch is None else replace(context, scratch=Path(scratch))

    def sets(self) -> list[str]:
        """Return the ids of all sets, the oldest first; from the repository where there is no catalog."""
        if self._catalog is None:
            ids = self._storage.folders(f"{self._schedule.id}/sets/")
            return [each for each in ids if self._has_manifest(each)]
        return sorted(row.set_id for row in self._rows() if row.state != "deleting")

    def _has_manifest(self, set_id: str) -> bool:
        """Whether it is a set: an attempt that was killed leaves a folder without a manifest."""
        try:
            self._storage.stat(manifest_name(self._schedule.id, set_id))
        except NotFound:
            return False
        return True

    def newest(self) -> str:
        """Return the id of the newest set."""
        if self._catalog is None:
            known = self.sets()
        else:
            known = [row.set_id for row in reversed(self._rows()) if row.state != "deleting"]
        if not known:
            raise NotFound(
                f"schedule '{self._schedule.id}' has no set",
                hint="airflow-backup sync, if there should be one",
            )
        return known[-1]

    def verify(
        self,
        set_id: str,
        level: VerificationLevel,
        *,
        share: Share | None = None,
        assertions: Sequence[str] | None = None,
    ) -> list[VerifyResult]:
        """Verify one set; the result about itself comes first, then those about damaged neighbours."""
        known = self._known()
        if self._catalog is not None and set_id not in known:
            logger.warning("the catalog does not know set %s", set_id)
        return self._verify(set_id, level, known, share=share, assertions=assertions)

    def _verify(
        self,
        set_id: str,
        level: VerificationLevel,
        known: Mapping[str, SetRow],
        *,
        share: Share | None = None,
        assertions: Sequence[str] | None = None,
    ) -> list[VerifyResult]:
        wanted = self._schedule.verify.assertions if assertions is None else assertions
        how = Inspection(
            level=level,
            context=self._context,
            keys=self._keys,
            assertions=tuple(wanted) if level is VerificationLevel.RESTORE_TEST else (),
            share=share,
            engines=self._engines,
        )
        here = Presence(self._storage, self._schedule.repository, self._catalog)
        found = inspect_set(self._storage, self._trust(known), set_id, how)
        is_bad = any(each.outcome is VerificationOutcome.FAILED for each in found)
        if is_bad and here.is_lost():
            found = [_without_repository(each) for each in found]
        results = [self._settled(each, known) for each in found]
        for result in results:
            self._note(result)
        return results

    def verify_share(self, share: Share, *, but: str | None = None) -> list[VerifyResult]:
        """Read one share of every set, all but one; return what is not as it was written."""
        results: list[VerifyResult] = []
        known = self._known()
        for set_id in self.sets():
            if set_id != but:
                results += self._verify(set_id, VerificationLevel.STANDARD, known, share=share)
        if not any(each.outcome is VerificationOutcome.INCONCLUSIVE for each in results):
            self._turn(share, len(results))
        return results

    def next_share(self) -> Share | None:
        """Return the share that follows the last one that was read to its end; None where none is asked for."""
        count = self._schedule.verify.share
        if count is None or self._catalog is None:
            return None
        events = self._catalog.events.recent(1, subject=self._rotation())
        last = int(str(events[0].detail["share"]).partition("/")[0]) if events else 0
        return Share(number=last % count + 1, count=count)

    def _turn(self, share: Share, sets: int) -> None:
        if self._catalog is not None:
            self._catalog.events.append(
                at=self._clock(),
                actor="airflow-backup",
                action=_ROTATION,
                subject=self._rotation(),
                detail={"share": str(share), "sets": sets},
            )

    def _rotation(self) -> str:
        return f"{self._schedule.id}: shares"

    def _trust(self, known: Mapping[str, SetRow]) -> Trust:
        schedule = self._schedule
        if isinstance(schedule, Bare):
            return Trust(schedule.id, schedule.engine, known, schedule.public_keys)
        return Trust.of(schedule, known.values())

    def _known(self) -> dict[str, SetRow]:
        return {row.set_id: row for row in self._rows()}

    def _rows(self) -> list[SetRow]:
        if self._catalog is None:
            return []
        rows = self._catalog.sets.of(self._schedule.id)
        return [row for row in rows if row.repository == self._schedule.repository]

    def _settled(self, result: VerifyResult, known: Mapping[str, SetRow]) -> VerifyResult:
        """A set that was pruned while it was read is no damaged set."""
        if result.outcome is not VerificationOutcome.FAILED or self._catalog is None:
            return result
        row = self._catalog.sets.get(result.set_id)
        if row is None and result.set_id not in known:
            return result
        if row is not None and row.state != "deleting":
            return result
        return replace(
            result,
            outcome=VerificationOutcome.INCONCLUSIVE,
            reason="the set was removed while it was verified",
            damages=(),
            proven=None,
        )

    def _note(self, result: VerifyResult) -> None:
        log = logger.info if result.outcome is VerificationOutcome.PASSED else logger.error
        log("set %s: %s %s%s", result.set_id, result.level, result.outcome, _because(result))
        for damage in result.damages:
            logger.error("%s", damage)
        if self._catalog is None or self._catalog.sets.get(result.set_id) is None:
            return
        if result.share is not None and result.outcome is not VerificationOutcome.FAILED:
            return  # of a part that passed, the set as a whole is not proven
        self._catalog.verifications.record(
            result.set_id,
            result.schedule_id,
            level=result.level,
            outcome=result.outcome,
            reason=result.reason,
            started_at=result.started_at,
            finished_at=result.finished_at,
            bytes_read=result.bytes_read,
            details=result.details(),
            proven=result.proven,
        )


def _without_repository(result: VerifyResult) -> VerifyResult:
    """A set whose disk is away is no damaged set, and its next verification tells."""
    if result.outcome is not VerificationOutcome.FAILED:
        return result
    return replace(
        result,
        outcome=VerificationOutcome.INCONCLUSIVE,
        reason="the repository is not there any more: is its disk mounted, and is it the right one?",
        damages=(),
        proven=None,
    )


def worst(results: Sequence[VerifyResult]) -> VerifyResult | None:
    """Return the result that decides: a failed one before an inconclusive one, None when all passed."""
    for outcome in (VerificationOutcome.FAILED, VerificationOutcome.INCONCLUSIVE):
        for result in results:
            if result.outcome is outcome:
                return result
    return None


def _because(result: VerifyResult) -> str:
    return "" if result.reason is None else f": {result.reason}"


def _keys(schedule: Proven | Bare, connections: Connections) -> list[Identity]:
    # A worker that has the public keys alone verifies what can be verified without a secret one.
    try:
        return [] if isinstance(schedule, Bare) else secret_keys(schedule.encryption, connections)
    except BackupError as error:
        logger.warning("sets of %s are verified without a key: %s", schedule.id, error.message)
        return []
