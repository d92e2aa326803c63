"""The summary of many schedules in one message: what needs a person first, then the rest. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from airflow_backup.actions.alerts.notify.channels import Channel
from airflow_backup.actions.alerts.notify.content import Content
from airflow_backup.catalog.records import Event
from airflow_backup.catalog.rules.protection import Protection
from airflow_backup.core.text.counts import counted
from airflow_backup.core.text.durations import spoken
from airflow_backup.core.words import EventKind, ProtectionState
from airflow_backup.schedules.times.start_policy import local_text

DIGEST = "digest"
_COUNTED = {
    EventKind.COMPLETED: "completed",
    EventKind.FAILED_FINAL: "failed",
    EventKind.SKIPPED: "skipped",
    EventKind.CANCELLED: "cancelled",
    EventKind.RESTORE_TESTED: "restores tested",
}


def digest_of(
    channel: Channel,
    protections: Mapping[str, Protection],
    events: Sequence[Event],
    *,
    since: datetime | None,
    now: datetime,
    link: str | None,
) -> Content:
    """Return the summary of a channel's schedules, and of what happened to them since the one before."""
    known = {name: protections[name] for name in channel.notices if name in protections}
    ranks = list(ProtectionState)
    order = sorted(
        known,
        key=lambda name: (not known[name].needs_attention, ranks.index(known[name].state), name),
    )
    troubled = [name for name in order if known[name].needs_attention]
    happened = Counter(
        _COUNTED[EventKind(event.action)]
        for event in events
        if event.subject in known and event.action in _COUNTED
    )
    title = f"{counted(len(known), 'schedule')}: {_summary(len(known), len(troubled))}"
    return {
        "event": DIGEST,
        "schedule": None,
        "level": 1 if troubled else 0,
        "title": title,
        "what": ", ".join(f"{count} {word}" for word, count in happened.items()) or "no run ended",
        "at": now.isoformat(),
        "since": None if since is None else local_text(since, channel.timezone),
        "means": None,
        "do": [],
        "facts": [],
        "rows": [_row(name, known[name], channel, now=now) for name in order],
        "period": channel.digest,
        "link": None if not link else f"{link.rstrip('/')}/plugin/backup",
    }


def _summary(total: int, troubled: int) -> str:
    if not troubled:
        return "all are well"
    return f"{troubled} of them {'needs' if troubled == 1 else 'need'} a person"


def _row(name: str, found: Protection, channel: Channel, *, now: datetime) -> dict[str, Any]:
    good = found.last_good
    schedule, _ = channel.notices[name]
    return {
        "schedule": name,
        "group": schedule.group,
        "state": "failing" if _is_failing(found) else str(found.state).replace("_", " "),
        "attention": found.needs_attention,
        "reason": found.reason if found.needs_attention else "",
        "age": None if good is None else spoken(now - good.consistent_at),
        "limit": spoken(found.deadline),
    }


def _is_failing(found: Protection) -> bool:
    return found.needs_attention and found.state is ProtectionState.GOOD
