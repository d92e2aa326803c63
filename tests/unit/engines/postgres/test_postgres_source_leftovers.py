"""What killed runs left on a server is removed where no set and no run needs it, and never otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.maintain.source_leftovers import remove_source_leftovers
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import Connection
from airflow_backup.core.errors import SourceUnavailable
from airflow_backup.core.words import Trigger
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.engines.registry import Registry
from airflow_backup.schedules.model.base import Model
from airflow_backup.schedules.model.schedule import Schedule
from support.stored.sets import START, PlainJob, take


class Engine:
    """Remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str | None, bool, bool]] = []
        self.refuses = False

    def sweep(
        self, source: Model, context: EngineContext, *, in_use: bool, dry_run: bool = False
    ) -> list[str]:
        if self.refuses:
            raise SourceUnavailable("no answer")
        self.asked.append((context.schedule_id, in_use, dry_run))
        return [] if in_use else ["a slot"]


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as opened:
        yield opened


@pytest.fixture(autouse=True)
def own_scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def schedule(folder: Path) -> Schedule:
    return Schedule.model_validate(
        {
            "id": "wiki",
            "source": {"engine": "files", "path": str(folder)},
            "repository": f"file://{folder}/repository",
            "preset": "daily",
        }
    )


def sweep(
    engine: Engine, catalog: Catalog, folder: Path, **more: Any
) -> tuple[list[str], list[str]]:
    class Fixed(Registry):
        def get(self, name: str) -> Any:
            return engine

    found = remove_source_leftovers(
        [schedule(folder)],
        catalog,
        connections=lambda name: Connection(name),
        before=START + timedelta(days=1),
        engines=Fixed(),
        **more,
    )
    return list(found.removed), list(found.problems)


def test_a_schedule_without_sets_and_runs_is_swept(catalog: Catalog, tmp_path: Path) -> None:
    engine = Engine()
    assert sweep(engine, catalog, tmp_path) == (["a slot"], [])
    assert sweep(engine, catalog, tmp_path, dry_run=True) == (["a slot"], [])
    assert engine.asked == [("wiki", False, False), ("wiki", False, True)]


def test_what_a_schedule_with_sets_has_on_its_server_is_in_use(
    catalog: Catalog, tmp_path: Path
) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "one.txt").write_text("one")
    source = FilesOptions(engine="files", path=str(tmp_path / "notes"))
    take(PlainJob(source, f"file://{tmp_path}/repository"), catalog)
    engine = Engine()
    assert sweep(engine, catalog, tmp_path) == ([], [])
    assert engine.asked == [("wiki", True, False)]


@pytest.mark.parametrize(("days", "in_use"), [(2, True), (0, False)])
def test_a_run_that_is_at_work_needs_it_and_one_that_stands_still_for_long_does_not(
    catalog: Catalog, tmp_path: Path, days: int, in_use: bool
) -> None:
    at = START + timedelta(days=days)
    catalog.executions.begin("wiki", "r1", run_at=at, trigger=Trigger.SCHEDULE, at=at)
    engine = Engine()
    sweep(engine, catalog, tmp_path)
    assert engine.asked == [("wiki", in_use, False)]


def test_a_source_that_does_not_answer_is_a_problem_and_stops_no_other(
    catalog: Catalog, tmp_path: Path
) -> None:
    engine = Engine()
    engine.refuses = True
    assert sweep(engine, catalog, tmp_path) == (
        [],
        ["the source of 'wiki' cannot be asked: no answer"],
    )
