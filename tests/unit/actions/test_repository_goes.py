"""
A repository that goes in the middle, before any of its calls: said as what it is, and no set is called damaged for it.

A disk that is pulled, a folder that is moved, a mount that ends and leaves an empty folder or another disk.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.maintain.prune import prune
from airflow_backup.actions.maintain.sync import sync
from airflow_backup.actions.restore.restore import restore
from airflow_backup.actions.sets.repository import MARKER_NAME
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.actions.verify.verify import Bare, Verifier
from airflow_backup.catalog import Catalog
from airflow_backup.core.classify import classify
from airflow_backup.core.connections import from_environment
from airflow_backup.core.errors import BackupError
from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.words import Kind, VerificationLevel, VerificationOutcome
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.schedules.model.policies import Retention
from airflow_backup.storage.folder import FolderStorage
from airflow_backup.storage.folder_writer import FolderWriter
from support.stored.sets import START, Clock, PlainJob, run_number, take

HOW = ["no folder", "an empty folder", "another disk"]
CALLS = {
    FolderStorage: (
        "create",
        "put",
        "read",
        "open",
        "stat",
        "list",
        "folders",
        "delete",
        "leftovers",
    ),
    FolderWriter: ("write", "commit"),
}
VERBS = ("backup", "quick", "standard", "full", "prune", "sync", "restore")


class Place:
    """A repository with a chain of two sets, which goes before a certain call."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source, self.repository = folder / "source", folder / "repository"
        self.source.mkdir()
        for name in "abc":
            (self.source / name).write_bytes(random.randbytes(30_000))
        options = FilesOptions(engine="files", path=str(self.source))
        self.job = PlainJob(
            options, f"file://{self.repository}", retention=Retention(last=1, min_chains=1)
        )
        self.catalog = Catalog.open(f"sqlite:///{folder}/catalog.db")
        take(self.job, self.catalog, run=run_number(1))  # a prune removes it
        (self.source / "a").write_bytes(b"changed")
        self.newest = take(self.job, self.catalog, run=run_number(2), kind=Kind.FULL).set_id
        self.calls, self.at, self.how = 0, 0, ""

    def count(self) -> None:
        """Take the repository away before the call that was chosen."""
        self.calls += 1
        if self.calls == self.at:
            self.repository.rename(self.folder / "away")
            if self.how != "no folder":
                self.repository.mkdir()
            if self.how == "another disk":
                marker = {"format_version": 1, "id": "0" * 32}
                (self.repository / MARKER_NAME).write_text(json.dumps(marker))

    def do(self, verb: str) -> Any:
        """Do what the verb does to these sets; return its answer."""
        if verb == "backup":
            return take(self.job, self.catalog, run=run_number(3))
        if verb == "prune":
            return prune(
                self.job,
                catalog=self.catalog,
                connections=from_environment,
                clock=Clock(START + timedelta(days=9)),
                actor="test",
            )
        if verb == "sync":
            return sync(FolderStorage(self.repository), self.job.repository, self.catalog)
        if verb == "restore":
            return restore(
                Trust(self.job.id, "files"),
                repository=self.job.repository,
                target=self.folder / f"target-{self.how}-{self.at}",
                connections=from_environment,
                clock=Clock(),
                set_id=self.newest,
            )
        bare = Bare(self.job.id, self.job.repository, "files")
        verifier = Verifier(bare, catalog=self.catalog, connections=from_environment, clock=Clock())
        return verifier.verify(self.newest, VerificationLevel(verb))


@pytest.fixture
def place_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Place]]:
    """Make such places, whose calls of the storage are counted."""
    made: list[Place] = []

    def counted(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **more: Any) -> Any:
            made[-1].count()
            return method(*given, **more)

        return call

    def make(name: str) -> Place:
        (tmp_path / name).mkdir()
        place = Place(tmp_path / name)
        made.append(place)
        return place

    make("first")
    for kind, names in CALLS.items():
        for name in names:
            monkeypatch.setattr(kind, name, counted(getattr(kind, name)))
    yield make
    for place in made:
        place.catalog.close()


def states(place: Place) -> dict[str, str]:
    return {row.set_id: row.state for row in place.catalog.sets.of(place.job.id)}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("verb", VERBS)
def test_what_goes_in_the_middle_is_not_there_and_not_damaged(
    verb: str, how: str, place_of: Callable[[str], Place]
) -> None:
    number = 0
    while True:
        number += 1
        place = place_of(f"{number}")
        place.calls, place.at, place.how = 0, number, how
        answer: Any = None
        try:
            answer = place.do(verb)
        except BackupError as error:
            answer = error
        place.at = 0  # from here on it stays
        if place.calls < number:
            break  # every call was tried
        if isinstance(answer, BackupError):
            assert classify(answer) is FailureClass.NOT_FOUND, f"before call {number}: {answer}"
        if isinstance(answer, list):
            outcomes = {each.outcome for each in answer}
            assert VerificationOutcome.FAILED not in outcomes, f"before call {number}: {answer}"
        known = states(place)
        assert set(known.values()) <= {"good", "deleting"}, f"before call {number}: {known}"
        assert known[place.newest] == "good", f"before call {number}: {known}"
    assert number > 2, "it does not look at the storage"
