"""What is deployed and what was saved here, joined: a file wins, what is new is pending, what was deleted is gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_backup.catalog.records import Deployed, ScheduleVersion
from airflow_backup.plugin.schemas.schedules import State
from airflow_backup.plugin.views.rows import join, row_of

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def live(file: str = "catalog", **given: Any) -> Deployed:
    """Return a deployed schedule, seen at noon."""
    facts: dict[str, Any] = {
        "id": "wiki",
        "origin": "/dags/schedules.yaml",
        "line": 5,
        "definition": {"id": "wiki"},
        "state": "loaded",
        "problems": [],
        "content_hash": "",
        "seen_at": NOON,
    }
    return Deployed(file=file, **(facts | given))


def saved(minutes: int = -5, **given: Any) -> ScheduleVersion:
    """Return a version that was saved some minutes after noon."""
    facts: dict[str, Any] = {
        "id": "wiki",
        "version": 1,
        "definition": {"id": "wiki"},
        "author": "op",
        "created_at": NOON + timedelta(minutes=minutes),
        "is_deleted": False,
    }
    return ScheduleVersion(**(facts | given))


def test_a_file_wins_and_the_clash_is_told() -> None:
    row = row_of(live("schedules.yaml"), saved())
    assert row is not None
    assert (row.made, row.clash, row.origin) == (None, True, "schedules.yaml:5")


def test_what_was_just_saved_is_pending() -> None:
    row = row_of(None, saved())
    assert row is not None
    assert (row.state, row.origin) == (State.PENDING, "catalog")


def test_an_edit_is_pending_until_it_was_parsed() -> None:
    edit = saved(minutes=1, definition={"id": "wiki", "tags": ["new"]})
    row = row_of(live(), edit)
    assert row is not None
    assert (row.state, row.definition) == (State.PENDING, edit.definition)
    assert [item.state for item in join([live(definition=edit.definition)], [edit])] == [
        State.LOADED
    ]


def test_what_was_deleted_is_gone_though_its_dag_still_lives() -> None:
    assert row_of(live(), saved(is_deleted=True)) is None
    assert join([live()], []) == []
