"""
One look at one set, at one level; what the levels read and what they catch is in docs/how-to/verification.md.

Three things are kept apart. Damage is a fact about stored bytes, and the set has failed. Something
that could not be looked at (storage that does not answer, a missing key, a missing program) leaves
the question open: inconclusive. And what nobody could look at does not count as looked at.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_backup.actions.sets.checked_set import CheckedSet
from airflow_backup.actions.sets.damage import Damage, Findings, Share, VerifyResult
from airflow_backup.actions.sets.manifest_check import ManifestCheck
from airflow_backup.actions.sets.piece_check import check_pieces, check_share, decode_frames
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.actions.verify.concerns import others_of, with_concerns
from airflow_backup.core.errors import (
    BackupError,
    Cancelled,
    ConfigError,
    NotFound,
    StorageUnavailable,
    VerifyError,
)
from airflow_backup.core.format.age import Identity
from airflow_backup.core.format.manifest import set_prefix
from airflow_backup.core.memory import keep_freed_memory
from airflow_backup.core.words import DamageKind, VerificationLevel, VerificationOutcome
from airflow_backup.engines.capabilities import (
    Decoder,
    FormatChecker,
    PlaceChecker,
    RestoreTester,
    StructureChecker,
)
from airflow_backup.engines.protocol import Engine, EngineContext, VerificationReport
from airflow_backup.engines.registry import Registry, registry
from airflow_backup.storage.protocol import Storage


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """How a set is looked at."""

    level: VerificationLevel
    context: EngineContext
    keys: Sequence[Identity] = ()
    assertions: Sequence[str] = ()
    share: Share | None = None
    """Read only this share of the bytes, at level `standard`."""

    engines: Registry | None = None


def inspect_set(storage: Storage, trust: Trust, set_id: str, how: Inspection) -> list[VerifyResult]:
    """
    Return what is known of a set after looking at it.

    The set itself comes first; then those around it that turned out to be damaged on the way.
    """
    keep_freed_memory()
    begun, started_at = time.monotonic(), how.context.clock()
    look = _Inspector(storage, trust, set_id, how)
    look.run()
    template = VerifyResult(
        schedule_id=trust.schedule_id,
        set_id=set_id,
        level=how.level,
        outcome=look.outcome(),
        reason=look.reason(),
        proven=look.proven,
        share=how.share,
        damages=tuple(look.located()),
        unchecked=tuple(dict.fromkeys(look.findings.unchecked)),
        notes=tuple(dict.fromkeys(look.findings.notes)),
        checks=tuple(look.findings.checks),
        bytes_read=look.findings.bytes_read,
        started_at=started_at,
        finished_at=how.context.clock(),
        duration=time.monotonic() - begun,
        restore_seconds=look.restore_seconds,
        isolation=tuple(look.isolation),
    )
    return [template, *others_of(template)]


class _Inspector:
    """Goes through the parts of one inspection, and remembers how far it came."""

    def __init__(self, storage: Storage, trust: Trust, set_id: str, how: Inspection) -> None:
        self.findings = Findings()
        self.proven: VerificationLevel | None = None
        self.restore_seconds: float | None = None
        self.isolation: Sequence[str] = ()
        self._storage, self._trust, self._set_id = storage, trust, set_id
        self._how = how
        self._chain: list[CheckedSet] = []
        self._needed = {set_id}
        self._engine: Engine[Any] | None = None

    def run(self) -> None:
        """Look; whatever is not about the set itself leaves the question open."""
        try:
            self._run()
        except Cancelled:
            raise
        except (BackupError, OSError) as error:
            told = error.message if isinstance(error, BackupError) else str(error)
            self.findings.unchecked.append(told)

    def outcome(self) -> VerificationOutcome:
        """Return the outcome of all checks together."""
        if self._damages():
            return VerificationOutcome.FAILED
        if self.findings.unchecked:
            return VerificationOutcome.INCONCLUSIVE
        return VerificationOutcome.PASSED

    def reason(self) -> str | None:
        """Return why it did not pass."""
        damages = self._damages()
        if damages:
            more = f" (and {len(damages) - 1} more)" if len(damages) > 1 else ""
            return f"{damages[0]}{more}"
        return "; ".join(dict.fromkeys(self.findings.unchecked)) or None

    def located(self) -> list[Damage]:
        """Return the damages, with the files that they concern where the engine can tell."""
        return with_concerns(self.findings.damages, self._chain, self._engine)

    def _damages(self) -> list[Damage]:
        # A damaged set elsewhere in the schedule says nothing about this one.
        return [each for each in self.findings.damages if each.set_id in self._needed]

    def _run(self) -> None:
        how = self._how
        how.context.reporter.begin("verifying")
        check = ManifestCheck(self._storage, self._trust, self.findings, how.keys)
        if not any(self._storage.folders()):
            raise StorageUnavailable(f"{self._storage.url} is empty: is the disk mounted?")
        self._chain = check.chain(self._set_id)
        self._needed |= {each.manifest.set_id for each in self._chain}
        self._needed |= {each.manifest.parent for each in self._chain if each.manifest.parent}
        self._reached(VerificationLevel.QUICK)
        if how.level is VerificationLevel.QUICK or not self._is_readable():
            return
        own = self._chain[-1]
        self._engine = self._find_engine(own)
        if how.share is not None:
            check_share([own], how.share, how.context.reporter)
            self.findings.checks.append(f"share {how.share} of its bytes")
            return
        if how.level is VerificationLevel.STANDARD:
            self._standard(own)
        else:
            self._deep(own)

    def _is_readable(self) -> bool:
        is_there = bool(self._chain) and self._chain[-1].manifest.set_id == self._set_id
        return is_there and not self.findings.of_manifests(*self._needed)

    def _standard(self, own: CheckedSet) -> None:
        if own.has_keys:  # first: what it reads is proven then, and not read again
            self._check_format(own)
        check_pieces([own], self._how.context.reporter)
        algorithm = own.manifest.checksum_algorithm
        self.findings.checks.append(f"the {algorithm} of every piece, or of its frames")
        self._check_place(own)
        self._reached(VerificationLevel.STANDARD)

    def _deep(self, own: CheckedSet) -> None:
        """Decode or restore first: that proves frames on the way, and the rest is read after it."""
        if own.manifest.encryption is not None:
            self._standard(own)
        if not own.has_keys:
            keys = (own.manifest.encryption or {}).get("keys", "")
            self.findings.unchecked.append(f"no key was given, so nothing was decoded: {keys}")
            return
        report: VerificationReport | None = None
        if not self._damages() and self._engine is not None:
            self._trust.check_may_run(own.manifest, self._engine)
            report = self._try(self._engine, own)
        decode_frames(own, self._how.context.reporter)
        self.findings.checks.append("every frame of every piece, taken apart")
        self._reached(VerificationLevel.STANDARD)
        if report is not None and report.inconclusive is None:
            self._reached(self._how.level)

    def _try(self, engine: Engine[Any], own: CheckedSet) -> VerificationReport | None:
        is_restore = self._how.level is VerificationLevel.RESTORE_TEST
        begun = time.monotonic()
        try:
            report = self._restore(engine) if is_restore else self._decode(engine)
            if report is not None:
                self._take(report, own)
        except (VerifyError, NotFound) as error:
            if not self.findings.damages:  # not a damaged block: what is written makes no sense
                self._note_whole(own, error.message)
            return None
        if is_restore and report is not None and report.inconclusive is None:
            self.restore_seconds = time.monotonic() - begun
        return report

    def _decode(self, engine: Engine[Any]) -> VerificationReport | None:
        if not isinstance(engine, Decoder):
            self.findings.notes.append(f"the {engine.name} engine decodes frames only")
            return VerificationReport()
        return engine.decode(self._chain, self._how.context)

    def _restore(self, engine: Engine[Any]) -> VerificationReport | None:
        if not isinstance(engine, RestoreTester):
            self.findings.unchecked.append(f"the {engine.name} engine cannot test a restore")
            return None
        return engine.try_restore(self._chain, self._how.context, assertions=self._how.assertions)

    def _take(self, report: VerificationReport, own: CheckedSet) -> None:
        if report.inconclusive is not None:
            self.findings.unchecked.append(report.inconclusive)
            return
        self.findings.checks += report.checks
        self.isolation = report.isolation
        expected = {
            name: count
            for name, count in own.manifest.counts.items()
            if name not in report.uncounted
        }
        found = {name: n for name, n in report.counts.items() if name not in report.uncounted}
        if found and expected and found != expected:
            self._note_whole(own, _difference(expected, found))

    def _check_format(self, own: CheckedSet) -> None:
        engine = self._engine
        if engine is None:
            return
        try:
            if isinstance(engine, StructureChecker):
                checks = engine.check_structure(self._chain)
            elif isinstance(engine, FormatChecker):
                checks = engine.check_format(own)
            else:
                return
        except (VerifyError, NotFound) as error:
            if not self._damages():
                self._note_whole(own, error.message)
            return
        self.findings.checks += checks

    def _check_place(self, own: CheckedSet) -> None:
        """Look for what lies elsewhere; where that cannot be looked at, what was read proves only a receipt."""
        engine = self._engine
        if not isinstance(engine, PlaceChecker) or not own.has_keys or self._damages():
            return
        self._trust.check_may_run(own.manifest, engine)
        try:
            self.findings.checks += engine.check_place(own, self._how.context)
        except VerifyError as error:
            self._note_whole(own, error.message)

    def _find_engine(self, own: CheckedSet) -> Engine[Any] | None:
        manifest = own.manifest
        try:
            engine = (self._how.engines or registry()).get(manifest.engine)
        except ConfigError as error:
            self.findings.unchecked.append(error.message)
            return None
        if engine.version != manifest.engine_version:
            self.findings.unchecked.append(
                f"the set has the layout {manifest.engine_version} of the {engine.name} engine, "
                f"and this release reads {engine.version}"
            )
            return None
        return engine

    def _reached(self, level: VerificationLevel) -> None:
        if not self._damages() and not (level.rank > 0 and self.proven is None):
            self.proven = level

    def _note_whole(self, own: CheckedSet, what: str) -> None:
        self.findings.add(
            Damage(
                kind=DamageKind.CORRUPT,
                set_id=self._set_id,
                file=set_prefix(self._trust.schedule_id, self._set_id),
                what=what,
            )
        )


def _difference(expected: Mapping[str, int], found: Mapping[str, int]) -> str:
    for name, count in expected.items():
        if found.get(name) != count:
            return f"'{name}' has {found.get(name, 'no')} rows, and the source had {count}"
    extra = sorted(set(found) - set(expected))
    return f"'{extra[0]}' was not in the source"
