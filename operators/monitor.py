"""The monitor as an Airflow task: looks at every schedule, tells whom it concerns, and feeds Airflow's own metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowRuntimeError
from airflow.sdk.observability import stats

from airflow_backup.actions.alerts.monitor.check import AIRFLOW, Checked
from airflow_backup.actions.alerts.monitor.monitor import monitor, tell_failed, words_of
from airflow_backup.actions.alerts.monitor.silent import close_silent
from airflow_backup.actions.alerts.monitor.subjects import subjects_of_catalog
from airflow_backup.actions.alerts.notify.deliver import Sender
from airflow_backup.actions.report.protection import Subject
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.stores.events import SYSTEM
from airflow_backup.core.clock import utc_now
from airflow_backup.core.ids import dag_id
from airflow_backup.core.words import ProtectionState
from airflow_backup.operators.notifiers import send_by_notifier
from airflow_backup.operators.shared.airflow_settings import catalog_url, connection, option


class BackupMonitorOperator(BaseOperator):
    """
    Look at every schedule once: how safe it is, what changed, who is to be told; see `airflow-backup monitor`.

    :param every: how long after a look the next one comes; who looks from outside tells by it that none comes

    Fails only when the look itself fails; that schedules need a person is what it is there to say.
    """

    def __init__(self, *, every: timedelta | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.every = every

    def execute(self, context: Context) -> dict[str, Any]:
        """Look; what was found goes to XCom in numbers, and to the log in words."""
        attempt, ping = dict(context)["ti"], option("ping_conn_id")
        sender = Sender(connection, notifier=send_by_notifier)
        try:
            with Catalog.open(catalog_url()) as catalog:
                closed = close_silent(catalog, partial(_is_over, attempt), now=utc_now())
                subjects = _switched(catalog, subjects_of_catalog(catalog), attempt)
                found = monitor(
                    catalog,
                    subjects,
                    place=AIRFLOW,
                    every=self.every,
                    sender=sender,
                    clock=utc_now,
                    link=conf.get("api", "base_url", fallback=None) or None,
                    ping_connection=ping,
                )
        except Exception as error:
            if ping is not None:
                tell_failed(ping, sender, f"the look failed: {type(error).__name__}: {error}")
            raise
        for each in closed:
            self.log.warning("%s: run %s ended without a word", each.schedule_id, each.run_id)
        for line in words_of(found.checked).split("\n"):
            self.log.info("%s", line)
        for delivery in found.deliveries:
            if delivery.error is not None:
                self.log.warning("%s", delivery.trouble)
        if found.ping_error is not None:
            self.log.warning("%s", found.ping_error)
        tell_airflow(found.checked)
        return {
            "schedules": len(found.checked.protections),
            "need_a_person": len(found.checked.troubled),
            "changes": len(found.checked.changes),
            "sent": sum(each.sent for each in found.deliveries),
            "not_sent": sum(each.error is not None for each in found.deliveries),
        }


def tell_airflow(checked: Checked) -> None:
    """
    Give what was found to Airflow's own StatsD or OpenTelemetry, where it has one.

    The id is part of the name, because plain StatsD knows no tags; those that know them have it as a tag, too.
    """
    stats.gauge("backup.schedules", len(checked.protections))
    stats.gauge("backup.need_a_person", len(checked.troubled))
    stats.gauge("backup.overdue", len(checked.overdue))
    groups = {each.id: each.schedule.group for each in checked.subjects if each.schedule}
    for name, found in checked.protections.items():
        tags = {"schedule": name, "group": groups.get(name) or ""}
        values = {
            "protected": float(found.state is ProtectionState.GOOD),
            "seconds_until_late": found.seconds_until_late(checked.at),
            "failures_in_row": float(found.failures_in_row),
            "needs_attention": float(found.needs_attention),
        }
        for fact, value in values.items():
            stats.gauge(f"backup.schedule.{name}.{fact}", value, tags=tags)


def _switched(catalog: Catalog, subjects: Sequence[Subject], attempt: Any) -> list[Subject]:
    """Ask Airflow which schedules are enabled; it disables by itself those that fail again and again."""
    found = []
    failures = _failures(catalog, subjects)
    for subject in subjects:
        enabled = None if subject.schedule is None else _is_enabled(subject, attempt)
        if enabled is not None:
            catalog.monitor_state.note_switch(
                subject.id,
                enabled=enabled,
                at=utc_now(),
                actor=SYSTEM,
                reason=_why_disabled(subject, failures),
            )
        found.append(replace(subject, enabled=enabled))
    return found


def _is_enabled(subject: Subject, attempt: Any) -> bool | None:
    """Return None while there is no DAG."""
    try:
        return not attempt.get_dag(dag_id(subject.id)).is_paused
    except AirflowRuntimeError:
        return None


def _is_over(attempt: Any, schedule_id: str, run_id: str) -> bool:
    """Whether Airflow has done with a run; one that it does not know may be at work elsewhere."""
    try:
        state = attempt.get_dagrun_state(dag_id(schedule_id), run_id)
    except AirflowRuntimeError:
        return False
    # Airflow says text, and gives a member of an enum, whose `str` is 'DagRunState.FAILED'.
    return getattr(state, "value", state) in ("failed", "success")


def _failures(catalog: Catalog, subjects: Iterable[Subject]) -> Mapping[str, int]:
    standings = catalog.standings.of((each.id for each in subjects), now=utc_now())
    return {name: each.failures_in_row for name, each in standings.items()}


def _why_disabled(subject: Subject, failures: Mapping[str, int]) -> str:
    limit = None if subject.schedule is None else subject.schedule.disable_after_failures
    if limit is not None and failures.get(subject.id, 0) >= limit:
        return f"disabled after {limit} failures in a row"
    return "disabled in Airflow"
