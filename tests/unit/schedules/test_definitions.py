"""What a schedule says is read again as it was: from the catalog, in a trigger, and where its limit is reckoned."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from airflow_backup.schedules.model.base import TimezoneName
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.times.deadlines import deadline_of
from airflow_backup.schedules.times.start_policy import StartPolicy, start_policy_of

BASE: dict[str, Any] = {
    "id": "wiki",
    "source": {"engine": "files", "path": "/srv/wiki"},
    "repository": "file:///b",
    "preset": "daily",
}
WHENEVER: list[dict[str, Any]] = [
    {"preset": "off_hours"},
    {"preset": "business_hours", "name": "office", "timezone": "Asia/Tokyo"},
    {"days": ["mon-sun"]},
    {"from": "00:00"},
    {"from": "00:00", "to": "24:00"},
    {"days": ["fri"], "from": "22:00", "to": "02:30"},
]


@pytest.mark.parametrize("when", WHENEVER)
def test_windows_and_times_of_a_throttle_are_read_again_as_they_were(when: dict[str, Any]) -> None:
    throttle = {"upload": "20MB", "times": [{**when, "upload": "5MB"}]}
    schedule = Schedule.model_validate({**BASE, "window": [when], "throttle": throttle})
    for told in (schedule.definition(), json.loads(schedule.model_dump_json())):
        again = Schedule.model_validate(told)
        assert again == schedule
        assert again.digest() == schedule.digest()
    policy = start_policy_of(schedule)
    for kept in (
        policy.model_dump(mode="json", exclude_defaults=True),
        policy.model_dump(mode="json"),
    ):
        assert StartPolicy.model_validate(kept) == policy


@pytest.mark.parametrize("when", WHENEVER)
def test_how_old_a_set_may_be_is_reckoned_with_every_window(when: dict[str, Any]) -> None:
    schedule = Schedule.model_validate({**BASE, "window": [when]})
    assert deadline_of(schedule).days >= 2


@pytest.mark.parametrize(
    "zone", ["localtime", "Factory", "posixrules", "posix/Europe/Berlin", "right/Europe/Berlin"]
)
def test_a_zone_is_a_place_that_every_machine_and_browser_knows(zone: str) -> None:
    """The page told no time at all where one schedule had such a zone, and `right/` counts leap seconds."""
    with pytest.raises(ValidationError, match="is not a timezone"):
        TypeAdapter(TimezoneName).validate_python(zone)
