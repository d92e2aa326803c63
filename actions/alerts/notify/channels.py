"""Which receivers there are and what each is told of: made from the schedules that name them. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from airflow_backup.actions.report.protection import Subject
from airflow_backup.schedules.model.notify import Notice, Receiver
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.model.windows import opening_at, resolve


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A receiver, and how it is told: at once, or by a summary."""

    key: str
    """Under which is remembered what it was told."""

    receiver: Receiver
    digest: Literal["daily", "weekly"] | None = None
    digest_at: str = "07:00"
    timezone: str = "UTC"
    notices: dict[str, tuple[Schedule, Notice]] = field(default_factory=dict)
    """What it is told of each schedule, by the schedule's id."""

    def quiet_until(self, schedule_id: str | None, now: datetime) -> datetime:
        """Return when a message may be sent: now, or when the quiet hours end."""
        given = self.notices.get(schedule_id or "") or next(iter(self.notices.values()), None)
        if given is None or not given[1].quiet:
            return now
        schedule, notice = given
        found = opening_at(notice.quiet, now, timezone=schedule.timezone)
        return now if found is None else found.closes_at

    def last_slot(self, now: datetime) -> datetime:
        """Return the newest moment at which a summary was due."""
        zone = ZoneInfo(self.timezone)
        hours, minutes = map(int, self.digest_at.split(":"))
        shift, at = divmod(hours, 24)
        day = now.astimezone(zone).date()
        for back in range(9):
            date = day - timedelta(days=back)
            if self.digest == "weekly" and date.weekday() != 0:
                continue
            slot = resolve(datetime.combine(date, time(at, minutes)) + timedelta(days=shift), zone)
            if slot <= now:
                return slot
        raise AssertionError("a week has a Monday")


def channels_of(subjects: Iterable[Subject]) -> dict[str, Channel]:
    """
    Return the channels of all receivers that schedules name, by key.

    Two receivers may have one name. That of a file has the name for its key, and with it what waits under the name; one
    of a schedule that was made on the page never gets what was meant for another.
    """
    found: dict[str, Channel] = {}
    for subject in sorted(subjects, key=lambda each: each.is_made):
        schedule = subject.schedule
        if schedule is None:
            continue
        for notice in schedule.notify:
            for receiver in notice.to:
                channel = _channel(receiver, notice, schedule)
                there = found.get(channel.key)
                if subject.is_made if there is None else there.receiver != receiver:
                    channel = replace(channel, key=_own_key(channel))
                channel = found.setdefault(channel.key, channel)
                channel.notices.setdefault(schedule.id, (schedule, notice))
    return found


def _own_key(channel: Channel) -> str:
    """Return a key that no other receiver has, whatever it is called."""
    plain = json.dumps(channel.receiver.model_dump(mode="json"), sort_keys=True)
    return f"{channel.key[:50]}-{hashlib.sha256(plain.encode()).hexdigest()[:12]}"


def _channel(receiver: Receiver, notice: Notice, schedule: Schedule) -> Channel:
    if notice.digest is None:
        return Channel(key=receiver.key, receiver=receiver)
    when = f"{notice.digest} {notice.digest_at} {schedule.timezone}"
    name = hashlib.sha256(f"{receiver.key} {when}".encode()).hexdigest()[:12]
    return Channel(
        key=f"{receiver.key[:42]}/{notice.digest}-{name}",
        receiver=receiver,
        digest=notice.digest,
        digest_at=notice.digest_at,
        timezone=schedule.timezone,
    )
