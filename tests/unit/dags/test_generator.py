"""Schedules become DAGs one by one: what is wrong costs nobody else, and is not silent."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, Context
from airflow.serialization.serialized_objects import DagSerialization

from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import ConfigError
from airflow_backup.dags import factory, generate, generator, report_errors
from airflow_backup.dags.verbs import MONITOR, RESTORE, VERBS
from airflow_backup.operators.backup import BackupOperator

FILE = """\
version: 1
defaults: {repository: "file:///b", timezone: Europe/Berlin, tags: [prod, eu]}
schedules:
  - id: wiki
    description: The wiki
    group: files
    source: {engine: files, path: /srv}
    levels: {full: "0 2 * * sun", incremental: "0 2 * * mon-sat"}
    priority: 200
    max_duration: 4h
    enabled: false
  - id: shop
    source: {engine: sqlite, path: /srv/x.db}
    after: [wiki]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DAG folder with schedules, which is also Airflow's home."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    (tmp_path / "schedules.yaml").write_text(FILE)
    return tmp_path


def backup_task(dag: DAG) -> BackupOperator:
    """The task that takes the backup."""
    task = dag.get_task("backup")
    assert isinstance(task, BackupOperator)
    return task


def parsed(folder: Path) -> dict[str, DAG]:
    """What the DAG file's globals hold after Airflow has read it."""
    namespace: dict[str, Any] = {"__file__": str(folder / "backup_dags.py")}
    generate(namespace)
    dags = {name: value for name, value in namespace.items() if isinstance(value, DAG)}
    return {name: dag for name, dag in dags.items() if name not in VERBS}


def deployed(folder: Path) -> dict[str, str]:
    """What the catalog says of every schedule."""
    with Catalog.open(f"sqlite:///{folder}/airflow_backup.db") as catalog:
        return {row.id: row.state for row in catalog.deployed.all()}


def test_every_schedule_is_a_dag(folder: Path) -> None:
    dags = parsed(folder)
    assert list(dags) == ["backup__wiki", "backup__shop"]
    wiki = dags["backup__wiki"]
    assert (wiki.max_active_runs, wiki.catchup, wiki.is_paused_upon_creation) == (1, False, True)
    assert wiki.tags == {"backup", "eu", "files", "prod"}
    assert [task.task_id for task in wiki.tasks] == ["window", "backup", "verify"]
    backup = wiki.get_task("backup")
    assert (backup.pool, backup.priority_weight, backup.retries) == ("backup", 200, 3)
    assert backup.execution_timeout is None, "it would count paused time; our own clock does not"
    assert deployed(folder) == {"wiki": "loaded", "shop": "loaded"}


def test_what_follows_another_schedule_waits_for_its_asset(folder: Path) -> None:
    dags = parsed(folder)
    (outlet,) = dags["backup__wiki"].get_task("backup").outlets
    assert outlet.uri == "backup://wiki/"
    serialized = json.dumps(DagSerialization.to_dict(dags["backup__shop"]))
    assert "backup://wiki" in serialized


def test_a_schedule_that_turns_wrong_keeps_its_dag_and_is_reported(folder: Path) -> None:
    parsed(folder)
    (folder / "schedules.yaml").write_text(FILE.replace("priority: 200", "priority: 300"))
    dags = parsed(folder)
    assert dags["backup__wiki"].get_task("backup").priority_weight == 200
    assert deployed(folder) == {"wiki": "last_known_good", "shop": "loaded"}
    with pytest.raises(
        ConfigError, match=r"schedules.yaml:9:15: schedules.0.priority: 300 is more than 255"
    ):
        report_errors({"__file__": str(folder / "schedule_errors.py")})


def test_the_last_good_version_survives_the_loss_of_the_index(folder: Path) -> None:
    parsed(folder)
    (folder / "schedules.yaml").write_text("version: 1\nschedules: [")
    for file in folder.glob("airflow_backup_index/*"):
        file.unlink()
    assert set(parsed(folder)) == {"backup__wiki", "backup__shop"}


def test_a_lost_catalog_is_told_again_what_is_deployed(folder: Path) -> None:
    parsed(folder)
    for file in folder.glob("airflow_backup.db*"):
        file.unlink()
    parsed(folder)
    assert deployed(folder) == {"wiki": "loaded", "shop": "loaded"}


def test_a_schedule_that_cannot_be_built_costs_the_others_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = factory.build

    def fails(schedule: Any, definition: Any, *, fenced: bool) -> DAG:
        if schedule.id == "wiki":
            raise RuntimeError("out of luck")
        return build(schedule, definition, fenced=fenced)

    monkeypatch.setattr(generator, "build", fails)
    assert list(parsed(folder)) == ["backup__shop"]
    assert deployed(folder) == {"wiki": "rejected", "shop": "loaded"}
    with pytest.raises(
        ConfigError,
        match="the DAG cannot be built: out of luck",
    ):
        report_errors({"__file__": str(folder / "schedule_errors.py")})


def test_what_a_schedule_says_shows_in_airflow_and_is_never_a_template(folder: Path) -> None:
    text = FILE.replace("path: /srv}", "path: '/srv/{{ var.value.secret }}'}")
    (folder / "schedules.yaml").write_text(text)
    backup = backup_task(parsed(folder)["backup__wiki"])
    backup.render_template_fields(Context())
    assert backup.source == {"engine": "files", "path": "/srv/{{ var.value.secret }}"}
    assert backup.options["priority"] == 200
    serialized = json.dumps(DagSerialization.to_dict(parsed(folder)["backup__wiki"]))
    assert "/srv/{{ var.value.secret }}" in serialized


