"""One pass of the monitor: look, write messages, send them, give the sign of life."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_backup.actions.alerts.monitor.check import Checked, Place, check
from airflow_backup.actions.alerts.monitor.passed import note_passed
from airflow_backup.actions.alerts.monitor.ping import ping
from airflow_backup.actions.alerts.notify.deliver import Delivery, Sender, deliver
from airflow_backup.actions.alerts.notify.dispatch import dispatch, introduce
from airflow_backup.actions.backup.upstreams import note_refusals
from airflow_backup.actions.report.protection import Subject
from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import BackupError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What a pass found and did."""

    checked: Checked
    deliveries: Sequence[Delivery]
    ping_error: str | None = None
    """Why the sign of life did not get there; None when it did, or there is none to give."""


def monitor(
    catalog: Catalog,
    subjects: Sequence[Subject],
    *,
    place: Place,
    sender: Sender,
    clock: Callable[[], datetime],
    link: str | None = None,
    ping_connection: str | None = None,
    every: timedelta | None = None,
) -> Pass:
    """
    Look at everything once and tell whom it concerns.

    ``link`` is Airflow's address, for the messages. The sign of life to ``ping_connection`` is given when the look
    itself succeeded, whatever it found; where Airflow serves nothing it tells that instead.
    """
    channels = introduce(catalog, subjects)
    note_passed(catalog, subjects, now=clock())
    note_refusals(catalog, subjects, now=clock())
    checked = check(catalog, subjects, place=place, now=clock(), every=every)
    dispatch(catalog, channels, checked.protections, now=checked.at, link=link)
    deliveries = deliver(catalog, channels, sender, clock=clock)
    error = None
    if ping_connection is not None:
        error = _ping(ping_connection, sender, checked)
    return Pass(checked=checked, deliveries=deliveries, ping_error=error)


def tell_failed(ping_connection: str, sender: Sender, reason: str) -> None:
    """Tell the dead-man switch that the look itself failed; what happens to that is only logged."""
    try:
        ping(ping_connection, sender.connections, good=False, text=reason)
    except BackupError as error:
        logger.warning("%s", error.message)


def _ping(connection_id: str, sender: Sender, checked: Checked) -> str | None:
    text = words_of(checked)
    try:
        ping(connection_id, sender.connections, good=checked.unserved is None, text=text)
    except BackupError as error:
        return error.message
    return None


def words_of(checked: Checked) -> str:
    """
    Return what a look found, in one line for each thing that needs a person.

    The same words stand in the shell, in the log of the DAG and in the sign of life.
    """
    total, bad = len(checked.protections), checked.troubled
    if not bad:
        lines = [f"{total} schedules, all well" if total != 1 else "1 schedule, and it is well"]
    else:
        lines = [
            "1 schedule, and it needs a person"
            if total == 1
            else f"{len(bad)} of {total} schedules need a person"
        ]
    if checked.unserved is not None:
        lines.append(f"Airflow starts no backups: {checked.unserved}")
    for name in bad:
        found = checked.protections[name]
        lines.append(f"{name}: {found.state.replace('_', ' ')}: {found.reason}")
    lines += [
        f"{each.schedule_id}: was due at {each.due_at:%Y-%m-%d %H:%M} UTC, and has not begun"
        for each in checked.overdue
    ]
    return "\n".join(lines)
