"""Receivers that have one name are two, and nobody learns of those of schedules that they may not read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from sqlalchemy.orm import Session

from airflow_backup.actions.alerts.notify.channels import channels_of
from airflow_backup.actions.report.protection import Subject
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import DeployedState
from airflow_backup.core.errors import NotFound
from airflow_backup.plugin.access import Access
from airflow_backup.plugin.errors import InvalidDefinition
from airflow_backup.plugin.http.routes.receivers import test_receiver as send_test_to
from airflow_backup.plugin.schemas.requests import Nothing
from airflow_backup.plugin.services import edits
from airflow_backup.schedules.loading.dependencies import Elsewhere
from airflow_backup.schedules.model.schedule import Schedule


def whole(name: str, to: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": name,
        "source": {"engine": "sqlite", "connection": "wiki_db"},
        "repository": "sftp://vault/srv",
        "preset": "daily",
        "notify": [{"to": to}],
    }


@dataclass(frozen=True)
class Entry:
    id: str
    definition: Mapping[str, Any]
    file: str = "schedules.yaml"
    line: int = 1
    content_hash: str = "x"
    state: DeployedState = "loaded"
    problems: Sequence[Any] = field(default_factory=tuple)


class NobodyReads(SimpleAuthManager):
    """Lets nobody read any DAG."""

    def get_authorized_dag_ids(self, **_: Any) -> set[str]:
        return set()

    def filter_authorized_dag_ids(self, **_: Any) -> set[str]:
        return set()


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        yield catalog


@pytest.mark.parametrize("made", ["", "aaa", "zzz"])
@pytest.mark.parametrize("names", [("aaa", "orders"), ("zzz", "orders")])
def test_a_receiver_of_the_same_name_takes_no_messages_of_another(
    names: tuple[str, str], made: str
) -> None:
    theirs, ours = names
    given = {
        theirs: {"name": "ops", "email": "eve@example.org"},
        ours: {"name": "ops", "email": "ops@example.org"},
    }
    subjects = [
        replace(Subject.of(Schedule.model_validate(whole(name, given[name]))), is_made=name == made)
        for name in sorted(names)
    ]
    channels = channels_of(subjects)
    told = {
        name: list(each.receiver.email or ()) for each in channels.values() for name in each.notices
    }
    assert told == {theirs: ["eve@example.org"], ours: ["ops@example.org"]}
    assert all(len(key) <= 63 for key in channels)
    if made in names:  # and what waits under the name, as told to a key, is for the file's
        assert list(channels["ops"].notices) == ["orders"]


def test_what_waits_for_one_that_was_made_goes_to_no_other_of_its_name() -> None:
    """Whoever makes a schedule chooses its id, which may come before those of others."""
    alone = [
        channels_of(
            [
                replace(
                    Subject.of(Schedule.model_validate(whole(name, {"name": "ops", "email": to}))),
                    is_made=True,
                )
            ]
        )
        for name, to in (("orders", "ops@example.org"), ("aaa", "eve@example.org"))
    ]
    assert not alone[0].keys() & alone[1].keys()


def test_who_copies_a_schedule_of_a_file_is_told_by_the_same_receiver() -> None:
    to = {"name": "ops", "email": "ops@example.org"}
    original, copy = (
        Subject.of(Schedule.model_validate(whole(name, to))) for name in ("orders", "a-copy")
    )
    channels = channels_of([replace(copy, is_made=True), original])
    assert {key: sorted(each.notices) for key, each in channels.items()} == {
        "ops": ["a-copy", "orders"]
    }


def test_a_receiver_of_a_schedule_that_one_may_not_read_is_not_there(
    catalog: Catalog, session: Session
) -> None:
    definition = Schedule.model_validate(
        whole("hr", {"name": "staff", "webhook": "none"})
    ).definition()
    catalog.deployed.replace("file:x", [Entry("hr", definition)])
    op = SimpleAuthManagerUser(username="op", role="OP")
    access = Access(user=op, session=session, manager=NobodyReads())  # type: ignore[no-untyped-call]
    with pytest.raises(NotFound, match="no receiver 'staff'"):
        send_test_to("staff", Nothing(), catalog, access)


def test_a_schedule_of_the_page_sends_no_file_of_the_worker() -> None:
    to = {"notifier": "smtp", "options": {"to": "eve@example.org", "files": ["/etc/passwd"]}}
    with pytest.raises(InvalidDefinition, match="the option 'files' of smtp is not for schedules"):
        edits.checked(whole("evil", to), elsewhere=Elsewhere())
