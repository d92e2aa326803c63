"""
What a message says, as plain data: what is so, since when, what it means, what to do, where to look. Pure.

It is made when the event is read, kept in the outbox, and written out for each way when it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from airflow_backup.actions.alerts.notify.levels import Level, level_of
from airflow_backup.catalog.records import Event
from airflow_backup.catalog.rules.protection import Protection
from airflow_backup.core.text.durations import spoken
from airflow_backup.core.words import EventKind, ProtectionState
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.times.holds import AIRFLOW_ITSELF
from airflow_backup.schedules.times.start_policy import local_text

Content = dict[str, Any]

_WORDS = {
    EventKind.STARTED: "a backup began",
    EventKind.COMPLETED: "a backup completed",
    EventKind.RETRY: "a failed backup is tried again",
    EventKind.FAILED: "an attempt failed, and will be tried again",
    EventKind.FAILED_FINAL: "the backup failed",
    EventKind.CANCELLED: "a backup was cancelled",
    EventKind.SKIPPED: "a backup was skipped",
    EventKind.RECOVERED: "all is well again",
    EventKind.VERIFICATION_FAILED: "a set failed its verification",
    EventKind.RESTORE_TESTED: "a restore was tested, and it worked",
    EventKind.DISABLED: "it was disabled",
}
_STATES = {
    "late": "backups are late",
    "never": "nothing was ever backed up",
    "lost": "stored sets are gone",
    "at_risk": "a restore is not certain",
    "broken": "nothing more will be backed up",
    "unserved": "no backups are started",
}


def content_of(
    event: Event,
    *,
    schedule: Schedule | None,
    protection: Protection | None,
    now: datetime,
    link: str | None,
) -> Content:
    """Return what a message about an event says; ``link`` is the address of the page, where it is known."""
    about = None if event.subject == AIRFLOW_ITSELF else event.subject
    zone = "UTC" if schedule is None else schedule.timezone
    state = str(event.detail.get("state") or "")
    kind = EventKind(event.action)
    words = _STATES.get(state, "not safe") if kind is EventKind.STALE else _WORDS[kind]
    if about is None and kind is EventKind.RECOVERED:
        words = "backups are started again"
    return {
        "event": str(kind),
        "event_id": event.id,
        "schedule": about,
        "group": None if schedule is None else schedule.group,
        "description": None if schedule is None else schedule.description,
        "state": state or (None if protection is None else str(protection.state)),
        "level": int(level_of(event) or Level.WELL),
        "title": f"{about or 'Airflow'}: {words}",
        "what": _what(event),
        "at": event.at.isoformat(),
        "since": _since(event, zone),
        "means": _meaning(event, protection, zone, now=now),
        "do": _advice(event),
        "facts": _facts(event, zone),
        "link": _address(link, about),
    }


def _what(event: Event) -> str:
    detail = event.detail
    if event.action in (EventKind.COMPLETED, EventKind.STARTED) and not detail.get("reason"):
        return f"run {detail.get('run_id')}"
    if event.action == EventKind.RECOVERED:
        return str(detail.get("reason") or "nothing is wrong any more")
    if event.action == EventKind.VERIFICATION_FAILED:
        return f"set '{detail.get('set_id')}', {detail.get('level')} verification: {detail.get('reason')}"
    if event.action == EventKind.RESTORE_TESTED:
        return f"set '{detail.get('set_id')}' was restored into a temporary place and compared"
    if event.action == EventKind.DISABLED:
        return f"{detail.get('reason') or 'disabled'}, by {event.actor}"
    return str(detail.get("error") or detail.get("reason") or f"run {detail.get('run_id')}")


def _since(event: Event, zone: str) -> str:
    given = event.detail.get("since")
    return local_text(datetime.fromisoformat(given) if given else event.at, zone)


def _meaning(
    event: Event, protection: Protection | None, zone: str, *, now: datetime
) -> str | None:
    """Say what it means for whoever would have to restore now."""
    if event.subject == AIRFLOW_ITSELF:
        if event.action == EventKind.RECOVERED:
            return (
                "Runs that were missed are made up for where the schedule says `missed: run_once`."
            )
        return "Until Airflow works again no schedule stores anything; restores work without it, from the shell."
    if protection is None:
        return None
    good = protection.last_good
    if good is None:
        return "There is no set that can be restored: what is lost at the source now is lost."
    age = spoken(now - good.consistent_at)
    newest = f"The newest good set is {age} old, of {local_text(good.consistent_at, zone)}"
    if event.action == EventKind.RECOVERED:
        return f"{newest}."
    if event.action == EventKind.STALE and protection.state in (
        ProtectionState.LATE,
        ProtectionState.BROKEN,
        ProtectionState.LOST,
    ):
        limit = spoken(protection.deadline)
        return f"{newest}; the limit is {limit}. A restore now would lose everything since then."
    if event.action == EventKind.FAILED_FINAL:
        left = protection.late_at - now
        if left.total_seconds() > 0:
            return f"{newest}. It is late in {spoken(left)}, if nothing completes until then."
        return f"{newest}, and late."
    return f"{newest}."


def _advice(event: Event) -> list[str]:
    detail, name = event.detail, event.subject
    hint = str(detail["hint"]) if detail.get("hint") else None
    steps = [hint] if hint else []
    by_kind: Mapping[str, list[str]] = {
        EventKind.FAILED_FINAL: [f"airflow-backup show {name}"],
        EventKind.VERIFICATION_FAILED: [
            f"airflow-backup verify {name} --set {detail.get('set_id')} --level full",
            "the set is quarantined, and the next run takes a full one: does that complete?",
        ],
        EventKind.DISABLED: ["mend what failed, then enable the schedule on the page"],
    }
    by_state: Mapping[str, list[str]] = {
        "late": ["did its runs fail, or did none begin?", f"airflow-backup show {name}"],
        "never": ["did its runs fail, or did none begin?", f"airflow-backup show {name}"],
        "lost": [
            "who removed them? is the repository the right one, and mounted?",
            f"airflow-backup sync {name}",
        ],
        "at_risk": [f"airflow-backup verify {name} --level full"],
        "broken": ["airflow-backup validate", "or enable the schedule on the page"],
    }
    if event.action == EventKind.STALE:
        return steps + by_state.get(str(detail.get("state")), [])
    return steps + by_kind.get(event.action, [])


def _facts(event: Event, zone: str) -> list[list[str]]:
    detail = event.detail
    known = {
        "run": detail.get("run_id"),
        "attempts": detail.get("attempt"),
        "class of the error": detail.get("failure_class"),
        "set": detail.get("set_id"),
    }
    facts = [[name, str(value)] for name, value in known.items() if value]
    return [["when", local_text(event.at, zone)], *facts]


def _address(link: str | None, schedule_id: str | None) -> str | None:
    if not link:
        return None
    page = f"{link.rstrip('/')}/plugin/backup"
    return page if schedule_id is None else f"{page}/{quote(schedule_id)}"
