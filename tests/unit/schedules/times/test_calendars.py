"""Calendars from dates, countries and iCalendar files say on which days no backup runs."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from airflow_backup.schedules.loading.ics import days_of
from airflow_backup.schedules.loading.index import compile_index, fingerprint
from airflow_backup.schedules.loading.loader import load

ICS = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//team//freeze//EN
BEGIN:VEVENT
UID:1
SUMMARY:Year end
DTSTART;VALUE=DATE:20261224
DTEND;VALUE=DATE:20261228
END:VEVENT
BEGIN:VEVENT
UID:2
SUMMARY:Release
DTSTART;TZID=Europe/Berlin:20261105T220000
DTEND;TZID=Europe/Berlin:20261106T020000
END:VEVENT
BEGIN:VEVENT
UID:3
SUMMARY:Inventory
DTSTART;VALUE=DATE:20270115
RRULE:FREQ=YEARLY;COUNT=2
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n")

FILE = """\
version: 1
calendars:
  freeze: {ics: freeze.ics}
schedules:
  - id: wiki
    source: {engine: files, path: /srv}
    repository: file:///b
    preset: daily
    skip_on: freeze
"""


def test_an_ics_file_gives_days_and_ranges() -> None:
    assert days_of(ICS.encode()) == [
        "2026-11-05..2026-11-06",
        "2026-12-24..2026-12-27",
        "2027-01-15",
        "2028-01-15",
    ]


def test_a_schedule_carries_the_days_of_its_ics_file(tmp_path: Path) -> None:
    (tmp_path / "schedules.yaml").write_text(FILE)
    (tmp_path / "freeze.ics").write_text(ICS)
    (item,) = load(tmp_path / "schedules.yaml").schedules
    (calendar,) = item.schedule.skip_on
    assert calendar.reason_on(date(2026, 12, 27)) == "freeze"
    assert calendar.reason_on(date(2026, 12, 28)) is None


def test_the_index_follows_the_ics_file(tmp_path: Path) -> None:
    (tmp_path / "schedules.yaml").write_text(FILE)
    (tmp_path / "freeze.ics").write_text(ICS)
    index = compile_index(tmp_path / "schedules.yaml")
    assert index.fingerprint == fingerprint(tmp_path / "schedules.yaml", also=index.also)
    (tmp_path / "freeze.ics").write_text(ICS.replace("20261228", "20261230"))
    assert index.fingerprint != fingerprint(tmp_path / "schedules.yaml", also=index.also)


WRONG = {
    "missing": (None, "freeze.ics cannot be read: No such file or directory"),
    "not a calendar": ("hello", "freeze.ics is not a calendar: "),
}


@pytest.mark.parametrize(("content", "message"), WRONG.values(), ids=WRONG)
def test_an_ics_file_that_cannot_be_read_is_a_problem(
    tmp_path: Path, content: str | None, message: str
) -> None:
    (tmp_path / "schedules.yaml").write_text(FILE)
    if content is not None:
        (tmp_path / "freeze.ics").write_text(content)
    first, second = load(tmp_path / "schedules.yaml").problems
    assert str(first).startswith(f"schedules.yaml:3:17: calendars.freeze.ics: {message}")
    assert second.message == "calendar `freeze` is wrong"
