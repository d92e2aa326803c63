"""Whatever a worker's files and index say, a task goes by the definition in force, or fails and says why."""

from __future__ import annotations

import os
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator

from airflow_backup.actions.backup.in_force import in_force
from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import (
    BackupError,
    CatalogError,
    Inconclusive,
    NotFound,
    Refused,
    StaleDefinition,
)
from airflow_backup.core.format.manifest import read_manifest
from airflow_backup.dags import generate, task_dag
from airflow_backup.operators.backup import BackupOperator
from airflow_backup.operators.prune import PruneOperator
from airflow_backup.operators.requested import RequestedVerifyOperator
from airflow_backup.operators.shared.in_force import schedule_in_force
from airflow_backup.operators.verify import VerifyOperator
from airflow_backup.schedules.model.schedule import Schedule

FILE = """\
version: 1
defaults: {{repository: "file://{repository}", retention: {{last: 3}}}}
schedules:
  - id: wiki
    source: {{engine: files, path: {source}}}
    preset: daily
"""
LONG_AGO = timedelta(hours=1)


class Machine:
    """One machine: files and an index of its own, one catalog with the others."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self._monkeypatch = home, monkeypatch
        home.mkdir()

    def write(self, text: str) -> None:
        (self.folder / "schedules.yaml").write_text(text)

    def _globals(self, dag_id: str | None) -> dict[str, Any]:
        patch = self._monkeypatch
        patch.setenv("AIRFLOW__BACKUP__INDEX_FOLDER", str(self.folder / "index"))
        if dag_id is None:
            patch.delenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", raising=False)
        else:
            patch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", dag_id)
        namespace: dict[str, Any] = {"__file__": str(self.folder / "backup_dags.py")}
        generate(namespace)
        return namespace

    def parse(self) -> None:
        """What the DAG processor does."""
        self._globals(None)

    def dag(self, dag_id: str = "backup__wiki") -> DAG:
        """What a worker builds for a task."""
        found = self._globals(dag_id)[dag_id]
        assert isinstance(found, DAG)
        return found

    def backup(self, dag_id: str = "backup__wiki") -> BackupOperator:
        task = self.dag(dag_id).get_task("backup")
        assert isinstance(task, BackupOperator)
        return task


@pytest.fixture
def machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Machine, Machine]:
    """A DAG processor and a worker, with the same files."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("hello")
    processor = Machine(tmp_path / "processor", monkeypatch)
    worker = Machine(tmp_path / "worker", monkeypatch)
    for machine in (processor, worker):
        machine.write(text(tmp_path))
    return processor, worker


@pytest.fixture
def catalog(tmp_path: Path) -> Any:
    with Catalog.open(f"sqlite:///{tmp_path}/airflow_backup.db") as opened:
        yield opened


def text(home: Path, source: str = "data", repository: str = "repository") -> str:
    return FILE.format(repository=home / repository, source=home / source)


def save(catalog: Catalog, version: int = 0, **more: Any) -> None:
    """Save a version of the schedule `made`, as the page does."""
    given = {"id": "made", "source": {"engine": "files", "path": "/srv"}, "preset": "daily"}
    definition = given | {"repository": "file:///b"} | more
    catalog.schedules.save(
        "made", definition, author="anna", at=datetime.now(UTC), after_version=version
    )


def age(catalog: Catalog, machine: Machine) -> None:
    """Let the DAG processor have read the files long after they were changed."""
    origin = str(machine.folder / "schedules.yaml")
    catalog.deployed.note_read(origin, also=(), at=datetime.now(UTC) + LONG_AGO)


def context(task: BaseOperator) -> Any:
    now = datetime.now(UTC)
    run = SimpleNamespace(
        run_id="manual__1", run_type="manual", logical_date=None, run_after=now, conf={}
    )
    return {"dag_run": run, "ti": SimpleNamespace(try_number=1), "task": task}


def start(task: BaseOperator) -> Any:
    """Run a task as Airflow's worker does."""
    given = context(task)
    if task._pre_execute_hook is not None:
        task._pre_execute_hook(given)
    return task.execute(given)


@pytest.mark.parametrize("has_index", [True, False], ids=["with an index", "without an index"])
def test_an_edit_on_the_page_counts_for_the_next_task_of_every_worker(
    machines: tuple[Machine, Machine], catalog: Catalog, *, has_index: bool
) -> None:
    processor, worker = machines
    save(catalog)
    processor.parse()
    if has_index:
        worker.parse()
        assert list(worker.folder.glob("index/*"))
    save(catalog, 1, repository="file:///elsewhere")
    task = worker.backup("backup__made")
    assert (task.repository, task.version, task.fenced) == ("file:///elsewhere", 2, True)
    for name, kind in (("verify", VerifyOperator), ("prune", PruneOperator)):
        other = worker.dag("backup__made").get_task(name)
        assert isinstance(other, kind)
        assert isinstance(other.schedule, Schedule)
        assert other.schedule.repository == "file:///elsewhere"


