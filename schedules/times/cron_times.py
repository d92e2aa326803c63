"""
The moments at which a cron expression fires in a zone. Pure; the rules for daylight saving are in fire_times.

croniter walks naive wall-clock times; what a wall-clock time means where the clock jumps is decided here.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from airflow_backup.schedules.model.cron import fires_every_hour, iterator
from airflow_backup.schedules.model.windows import resolve

_STEP = timedelta(seconds=1)

_remembered: dict[tuple[str, str], tuple[datetime, datetime]] = {}
_MOST_REMEMBERED = 20_000


def next_of_cron(cron: str, timezone: str, after: datetime) -> datetime:
    """
    Return the first moment (UTC) later than ``after`` at which the expression fires in the zone.

    Airflow asks again and again while time has moved on by seconds: the last answer is remembered with the
    moment it was asked for, and holds for every moment from there until it comes.
    """
    after = after.astimezone(UTC)
    known = _remembered.get((cron, timezone))
    if known is not None and known[0] <= after < known[1]:
        return known[1]
    zone = zone_of(timezone)
    walk = _next_in_real_time if fires_every_hour(cron) else _next_on_the_wall
    found = walk(cron, zone, after)
    if len(_remembered) >= _MOST_REMEMBERED:
        _remembered.clear()
    _remembered[cron, timezone] = (after, found)
    return found


def _next_on_the_wall(cron: str, zone: ZoneInfo, after: datetime) -> datetime:
    local = after.astimezone(zone)
    wall = local.replace(tzinfo=None, fold=0)
    if local.fold:
        # The second pass of an hour that comes twice: everything in it has fired the first time.
        wall = max(wall, _fold_end(local))
        walk = iterator(cron, wall - _STEP)
    else:
        # A time inside a gap fires at the end of the gap, whose local time is later than its own.
        walk = iterator(cron, wall - _gap_before(after, zone))
    while True:
        instant = resolve(walk.get_next(datetime), zone)
        if instant > after:
            return instant


def _fold_end(local: datetime) -> datetime:
    """Return the wall-clock time at which the repeated hour is over."""
    first = local.replace(fold=0).utcoffset() or timedelta(0)
    second = local.replace(fold=1).utcoffset() or timedelta(0)
    naive = local.replace(tzinfo=None, fold=0)
    probe = naive
    # The overlap is first - second long and holds ``naive``; its end is within that distance.
    zone = local.tzinfo
    low, high = naive, naive + (first - second)
    while high - low > _STEP:
        probe = (low + (high - low) // 2).replace(microsecond=0)
        if probe <= low:
            break
        aware = probe.replace(tzinfo=zone)
        if aware.replace(fold=0).utcoffset() != aware.replace(fold=1).utcoffset():
            low = probe
        else:
            high = probe
    return high


def _gap_before(after: datetime, zone: ZoneInfo) -> timedelta:
    """Return how far the clock jumped in the last hours; nothing on all other days."""
    now = after.astimezone(zone).utcoffset() or timedelta(0)
    before = (after - timedelta(hours=26)).astimezone(zone).utcoffset() or timedelta(0)
    return max(now - before, timedelta(0))


def _next_in_real_time(cron: str, zone: ZoneInfo, after: datetime) -> datetime:
    """Walk with a fixed offset; where the zone's offset changes on the way, go on from the change."""
    start, included = after, False
    while True:
        offset = start.astimezone(zone).utcoffset() or timedelta(0)
        wall = (start + offset).replace(tzinfo=None)
        instant = (
            iterator(cron, wall - _STEP if included else wall).get_next(datetime) - offset
        ).replace(tzinfo=UTC)
        if instant.astimezone(zone).utcoffset() == offset:
            return instant
        start, included = _change_between(start, instant, zone), True


def _change_between(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """Return the first second after ``low`` at which the offset is no longer that of ``low``."""
    offset = low.astimezone(zone).utcoffset()
    low = low.replace(microsecond=0)
    while high - low > _STEP:
        middle = (low + (high - low) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high


@lru_cache(maxsize=512)
def zone_of(name: str) -> ZoneInfo:
    """Return a zone of the tz database."""
    return ZoneInfo(name)
