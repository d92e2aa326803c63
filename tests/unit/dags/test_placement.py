"""A schedule's tasks go to the workers that have its data: every one of them, and restores on demand, too."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator
from airflow.serialization.serialized_objects import DagSerialization

from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import ConfigError
from airflow_backup.core.ids import requested_dag_id
from airflow_backup.dags import generate, report_errors
from airflow_backup.dags.verbs import VERBS
from airflow_backup.operators.backup import BackupOperator
from airflow_backup.schedules.loading.loader import parse
from airflow_backup.schedules.model.placement import Placement

FILE = """\
version: 1
defaults: {repository: "sftp://vault/b", preset: daily, queue: shared}
templates:
  pod: {executor: LocalExecutor, executor_config: nas-volume}
groups:
  slow: {pool: one-by-one}
schedules:
  - {id: wiki, source: {engine: files, path: /srv}, queue: nas, retention: {last: 3}}
  - {id: shop, source: {engine: files, path: /srv}, extends: pod, group: slow, retention: {last: 3}}
  - {id: crm, source: {engine: files, path: /srv}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DAG folder with placed schedules, and an administrator's templates."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    (tmp_path / "schedules.yaml").write_text(FILE)
    module = ModuleType("company_pods")
    vars(module)["TEMPLATES"] = {"nas-volume": {"volume": "nas"}}
    monkeypatch.setitem(sys.modules, "company_pods", module)
    monkeypatch.setenv("AIRFLOW__BACKUP__EXECUTOR_CONFIGS", "company_pods:TEMPLATES")
    return tmp_path


def parsed(folder: Path) -> dict[str, DAG]:
    namespace: dict[str, Any] = {"__file__": str(folder / "backup_dags.py")}
    generate(namespace)
    return {name: value for name, value in namespace.items() if isinstance(value, DAG)}


def placed(dag: DAG) -> dict[str, tuple[Any, ...]]:
    """Where each task goes, by its id."""
    return {
        task.task_id: (task.queue, task.executor, task.pool, task.executor_config)
        for task in dag.tasks
        if isinstance(task, BaseOperator)
    }


def problems(folder: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        report_errors({"__file__": str(folder / "schedule_errors.py")})
    return str(caught.value)


def test_every_task_of_a_schedule_goes_where_the_schedule_says(folder: Path) -> None:
    dags = parsed(folder)
    assert placed(dags["backup__wiki"]) == {
        "window": ("nas", None, "default_pool", {}),
        "backup": ("nas", None, "backup", {}),
        "verify": ("nas", None, "backup", {}),
        "prune": ("nas", None, "default_pool", {}),
    }
    pod = ("shared", "LocalExecutor", "one-by-one", {"volume": "nas"})
    assert placed(dags["backup__shop"]) == {
        "window": ("shared", "LocalExecutor", "default_pool", {"volume": "nas"}),
        "backup": pod,
        "verify": pod,
        "prune": pod,
    }
    assert {queue for queue, *_ in placed(dags["backup__crm"]).values()} == {"shared"}


@pytest.mark.parametrize("verb", ["restore", "verify"])
def test_on_demand_there_is_a_dag_for_each_placement(folder: Path, verb: str) -> None:
    dags = parsed(folder)
    pods = Placement("shared", "LocalExecutor", "one-by-one", "nas-volume")
    wanted = {
        requested_dag_id(verb, None): ("default", None, "backup", {}),
        requested_dag_id(verb, "nas"): ("nas", None, "backup", {}),
        requested_dag_id(verb, "shared"): ("shared", None, "backup", {}),
        requested_dag_id(verb, pods.name): (
            "shared",
            "LocalExecutor",
            "one-by-one",
            {"volume": "nas"},
        ),
    }
    found = {
        name: placed(dag)[verb] for name, dag in dags.items() if name.startswith(f"backup_{verb}")
    }
    assert {
        name: value for name, value in found.items() if not name.startswith("backup__")
    } == wanted
    for name in wanted:
        assert [
            str(kind) for kind in DagSerialization.to_dict(dags[name])["dag"]["allowed_run_types"]
        ] == ["manual"]


def test_a_worker_builds_its_task_without_templates_and_executors(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [name for name in parsed(folder) if name not in VERBS]
    monkeypatch.setenv("AIRFLOW__BACKUP__EXECUTOR_CONFIGS", "nothing_here:AT_ALL")
    for name in ids:
        monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", name)
        assert list(parsed(folder)) == [name]


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("nas-volume", "nas-folder", "no template 'nas-folder' in [backup] executor_configs"),
        ("LocalExecutor", "MoonExecutor", "Airflow has no executor 'MoonExecutor'"),
        ("queue: nas,", "queue: 'n as',", "queue: "),
    ],
)
def test_what_airflow_could_not_place_is_rejected_alone(
    folder: Path, before: str, after: str, message: str
) -> None:
    (folder / "schedules.yaml").write_text(FILE.replace(before, after))
    dags = {name for name in parsed(folder) if name.startswith("backup__")}
    assert len(dags) == 2, (
        "Airflow would make an import error of it, which stops all DAGs of the file"
    )
    assert message in problems(folder)


def test_an_unplaced_schedule_is_serialized_as_before(folder: Path) -> None:
    (folder / "schedules.yaml").write_text(FILE.replace(", queue: shared", ""))
    (task, *_) = DagSerialization.to_dict(parsed(folder)["backup__crm"])["dag"]["tasks"]
    assert not {"queue", "executor", "executor_config"} & set(task["__var"])


def test_a_schedule_made_on_the_page_chooses_only_what_an_administrator_lists(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"id": "made", "source": {"engine": "files", "path": "/srv"}, "preset": "daily"}
    with Catalog.open(f"sqlite:///{folder}/airflow_backup.db") as catalog:
        catalog.schedules.save(
            "made",
            given | {"repository": "sftp://vault/b", "queue": "nas"},
            author="anna",
            at=datetime.now(UTC),
            after_version=0,
        )
    assert "backup__made" not in parsed(folder)
    assert "'nas' is not on the list of allowed queues" in problems(folder)
    monkeypatch.setenv("AIRFLOW__BACKUP__ALLOWED_QUEUES", "other, nas")
    assert placed(parsed(folder)["backup__made"])["backup"][0] == "nas"


def test_a_hand_written_task_takes_its_queue_from_airflow_and_refuses_one_that_would_do_nothing() -> (
    None
):
    given: dict[str, Any] = {
        "task_id": "backup",
        "source": {"engine": "files", "path": "/srv"},
        "repository": "file:///b",
    }
    assert BackupOperator(**given, queue="nas").queue == "nas"
    with pytest.raises(ConfigError, match="`queue` in `options` places nothing"):
        BackupOperator(**given, options={"queue": "nas"})  # type: ignore[arg-type]


def test_free_content_for_an_executor_is_no_key_of_a_schedule() -> None:
    loaded = parse(FILE.replace("executor_config: nas-volume", "executor_config: {image: evil}"))
    assert [problem.path for problem in loaded.problems] == ["templates.pod.executor_config"]


def test_no_queue_has_the_name_of_another_place() -> None:
    """Else one DAG would restore for both, on the workers of one."""
    place = Placement(queue="nas", pool="slow")
    assert place.name is not None
    assert Placement(queue=place.name).name != place.name
    assert Placement(queue="nas-1").name == "nas-1"
