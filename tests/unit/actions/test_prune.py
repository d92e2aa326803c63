"""Pruning removes what nothing keeps, says why the rest stays, and finishes what was interrupted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.backup.backup import Run, backup
from airflow_backup.actions.maintain.prune import prune
from airflow_backup.actions.maintain.sync import sync
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.tables import sets
from airflow_backup.cli.main import main
from airflow_backup.core.connections import from_environment
from airflow_backup.core.errors import Refused, StorageDenied, StorageError
from airflow_backup.core.words import Kind, Trigger
from airflow_backup.schedules.model.policies import Retention
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.storage.folder import FolderStorage

NOW = datetime(2026, 5, 10, 12, tzinfo=UTC)


def _same(at: datetime) -> datetime:
    return at


class Place:
    """A schedule with a set for each of six days."""

    def __init__(self, folder: Path, catalog: Catalog, **more: Any) -> None:
        self.folder, self.catalog = folder, catalog
        self.schedule = Schedule.model_validate(
            {
                "id": "notes",
                "source": {"engine": "files", "path": str(folder / "data")},
                "repository": f"file://{folder}/repository",
                "preset": "daily",
                "retention": {"last": 2},
            }
            | more
        )
        (folder / "data").mkdir()
        for day in range(6):
            at = NOW - timedelta(days=6 - day)
            (folder / "data" / "a.txt").write_text(f"day {day}")
            run = Run(f"r{day}", at)
            clock = partial(_same, at)
            backup(self.schedule, run, catalog=catalog, connections=from_environment, clock=clock)

    def prune(self, **more: Any) -> Any:
        return prune(
            self.schedule,
            catalog=self.catalog,
            connections=from_environment,
            clock=lambda: NOW,
            actor="anna",
            **more,
        )

    def stored(self) -> list[str]:
        return sorted(
            path.parent.name for path in (self.folder / "repository").rglob("manifest.json")
        )

    def known(self) -> list[str]:
        return sorted(row.set_id for row in self.catalog.sets.of("notes"))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with Catalog.open(f"sqlite:///{tmp_path}/airflow_backup.db") as catalog:
        yield Place(tmp_path, catalog)


def test_what_nothing_keeps_goes_from_storage_and_catalog(place: Place) -> None:
    before = place.stored()
    result = place.prune()
    assert sorted(result.removed) == before[:4]
    assert place.stored() == place.known() == before[4:]
    assert not [
        path
        for path in (place.folder / "repository").rglob("*.zst")
        if path.parent.name in before[:4]
    ]
    assert place.prune().removed == []


def test_a_dry_run_says_what_would_go_and_removes_nothing(place: Place) -> None:
    before = place.stored()
    facts = place.prune(dry_run=True).as_dict()
    assert sorted(facts["removed"]) == before[:4]
    assert facts["bytes_removed"] > 0
    assert [item["reasons"] for item in facts["sets"]][:2] == [
        ["one of the last recoverable chain", "last 1 of 2"],
        ["last 2 of 2"],
    ]
    assert place.stored() == before


def test_a_backup_that_begins_while_sets_are_removed_stops_that_before_its_parent_is_gone(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = place.stored()
    mark = place.catalog.sets.mark
    begun: list[str] = []

    def marking(set_id: str, state: Any) -> None:
        mark(set_id, state)
        if not begun:  # a worker elsewhere, between the decision and the first deletion
            begun.append(set_id)
            place.catalog.executions.begin(
                "notes",
                "r9",
                run_at=NOW,
                trigger=Trigger.MANUAL,
                at=NOW,
                attempt=1,
                kind=Kind.INCREMENTAL,
            )

    monkeypatch.setattr(place.catalog.sets, "mark", marking)
    with pytest.raises(Refused, match="a backup of 'notes' is running: r9"):
        place.prune()
    assert place.stored() == before
    assert {row.state for row in place.catalog.sets.of("notes")} == {"good"}


def test_a_changed_policy_can_be_tried(place: Place) -> None:
    assert len(place.prune(policy=Retention(last=5), dry_run=True).removed) == 1


def test_an_interrupted_prune_leaves_no_set_that_looks_whole_and_is_finished_later(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete = FolderStorage.delete
    calls: list[str] = []

    def fails_at_the_second(storage: FolderStorage, name: str) -> None:
        calls.append(name)
        if len(calls) == 2:
            raise StorageError("no luck")
        delete(storage, name)

    monkeypatch.setattr(FolderStorage, "delete", fails_at_the_second)
    with pytest.raises(StorageError, match="no luck"):
        place.prune()
    assert calls[0].endswith("manifest.json")
    assert len(place.known()) == 6, "a failed delete keeps the row"
    assert len(place.stored()) == 5
    monkeypatch.undo()
    assert len(place.prune().removed) == 4
    assert place.stored() == place.known()
    assert len(place.known()) == 2


def test_nothing_goes_while_a_backup_runs(place: Place) -> None:
    place.catalog.executions.begin(
        "notes", "r9", run_at=NOW, trigger=Trigger.MANUAL, at=NOW, attempt=1
    )
    with pytest.raises(Refused, match="a backup of 'notes' is running: r9"):
        place.prune()
    assert len(place.stored()) == 6


def test_every_removal_is_in_the_events(place: Place) -> None:
    removed = place.prune().removed
    events = [event for event in place.catalog.events.recent(limit=50) if event.action == "prune"]
    assert {event.subject for event in events} == set(removed)
    assert {event.actor for event in events} == {"anna"}


def test_the_command_prints_the_reasons(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (place.folder / "schedules.yaml").write_text(
        "version: 1\nschedules:\n  - id: notes\n    preset: daily\n    retention: {last: 2}\n"
        f"    source: {{engine: files, path: {place.folder}/data}}\n    repository: file://{place.folder}/repository\n"
    )
    monkeypatch.chdir(place.folder)
    monkeypatch.setenv("AIRFLOW_HOME", str(place.folder))
    monkeypatch.setattr(
        "airflow_backup.catalog.rules.retention.CLOCK_MAY_JUMP", timedelta(days=40_000)
    )
    assert main(["prune", "notes", "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "last 2 of 2" in printed
    assert "4 of 6 sets would go" in printed
    assert len(place.stored()) == 6


def test_what_the_storage_locks_stays_as_it_is_and_so_does_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Catalog.open("sqlite://") as catalog:
        place = Place(tmp_path, catalog)
        oldest, locked = place.stored()[:2]
        with catalog._database.writing() as connection:
            connection.execute(
                sets.update().where(sets.c.set_id == locked).values(parent=oldest, base=oldest)
            )
        delete = FolderStorage.delete

        def refuses(storage: FolderStorage, name: str) -> None:
            if locked in name:
                raise StorageDenied(f"'{name}' is locked until 2027")
            delete(storage, name)

        monkeypatch.setattr(FolderStorage, "delete", refuses)
        result = place.prune()
        assert len(result.removed) == 2
        assert list(result.refused) == [locked, oldest]
        assert result.refused[oldest] == f"needed by {locked}"
        assert {row.state for row in catalog.sets.of("notes")} == {"good"}
        monkeypatch.undo()
        assert sorted(place.prune().removed) == [oldest, locked]


def test_a_lock_of_the_schedule_is_in_the_manifest_and_outlives_the_catalog(tmp_path: Path) -> None:
    with Catalog.open("sqlite://") as catalog:
        place = Place(tmp_path, catalog, retention={"last": 1, "lock": "3d"})
        assert len(place.prune().removed) == 4, "the locks of four have ended"
    with Catalog.open("sqlite://") as catalog:
        sync(FolderStorage(tmp_path / "repository"), place.schedule.repository, catalog)
        place.catalog = catalog
        result = place.prune(policy=Retention(last=1))
        assert result.removed == []
        assert "locked until" in ", ".join(result.verdicts[-1].reasons)
        newest = catalog.sets.of("notes")[0]
        assert catalog.sets.lock(newest.set_id, NOW + timedelta(days=900))
        assert not catalog.sets.lock(newest.set_id, NOW), "a lock is never made shorter"


def test_the_command_tries_other_rules_and_removes_nothing(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    file = place.folder / "schedules.yaml"
    file.write_text(json.dumps({"version": 1, "schedules": [place.schedule.definition()]}))
    command = ["prune", "notes", "--schedules", str(file), "--policy", "{last: 5}"]
    command += ["--catalog", f"sqlite:///{place.folder}/airflow_backup.db"]
    at = NOW - timedelta(days=1)
    with place.catalog._database.writing() as connection:
        moved = datetime.now(UTC) - at
        for row in place.catalog.sets.of("notes"):
            values = {"consistent_at": row.consistent_at + moved}
            connection.execute(sets.update().where(sets.c.set_id == row.set_id).values(values))
    assert main(command) == 1
    assert "other rules can only be tried" in capsys.readouterr().err
    assert main([*command, "--dry-run"]) == 0
    assert "1 of 6 sets would go" in capsys.readouterr().out
    assert len(place.stored()) == 6
    with pytest.raises(SystemExit):
        main([*command[:-4], "--policy", "{lust: 5}", "--dry-run"])
    assert "lust: Extra inputs" in capsys.readouterr().err
