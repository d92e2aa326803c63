"""What the page shows of a schedule: rhythms, the next run, and no password."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_backup.plugin.views.rhythms import coming, next_run, rhythms, schedule_of
from airflow_backup.plugin.views.secrets import without_passwords
from airflow_backup.schedules.model.schedule import Schedule

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def schedule(**given: Any) -> Schedule:
    """Make a schedule."""
    return Schedule.model_validate(
        {
            "id": "wiki",
            "source": {"engine": "files", "path": "/srv"},
            "repository": "file:///b",
            "cron": "0 2 * * *",
        }
        | given
    )


def test_passwords_are_left_out_wherever_they_stand() -> None:
    given = {"a": ["s3://k:v@host/b", {"b": "x://u:p%40w@h"}], "c": 1, "d": "time 10:00 @ noon"}
    assert without_passwords(given) == {
        "a": ["s3://k:***@host/b", {"b": "x://u:***@h"}],
        "c": 1,
        "d": "time 10:00 @ noon",
    }


def test_rhythms_are_said_in_words() -> None:
    assert [(item.when, item.text) for item in rhythms(schedule(cron=None, every="45m"))] == [
        ("every 45m", "Every 45m")
    ]
    assert rhythms(schedule(cron=None, after=["users"]))[0].text == "When users has completed"
    levels = schedule(cron=None, levels={"full": "0 2 * * sun", "incremental": "0 2 * * mon-sat"})
    assert [item.kind for item in rhythms(levels)] == ["full", "incremental"]


def test_the_next_run_is_the_first_that_happens() -> None:
    held = schedule(skip_on=[{"name": "freeze", "dates": ["2026-11-22..2026-11-24"]}])
    first = next_run(held, held.definition(), now=NOW)
    assert first is not None
    assert first.at == datetime(2026, 11, 25, 2, tzinfo=UTC)
    assert coming(held, after=NOW, count=1)[0].skipped == "on calendar freeze"


def test_the_next_run_is_reckoned_anew_once_it_is_past() -> None:
    daily = schedule()
    first = next_run(daily, daily.definition(), now=NOW)
    again = next_run(daily, daily.definition(), now=NOW + timedelta(days=1))
    assert first is not None
    assert again is not None
    assert again.at - first.at == timedelta(days=1)


def test_a_definition_we_do_not_understand_is_no_schedule() -> None:
    assert schedule_of({}) is None
    assert schedule_of({"id": "x", "from": "a newer version"}) is None