def test_restore_and_verify_on_demand_go_by_the_newest_edit(
    machines: tuple[Machine, Machine], catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__BACKUP__SOURCE_ROOTS", "/srv")
    monkeypatch.setenv("AIRFLOW__BACKUP__REPOSITORY_ROOTS", "/b,/elsewhere")
    save(catalog)
    machines[0].parse()
    save(catalog, 1, repository="file:///elsewhere")
    assert schedule_in_force(catalog, "made").repository == "file:///elsewhere"
    catalog.tickets.issue(
        "manual__1",
        "verify",
        "made",
        {"set_id": "20261121T020000Z-2a642dede1", "level": "quick"},
        person="anna",
        at=datetime.now(UTC),
    )
    with pytest.raises(Inconclusive, match="file:///elsewhere is empty"):
        start(RequestedVerifyOperator(task_id="verify"))


def save_at_nas(patch: pytest.MonkeyPatch, machine: Machine, catalog: Catalog) -> None:
    """Make a schedule on the page, whose tasks run in the queue ``nas``, and read it."""
    for name, value in (
        ("SOURCE_ROOTS", "/srv"),
        ("REPOSITORY_ROOTS", "/b"),
        ("ALLOWED_QUEUES", "nas"),
    ):
        patch.setenv(f"AIRFLOW__BACKUP__{name}", value)
    save(catalog, queue="nas")
    machine.parse()


@pytest.mark.parametrize("place", ["", "__other"])
def test_what_was_asked_for_is_done_only_where_the_schedule_is_placed_by_now(
    machines: tuple[Machine, Machine],
    catalog: Catalog,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    save_at_nas(monkeypatch, machines[0], catalog)
    catalog.tickets.issue(
        "manual__1",
        "verify",
        "made",
        {"set_id": "20261121T020000Z-2a642dede1", "level": "quick"},
        person="anna",
        at=datetime.now(UTC),
    )

    def task(name: str) -> Any:
        return machines[1].dag(name).get_task("verify")

    # Who may start DAGs may give a run of another one the same id.
    with pytest.raises(Refused, match="is a run of DAG 'backup_verify__nas'"):
        start(task(f"backup_verify{place}"))
    with pytest.raises(BackupError, match=r"20261121T020000Z-2a642dede1|file:///b"):
        start(task("backup_verify__nas"))  # which has its ticket still


def test_what_was_asked_for_on_chosen_workers_is_done_there_alone(
    machines: tuple[Machine, Machine], catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_at_nas(monkeypatch, machines[0], catalog)
    asked: dict[str, Any] = {
        "set_id": None,
        "at": None,
        "target": "/srv/x",
        "paths": [],
        "place": "backup_restore",
    }
    catalog.tickets.issue("manual__1", "restore", "made", asked, person="a", at=datetime.now(UTC))

    def task(name: str) -> Any:
        return machines[1].dag(name).get_task("restore")

    with pytest.raises(Refused, match="is a run of DAG 'backup_restore', and this is one of"):
        start(task("backup_restore__nas"))
    with pytest.raises(Refused, match="'/srv/x' does not lie below"):  # it has its ticket still
        start(task("backup_restore"))


def test_a_worker_with_old_files_goes_by_what_the_dag_processor_read(
    machines: tuple[Machine, Machine], catalog: Catalog, tmp_path: Path
) -> None:
    processor, worker = machines
    worker.parse()
    processor.write(text(tmp_path, source="new"))
    processor.parse()
    age(catalog, processor)
    assert worker.backup().source["path"] == str(tmp_path / "new")


def test_a_worker_without_files_goes_by_what_the_dag_processor_read(
    machines: tuple[Machine, Machine],
) -> None:
    processor, worker = machines
    processor.parse()
    shutil.rmtree(worker.folder)
    task = worker.backup()
    assert task.fenced is False
    assert task._pre_execute_hook is None


def test_a_file_that_changed_a_moment_ago_is_waited_for_until_the_dag_processor_has_read_it(
    machines: tuple[Machine, Machine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    processor, _ = machines
    processor.parse()
    processor.write(text(tmp_path, source="data", repository="new"))
    task = processor.backup()
    assert task.repository == f"file://{tmp_path}/new"

    def parse(seconds: float) -> None:
        processor.parse()

    monkeypatch.setattr(time, "sleep", parse)
    assert start(task)["repository"] == f"file://{tmp_path}/new"


def test_a_worker_whose_new_files_nobody_else_has_fails_and_says_so(
    machines: tuple[Machine, Machine], catalog: Catalog, tmp_path: Path, monkeypatch: Any
) -> None:
    processor, worker = machines
    processor.parse()
    worker.write(text(tmp_path, source="other"))
    task = worker.backup()
    monkeypatch.setattr(task_dag, "_LONGEST_WAIT", 0.0)
    with pytest.raises(StaleDefinition, match="no DAG processor has read it"):
        start(task)
    execution = catalog.executions.last()["wiki"]
    assert str(execution.error).startswith(f"the files at {worker.folder}/schedules.yaml say")
    assert not (tmp_path / "repository").exists(), "nothing was stored by the one or the other"


def test_a_worker_that_cannot_ask_the_catalog_fails_instead_of_going_on_with_what_it_has(
    machines: tuple[Machine, Machine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    processor, worker = machines
    processor.parse()
    worker.parse()
    monkeypatch.setattr(task_dag, "WHILE_PARSING", 0.0)
    monkeypatch.setattr(task_dag, "PATIENCE", 0.0)
    monkeypatch.setenv("AIRFLOW__BACKUP__CATALOG_CONN_ID", "catalog")
    monkeypatch.setenv("AIRFLOW_CONN_CATALOG", f"sqlite:///{tmp_path}/gone/catalog.db")
    for with_index in (True, False):
        if not with_index:
            shutil.rmtree(worker.folder)
        dag = worker.dag()
        assert {task.task_id for task in dag.tasks} == {"window", "backup", "verify", "prune"}
        for task in dag.tasks:
            assert isinstance(task, BaseOperator)
            with pytest.raises(CatalogError, match="does not exist"):
                start(task)


def test_a_catalog_that_answers_again_lets_the_task_go_on_by_the_same_definition_only(
    machines: tuple[Machine, Machine], catalog: Catalog, tmp_path: Path, monkeypatch: Any
) -> None:
    processor, worker = machines
    for machine in machines:
        machine.parse()

    def fails(*_: Any, **__: Any) -> Any:
        raise CatalogError("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(task_dag, "_ask", fails)
        same, other = worker.backup(), worker.backup()
    assert start(same)["status"] == "completed"
    processor.write(text(tmp_path, source="new"))
    processor.parse()
    age(catalog, processor)
    with pytest.raises(StaleDefinition, match="changed while the task started"):
        start(other)


def test_a_deleted_schedule_runs_no_more(
    machines: tuple[Machine, Machine], catalog: Catalog
) -> None:
    processor, _ = machines
    save(catalog)
    processor.parse()
    catalog.schedules.save(
        "made", {}, author="ben", at=datetime.now(UTC), after_version=1, is_deleted=True
    )
    task = processor.dag("backup__made").get_task("backup")
    assert isinstance(task, BaseOperator)
    with pytest.raises(NotFound, match="no schedule 'made': ben deleted it at"):
        start(task)


def test_the_version_stands_with_the_execution_and_in_the_manifest(
    machines: tuple[Machine, Machine], catalog: Catalog, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("AIRFLOW__BACKUP__SOURCE_ROOTS", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__BACKUP__REPOSITORY_ROOTS", str(tmp_path))
    more: dict[str, Any] = {
        "source": {"engine": "files", "path": f"{tmp_path}/data"},
        "repository": f"file://{tmp_path}/repository",
    }
    save(catalog, **more)
    machines[0].parse()
    save(catalog, 1, **more, priority=7)
    facts = start(machines[1].backup("backup__made"))
    execution = catalog.executions.get("made", facts["run_id"])
    wanted = in_force(catalog, "made").digest
    assert execution is not None
    assert (execution.definition, execution.definition_version) == (wanted, 2)
    (attempt,) = catalog.executions.attempts(execution)
    assert (attempt.definition, attempt.definition_version) == (wanted, 2)
    file = tmp_path / f"repository/made/sets/{facts['set_id']}/manifest.json"
    assert read_manifest(file.read_bytes(), name="m").definition == wanted


def test_the_start_of_a_task_reads_no_schedules_file_that_is_older_than_the_catalog(
    machines: tuple[Machine, Machine], catalog: Catalog
) -> None:
    processor, worker = machines
    processor.parse()
    age(catalog, processor)
    (worker.folder / "schedules.yaml").write_text("this: [is no YAML")
    os.chmod(worker.folder / "schedules.yaml", 0o600)
    assert worker.backup().schedule is not None
    assert not (worker.folder / "index").exists()
