"""How a schedule is, in one word, and why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_backup.core.words import ExecutionStatus, Trigger
from airflow_backup.plugin.schemas.schedules import Run, State
from airflow_backup.plugin.views.rhythms import coming, next_run, rhythms, schedule_of
from airflow_backup.plugin.views.schedules import judge, without_passwords
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


def run(status: ExecutionStatus, *, age: timedelta = timedelta(hours=1), **given: Any) -> Run:
    """Make a run that is over."""
    return Run(
        schedule_id="wiki",
        dag_id="backup__wiki",
        run_id="r1",
        status=status,
        trigger=Trigger.SCHEDULE,
        since=NOW - age,
        finished_at=NOW - age,
        **given,
    )


GOOD = run(ExecutionStatus.COMPLETED)
BAD = run(ExecutionStatus.FAILED, error="no room left", hint="is the disk full?")
OLD = run(ExecutionStatus.COMPLETED, age=timedelta(hours=30))
PROBLEM = {
    "file": "s.yaml",
    "line": 1,
    "message": "unknown key `crn`",
    "hint": "did you mean `cron`?",
}

CASES: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "never right": ({"state": State.REJECTED, "problems": [PROBLEM]}, "rejected", "unknown key `crn`"),
    "never right and failed once": ({"state": State.REJECTED, "last": BAD}, "rejected", "it is wrong, and nothing runs"),
    "failed last": ({"last": BAD, "last_good": OLD}, "failed", "no room left"),
    "failed and then disabled": ({"last": BAD, "enabled": False}, "failed", "no room left"),
    "too old": ({"last": OLD, "last_good": OLD}, "stale", "the last good backup is 30 hours old; the limit is 26 hours"),
    "too old and disabled": ({"last": OLD, "last_good": OLD, "enabled": False}, "stale", None),
    "an old version runs": ({"state": State.LAST_KNOWN_GOOD, "last_good": GOOD, "problems": [PROBLEM]}, "outdated", "unknown key `crn`"),
    "disabled": ({"enabled": False, "last_good": GOOD}, "disabled", None),
    "never ran": ({}, "waiting", None),
    "well": ({"last": GOOD, "last_good": GOOD}, "protected", None),
}  # fmt: skip


@pytest.mark.parametrize(("given", "condition", "reason"), CASES.values(), ids=CASES)
def test_a_schedule_is_judged_by_the_worst_that_is_true(
    given: dict[str, Any], condition: str, reason: str | None
) -> None:
    facts: dict[str, Any] = {"last": None, "last_good": None} | given
    state, enabled = facts.pop("state", State.LOADED), facts.pop("enabled", True)
    verdict = judge(state, enabled, schedule(alert_after="26h"), now=NOW, **facts)
    assert verdict.condition == condition
    if reason is not None:
        assert verdict.reason == reason


def test_without_a_limit_no_age_is_too_old() -> None:
    verdict = judge(State.LOADED, True, schedule(), last=OLD, last_good=OLD, now=NOW)
    assert verdict.condition == "protected"


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