def test_no_problem_no_error(folder: Path) -> None:
    report_errors({"__file__": str(folder / "schedule_errors.py")})


def test_a_folder_without_schedules_is_no_error_as_long_as_none_was_there(folder: Path) -> None:
    parsed(folder)
    (folder / "schedules.yaml").unlink()
    assert set(parsed(folder)) == {"backup__wiki", "backup__shop"}
    with pytest.raises(ConfigError, match="the schedules file does not exist"):
        report_errors({"__file__": str(folder / "schedule_errors.py")})


def test_without_a_file_the_schedules_of_the_catalog_run(folder: Path) -> None:
    (folder / "schedules.yaml").unlink()
    assert parsed(folder) == {}
    save(folder, "made")
    assert list(parsed(folder)) == ["backup__made"]
    save(folder, "made", 1, priority=7)
    assert parsed(folder)["backup__made"].get_task("backup").priority_weight == 7
    report_errors({"__file__": str(folder / "schedule_errors.py")})


def test_a_configured_path_without_schedules_is_an_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__BACKUP__SCHEDULES_PATH", str(folder / "elsewhere.yaml"))
    with pytest.raises(ConfigError, match=r"elsewhere.yaml:1:1: the schedules file does not exist"):
        report_errors({"__file__": str(folder / "schedule_errors.py")})


def test_a_task_builds_its_own_dag_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed(folder)
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "backup__shop")
    assert list(parsed(folder)) == ["backup__shop"]
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "somebody_elses")
    assert parsed(folder) == {}


SERIALIZE = """
import json, sys
from airflow.serialization.serialized_objects import DagSerialization
from airflow_backup.dags import generate
namespace = {"__file__": sys.argv[1]}
generate(namespace)
dags = [DagSerialization.to_dict(namespace[name]) for name in ("backup__wiki", "backup__shop")]
print(json.dumps(dags, sort_keys=True))  # Airflow hashes it in this order, too
"""


def test_an_unchanged_schedule_serializes_to_the_same_bytes_in_every_process(folder: Path) -> None:
    texts = {
        subprocess.run(
            [sys.executable, "-c", SERIALIZE, str(folder / "backup_dags.py")],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()[-1]
        for _ in range(2)
    }
    assert len(texts) == 1
    assert len(json.loads(texts.pop())) == 2


def save(folder: Path, identifier: str, version: int = 0, **more: Any) -> None:
    """Make a schedule, as the page does."""
    definition = {
        "id": identifier,
        "source": {"engine": "files", "path": "/srv/made"},
        "repository": "file:///b",
        "preset": "daily",
    }
    with Catalog.open(f"sqlite:///{folder}/airflow_backup.db") as catalog:
        now = datetime.now(UTC)
        catalog.schedules.save(
            identifier, definition | more, author="anna", at=now, after_version=version
        )


def test_a_schedule_made_in_the_catalog_is_a_dag_without_the_defaults_of_the_files(
    folder: Path,
) -> None:
    save(folder, "made")
    dags = parsed(folder)
    assert list(dags) == ["backup__wiki", "backup__shop", "backup__made"]
    assert dags["backup__made"].tags == {"backup"}
    save(folder, "made", 1, priority=7)
    assert parsed(folder)["backup__made"].get_task("backup").priority_weight == 7


def test_a_file_wins_over_the_catalog_and_the_clash_is_shown(folder: Path) -> None:
    save(folder, "wiki")
    assert backup_task(parsed(folder)["backup__wiki"]).source == {"engine": "files", "path": "/srv"}
    with pytest.raises(
        ConfigError,
        match=r"catalog:1:1: schedules.0.id: id `wiki` is already used in schedules.yaml:4",
    ):
        report_errors({"__file__": str(folder / "schedule_errors.py")})


def test_a_clash_keeps_no_deleted_schedule_alive(folder: Path) -> None:
    save(folder, "wiki")
    parsed(folder)
    (folder / "schedules.yaml").write_text(FILE[: FILE.index("  - id: shop")])
    assert list(parsed(folder)) == ["backup__wiki"]
    assert deployed(folder) == {"wiki": "loaded"}


def test_made_schedules_go_on_while_the_catalog_is_out_of_reach(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(folder, "made")
    parsed(folder)
    monkeypatch.setattr(generator, "ask_catalog", lambda origin: None)
    (folder / "schedules.yaml").write_text(FILE.replace("priority: 200", "priority: 201"))
    assert "backup__made" in parsed(folder)


def test_the_dags_that_people_start_take_no_parameters(folder: Path) -> None:
    for name, make in VERBS.items():
        dag = make()
        dag.validate()  # type: ignore[no-untyped-call]  # untyped in Airflow
        first, again = (DagSerialization.to_dict(each) for each in (dag, make()))
        assert first == again, "the same every time"
        assert dag.is_paused_upon_creation is False
        if name != MONITOR:  # to look once more does no harm
            assert [str(kind) for kind in first["dag"]["allowed_run_types"]] == ["manual"]
        assert not dag.params, "what is to be done stands in the run's ticket"


def test_a_task_of_a_verb_builds_its_own_dag_only(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator, "get_parsing_context", lambda: SimpleNamespace(dag_id=RESTORE))
    namespace: dict[str, Any] = {"__file__": str(folder / "backup_dags.py")}
    generate(namespace)
    assert [name for name, value in namespace.items() if isinstance(value, DAG)] == [RESTORE]
