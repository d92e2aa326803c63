"""Proves the set of a run: the verb `verify` as an Airflow task."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowSkipException

from airflow_backup.actions.sets.damage import VerifyResult
from airflow_backup.actions.verify.plan import plan_verification
from airflow_backup.actions.verify.verify import Verifier, worst
from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import Cancelled, Inconclusive, NotFound, VerifyError
from airflow_backup.core.ids import set_id
from airflow_backup.core.process import process
from airflow_backup.core.progress import Progress, Reporter
from airflow_backup.core.words import VerificationLevel, VerificationOutcome
from airflow_backup.operators.airflow_settings import catalog_url, connection
from airflow_backup.operators.fence import roots_for
from airflow_backup.operators.retry_policy import BackupRetryPolicy
from airflow_backup.operators.runs import fire_time_of, run_id_of
from airflow_backup.schedules.model.schedule import Schedule

log = logging.getLogger(__name__)


class VerifyOperator(BaseOperator):
    """
    Prove the set that this run stored, as far as the schedule's `verify` asks for it now.

    Fails when the set is damaged or was tampered with: the set is quarantined, nothing is pruned
    after it, and the next run takes a full set. Skips, with the reason, when nothing is due.

    :param schedule: whose set to verify
    """

    def __init__(self, *, schedule: Schedule, fenced: bool = False, **kwargs: Any) -> None:
        kwargs.setdefault("retries", schedule.retry.max_retries)
        kwargs.setdefault("retry_delay", schedule.retry.delay)
        kwargs.setdefault("retry_policy", BackupRetryPolicy(schedule.retry))
        super().__init__(**kwargs)
        self.schedule = schedule
        self.fenced = fenced
        self._killed = False

    def execute(self, context: Context) -> dict[str, Any]:
        """Verify; the result goes to XCom."""
        roots_for(self.schedule, fenced=self.fenced)
        with Catalog.open(catalog_url()) as catalog:
            verifier = Verifier(
                self.schedule,
                catalog=catalog,
                connections=connection,
                clock=_now,
                reporter=Reporter(self._listener(context)),
            )
            wanted = set_id(self.schedule.id, run_id_of(context), fire_time_of(context))
            if catalog.sets.get(wanted) is None:
                raise NotFound(
                    f"the catalog does not know set '{wanted}' of this run",
                    hint="was it pruned? airflow-backup sync, if it is still stored",
                )
            results = self._verify(verifier, catalog, wanted)
        raise_what_is_bad(results, self.schedule.id)
        return results[0].as_dict()

    def on_kill(self) -> None:
        """End the tools that run for us."""
        self._killed = True
        process.end_all()

    def _verify(self, verifier: Verifier, catalog: Catalog, wanted: str) -> list[VerifyResult]:
        policy, schedule = self.schedule.verify, self.schedule
        plan = plan_verification(
            policy,
            catalog.sets.of(schedule.id),
            catalog.verifications.last_restore_test(schedule.id),
            now=_now(),
            timezone=schedule.timezone,
        )
        for reason in plan.reasons:
            self.log.info("%s", reason)
        share = verifier.next_share() if plan.anything else None
        if not plan.anything:
            raise AirflowSkipException("; ".join(plan.reasons))
        results: list[VerifyResult] = []
        if plan.level is not None:
            results += verifier.verify(wanted, plan.level)
        if plan.restore_test and worst(results) is None:
            results += verifier.verify(wanted, VerificationLevel.RESTORE_TEST)
        if share is not None:
            self.log.info("share %s of every other set", share)
            results += verifier.verify_share(share, but=wanted)
        return results

    def _listener(self, context: Context) -> Callable[[Progress], None]:
        tell = tell_progress(context)

        def listen(progress: Progress) -> None:
            if self._killed:
                raise Cancelled("the verification was cancelled")
            tell(progress)

        return listen


def tell_progress(context: Context) -> Callable[[Progress], None]:
    """Return a listener that shows progress in Airflow."""
    store = context.get("task_state_store")

    def listen(progress: Progress) -> None:
        if store is not None:
            store.set("progress", progress.as_dict())

    return listen


def raise_what_is_bad(results: Sequence[VerifyResult], schedule_id: str) -> None:
    """Raise what makes the task fail; what is proven but for a part is only logged."""
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
    log.warning("set %s is proven %s, not %s: %s", bad.set_id, bad.proven, bad.level, bad.reason)


def _now() -> datetime:
    return datetime.now(UTC)
