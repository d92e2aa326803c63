"""Turns what happened into messages: each receiver reads the feed at its own cursor, in one transaction with them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from airflow_backup.actions.alerts.notify.channels import Channel, channels_of
from airflow_backup.actions.alerts.notify.content import content_of
from airflow_backup.actions.alerts.notify.digest import digest_of
from airflow_backup.actions.alerts.notify.levels import news
from airflow_backup.actions.report.protection import Subject
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.notices.messages import Draft, Draw
from airflow_backup.catalog.records import Event
from airflow_backup.catalog.rules.protection import Protection
from airflow_backup.core.words import EventKind
from airflow_backup.schedules.times.holds import AIRFLOW_ITSELF

OLD = timedelta(days=7)
"""What is older is no news: a receiver that is written again after months is not told of all these months."""

_ROUNDS = 100
"""Of a thousand events; what is more waits for the next look."""


def introduce(catalog: Catalog, subjects: Iterable[Subject]) -> dict[str, Channel]:
    """Return the channels; a new one hears of what happens from now on, so call it before the look."""
    found = channels_of(subjects)
    catalog.outbox.introduce(found)
    return found


def dispatch(
    catalog: Catalog,
    channels: Mapping[str, Channel],
    protections: Mapping[str, Protection],
    *,
    now: datetime,
    link: str | None,
) -> None:
    """Write the messages of what happened since the last time, and the summaries that are due."""
    for channel in channels.values():
        if channel.digest is None:
            _tell_each(catalog, channel, protections, now=now, link=link)
        else:
            _sum_up(catalog, channel, protections, now=now, link=link)


def _tell_each(
    catalog: Catalog,
    channel: Channel,
    protections: Mapping[str, Protection],
    *,
    now: datetime,
    link: str | None,
) -> None:
    for _ in range(_ROUNDS):
        with catalog.outbox.draw(channel.key) as draw:
            events = draw.events()
            if not events:
                return
            _tell(draw, events, channel, protections, now=now, link=link)


def _tell(
    draw: Draw,
    events: list[Event],
    channel: Channel,
    protections: Mapping[str, Protection],
    *,
    now: datetime,
    link: str | None,
) -> None:
    levels, changed, drafts = draw.levels(), dict[str, int](), list[Draft]()
    for event in events:
        if event.subject not in channel.notices and event.subject != AIRFLOW_ITSELF:
            continue
        before = levels.get(event.subject, 0)
        is_wanted = _is_wanted(channel, event)
        if now - event.at > OLD and event.action != EventKind.RECOVERED:
            is_wanted = False  # and what goes on is told when it shows again
        answer = news(event, told=before, is_wanted=is_wanted)
        if answer.level != before:
            levels[event.subject] = changed[event.subject] = answer.level
        if answer.tell and now - event.at <= OLD:
            schedule, _ = channel.notices.get(event.subject, (None, None))
            content = content_of(
                event,
                schedule=schedule,
                protection=protections.get(event.subject),
                now=now,
                link=link,
            )
            not_before = channel.quiet_until(event.subject, now)
            name = message_id(channel.key, str(event.id), event.hash)
            drafts.append(Draft(id=name, content=content, not_before=not_before))
    draw.put(drafts, cursor=events[-1].id, levels=changed, at=now)


def _is_wanted(channel: Channel, event: Event) -> bool:
    if event.subject == AIRFLOW_ITSELF:  # it concerns every schedule
        return any(event.action in notice.events for _, notice in channel.notices.values())
    return EventKind(event.action) in channel.notices[event.subject][1].events


def _sum_up(
    catalog: Catalog,
    channel: Channel,
    protections: Mapping[str, Protection],
    *,
    now: datetime,
    link: str | None,
) -> None:
    slot = channel.last_slot(now)
    with catalog.outbox.draw(channel.key) as draw:
        if draw.digest_at is None:  # the first one comes when its time comes
            draw.put([], cursor=draw.cursor, levels={}, at=now, digest_at=slot)
            return
        if draw.digest_at >= slot:
            return
        events = _since(draw)
        content = digest_of(channel, protections, events, since=draw.digest_at, now=now, link=link)
        not_before = channel.quiet_until(None, now)
        name = message_id(channel.key, slot.isoformat(), "")
        cursor = events[-1].id if events else draw.cursor
        draft = Draft(id=name, content=content, not_before=not_before)
        draw.put([draft], cursor=cursor, levels={}, at=now, digest_at=slot)


def _since(draw: Draw) -> list[Event]:
    found: list[Event] = []
    for _ in range(_ROUNDS):
        more = draw.events()
        found += more
        if not more:
            break
        draw.cursor = more[-1].id
    return found


def message_id(channel: str, what: str, salt: str) -> str:
    """Return the id of a message; the same for the same news to the same receiver."""
    return hashlib.sha256(f"{channel}\0{what}\0{salt}".encode()).hexdigest()[:32]
