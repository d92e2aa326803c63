"""The verification that a schedule asks for after each backup: the same in Airflow and in the shell."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from airflow_backup.actions.sets.damage import VerifyResult
from airflow_backup.actions.verify.plan import plan_verification
from airflow_backup.actions.verify.verify import Verifier, worst
from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import Inconclusive, VerifyError
from airflow_backup.core.words import VerificationLevel, VerificationOutcome
from airflow_backup.schedules.model.schedule import Schedule

logger = logging.getLogger(__name__)


class Verified(NamedTuple):
    """What was found, nothing where nothing was due, and why just that was looked at."""

    results: list[VerifyResult]
    reasons: Sequence[str]


def verify_as_scheduled(
    verifier: Verifier, schedule: Schedule, catalog: Catalog, set_id: str, *, now: datetime
) -> Verified:
    """Verify the newest set as far as the schedule's `verify` asks for it now; nothing is raised for what is bad."""
    plan = plan_verification(
        schedule.verify,
        catalog.sets.of(schedule.id),
        catalog.verifications.last_restore_test(schedule.id),
        now=now,
        timezone=schedule.timezone,
    )
    for reason in plan.reasons:
        logger.info("%s", reason)
    results: list[VerifyResult] = []
    if not plan.anything:
        return Verified(results, plan.reasons)
    share = verifier.next_share()
    if plan.level is not None:
        results += verifier.verify(set_id, plan.level)
    if plan.restore_test and worst(results) is None:
        results += verifier.verify(set_id, VerificationLevel.RESTORE_TEST)
    if share is not None:
        logger.info("share %s of every other set", share)
        results += verifier.verify_share(share, but=set_id)
    return Verified(results, plan.reasons)


def raise_what_is_bad(results: Sequence[VerifyResult], schedule_id: str) -> None:
    """Raise what makes a verification fail; what is proven but for a part is only logged."""
    bad = worst(results)
    if bad is None:
        return
    if bad.outcome is VerificationOutcome.FAILED:
        raise VerifyError(
            f"set '{bad.set_id}' failed its {bad.level} verification: {bad.reason}",
            hint="it is quarantined, and the next run takes a full set; "
            f"airflow-backup verify {schedule_id} --set {bad.set_id} --level full",
        )
    if bad.proven is None or bad.proven is VerificationLevel.QUICK:
        raise Inconclusive(f"set '{bad.set_id}' could not be verified: {bad.reason}")
    logger.warning("set %s is proven %s, not %s: %s", bad.set_id, bad.proven, bad.level, bad.reason)
