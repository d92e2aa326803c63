"""The page's picture of a cron expression, and its words, mean what the expression means: the same moments."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import pytest

from airflow_backup.plugin.views.cron_words import describe, plain
from airflow_backup.schedules.model.cron import check_cron
from airflow_backup.schedules.times.cron_times import next_of_cron
from support.crons import crons
from support.page_answers import ask_page

COUNT = 1_000
MOMENTS = 6
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
ZONE = "Europe/Berlin"


@cache
def generated() -> list[str]:
    return list(crons(COUNT, seed=20261121))


def fires(cron: str) -> list[datetime]:
    """Return some moments, also around a change of the clocks."""
    found = []
    for at in (
        BEGIN,
        datetime(2026, 3, 28, 22, tzinfo=UTC),
        datetime(2026, 10, 24, 22, tzinfo=UTC),
    ):
        for _ in range(MOMENTS):
            at = next_of_cron(check_cron(cron), ZONE, at)
            found.append(at)
    return found


def test_the_picture_means_what_was_written() -> None:
    drawn = 0
    for cron, told in zip(generated(), ask_page("crons", generated()), strict=True):
        if told is not None:
            drawn += 1
            assert fires(told) == fires(cron), (cron, told)
    assert drawn > COUNT * 0.7  # and the rest is left as it is written


def test_a_picture_is_drawn_again_as_it_was() -> None:
    told = [cron for cron in ask_page("crons", generated()) if cron is not None]
    assert ask_page("crons", told) == told


def test_the_words_are_said_of_something_that_means_the_same() -> None:
    said = 0
    for cron in generated():
        told = plain(cron)
        if told is not None:
            said += describe(cron) != cron
            assert fires(told) == fires(cron), (cron, told)
    assert said > COUNT / 3


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("0 2 * * mon-fri", "At 02:00, Monday through Friday"),
        ("*/15 8-17 * * *", "Every 15 minutes, between 08:00 and 17:59"),
        ("0 2 1 * mon", "At 02:00, on day 1 of the month, or on Monday"),
        ("0 20-20 * * *", "At 20:00"),
        ("*/25 * * * *", "At 0, 25, and 50 minutes past the hour"),
        ("0 2 1-31 * mon", "At 02:00"),
        ("0 2 15,L * *", "0 2 15,L * *"),
    ],
)
def test_words_where_others_would_be_wrong(cron: str, words: str) -> None:
    assert describe(cron) == words
