"""From the catalog's rows to what the API answers about sets."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from airflow_backup.actions.restore.plan import ASSUMED_RATE, rate_of
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import SetRow, Verification
from airflow_backup.catalog.rules.recovery import RecoveryChain, spans, unrestorable
from airflow_backup.catalog.rules.retention import decide
from airflow_backup.core.errors import BackupError, ConfigError, NotFound, Refused
from airflow_backup.engines.capabilities import PartChecker
from airflow_backup.engines.registry import registry
from airflow_backup.plugin.schemas.sets import (
    PieceFacts,
    RecoveryPlan,
    RetentionVerdict,
    RetentionView,
    SetDetail,
    SetList,
    SetPermissions,
    SetSummary,
    Span,
    VerificationNote,
)
from airflow_backup.schedules.model.policies import Retention
from airflow_backup.schedules.model.schedule import Schedule

_SUMMARY = tuple(SetSummary.model_fields)


def summary(row: SetRow, *, unrestorable: str | None = None) -> SetSummary:
    """Describe a set."""
    return SetSummary(**_summary(row), unrestorable=unrestorable)


def found(catalog: Catalog, set_id: str) -> SetRow:
    """Return a set; NotFound when there is none."""
    row = catalog.sets.get(set_id)
    if row is None:
        raise NotFound(
            f"no set {set_id!r}", hint="GET /backup/api/v1/schedules/{id}/sets lists them"
        )
    return row


def listed(
    catalog: Catalog, schedule_id: str, permissions: SetPermissions, *, limit: int, offset: int
) -> SetList:
    """List the sets of a schedule."""
    rows = catalog.sets.of(schedule_id)
    why = unrestorable(rows)
    return SetList(
        schedule_id=schedule_id,
        total=len(rows),
        bytes_stored=sum(row.bytes_stored for row in rows),
        spans=[Span(since=since, until=until) for since, until in spans(rows)],
        permissions=permissions,
        sets=[
            summary(row, unrestorable=why.get(row.set_id)) for row in rows[offset : offset + limit]
        ],
    )


def detail(catalog: Catalog, row: SetRow) -> SetDetail:
    """Tell all that is known of a set."""
    why = unrestorable(catalog.sets.of(row.schedule_id))
    return SetDetail(
        **_summary(row),
        unrestorable=why.get(row.set_id),
        schedule_id=row.schedule_id,
        run_id=row.run_id,
        chain=[
            summary(each, unrestorable=why.get(each.set_id))
            for each in catalog.sets.chain(row.set_id)
        ],
        pieces=[
            PieceFacts(name=each.name, stream=each.stream, size=each.size, checksum=each.checksum)
            for each in catalog.sets.pieces(row.set_id)
        ],
        counts=dict(row.counts),
        notes=list(row.warnings),
        verifications=[_note(each) for each in catalog.verifications.of(row.set_id)[:50]],
    )


def recovery(catalog: Catalog, schedule_id: str, at: datetime) -> RecoveryPlan:
    """Say what brings the source back to a moment."""
    chain = catalog.sets.recovery_chain(schedule_id, at)
    words = ("airflow-backup", "restore", schedule_id, "--at", at.isoformat(), "--to", "TARGET")
    if not isinstance(chain, RecoveryChain):
        return RecoveryPlan(
            schedule_id=schedule_id,
            at=at,
            consistent_at=None,
            sets=[],
            bytes_to_read=0,
            seconds=None,
            measured=False,
            gaps=list(chain.reasons),
            earliest=chain.earliest,
            takes_paths=False,
            command=shlex.join(words),
        )
    rate = rate_of(schedule_id, catalog)
    return RecoveryPlan(
        schedule_id=schedule_id,
        at=at,
        consistent_at=chain.consistent_at,
        sets=[summary(row) for row in chain.sets],
        bytes_to_read=chain.bytes_stored,
        seconds=round(chain.bytes_stored / (rate or ASSUMED_RATE), 1),
        measured=rate is not None,
        gaps=list(chain.skipped),
        earliest=None,
        takes_paths=_takes_paths(chain.sets[-1].engine),
        command=shlex.join(words),
    )


def retention(
    catalog: Catalog, schedule: Schedule, *, policy: str | None, now: datetime
) -> RetentionView:
    """Judge the sets of a schedule by its own rules, or by others that are tried."""
    rules = schedule.retention if policy is None else _policy(policy)
    rows = [row for row in catalog.sets.of(schedule.id) if row.state != "deleting"]
    refused: str | None = None
    verdicts: list[RetentionVerdict] = []
    if rules is None:
        verdicts = [_verdict(row, kept=True, reasons=["no rules: all are kept"]) for row in rows]
    else:
        try:
            judged = decide(rows, rules, now=now, timezone=schedule.timezone)
        except Refused as error:
            refused = error.message
            verdicts = [_verdict(row, kept=True, reasons=[refused]) for row in rows]
        else:
            known = {row.set_id: row for row in rows}
            verdicts = [
                _verdict(known[each.set.set_id], kept=each.kept, reasons=list(each.reasons))
                for each in judged
            ]
    gone = [each for each in verdicts if not each.kept]
    return RetentionView(
        schedule_id=schedule.id,
        policy=None if rules is None else rules.model_dump(mode="json", exclude_defaults=True),
        tried=policy is not None,
        refused=refused,
        removed=len(gone),
        bytes_removed=sum(each.bytes_stored for each in gone),
        bytes_kept=sum(each.bytes_stored for each in verdicts if each.kept),
        sets=verdicts,
    )


def _policy(text: str) -> Retention:
    try:
        return Retention.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"policy{'.' + where if where else ''}: {first['msg']}",
            hint='write for example ?policy={"last": 7, "weekly": 8}',
        ) from error


def _takes_paths(engine: str) -> bool:
    try:
        return isinstance(registry().get(engine), PartChecker)
    except BackupError:
        return False  # the package that brings it is not installed here, and nobody knows


def _verdict(row: SetRow, *, kept: bool, reasons: list[str]) -> RetentionVerdict:
    return RetentionVerdict(
        set_id=row.set_id,
        kind=row.kind,
        consistent_at=row.consistent_at,
        bytes_stored=row.bytes_stored,
        kept=kept,
        reasons=reasons,
    )


def _note(each: Verification) -> VerificationNote:
    return VerificationNote(
        level=each.level,
        outcome=each.outcome,
        reason=each.reason,
        started_at=each.started_at,
        finished_at=each.finished_at,
        bytes_read=each.bytes_read,
        proven=each.details.get("proven"),
        restore_seconds=each.details.get("restore_seconds"),
        isolation=list(each.details.get("isolation", ())),
        damages=list(each.details.get("damages", ())),
    )


def _summary(row: SetRow) -> Mapping[str, Any]:
    plain = {name: value for name, value in row._asdict().items() if name in _SUMMARY}
    return plain | {"warnings": len(row.warnings)}
