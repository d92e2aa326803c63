"""What a hand-written DAG backs up is a schedule like any other, if the DAG is named for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, Asset

from airflow_backup.actions.backup.in_force import in_force
from airflow_backup.api import BackupOperator, PruneOperator, VerifyOperator
from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import ConfigError, NotFound
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.operators.own_dags import ScheduleOptions, rhythm
from airflow_backup.operators.shared.airflow_settings import catalog_url
from airflow_backup.schedules.loading.index import compile_index
from airflow_backup.schedules.model.placement import KEYS
from airflow_backup.schedules.model.schedule import Schedule

NO_OPTIONS = {
    *("id", "source", "repository", "kind"),  # arguments of their own
    *(
        "jitter",
        "missed",
        "missed_grace",
        "priority",
        "after",
        "disable_after_failures",
        "enabled",
    ),  # the DAG's own
    *KEYS,
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("hello")
    return tmp_path


def context() -> Any:
    run = SimpleNamespace(
        run_id="manual__1",
        run_type="manual",
        logical_date=None,
        run_after=datetime.now(UTC),
        conf={},
    )
    return {"dag_run": run, "ti": SimpleNamespace(try_number=1)}


def backup_in(home: Path, name: str, schedule: Any = "30 4 * * *", **more: Any) -> BackupOperator:
    with DAG(name, schedule=schedule, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        return BackupOperator(
            task_id="backup",
            source=FilesOptions(engine="files", path=str(home / "data")),
            repository=f"file://{home}/repository",
            **more,
        )


def deployed(schedule_id: str) -> Any:
    with Catalog.open(catalog_url()) as catalog:
        return catalog.deployed.get(schedule_id)


def test_the_keys_of_a_task_are_those_of_a_schedule() -> None:
    assert set(ScheduleOptions.__annotations__) == set(Schedule.model_fields) - NO_OPTIONS


def test_a_dag_that_is_named_for_its_schedule_is_known_with_its_rhythm(home: Path) -> None:
    backup_in(home, "backup__reports", options={"retention": {"last": 3}}).execute(context())
    known = deployed("reports")
    assert (known.origin, known.state) == ("dag:backup__reports", "loaded")
    assert known.definition["cron"] == "30 4 * * *"
    assert known.definition["retention"] == {"last": 3}


def test_a_dag_of_another_name_has_a_history_and_no_more(home: Path) -> None:
    done = backup_in(home, "nightly").execute(context())
    assert done["schedule_id"] == "nightly-backup"
    assert deployed("nightly-backup") is None


def test_the_other_verbs_follow_in_a_dag_of_ones_own(home: Path) -> None:
    options: ScheduleOptions = {"retention": {"last": 1}, "verify": {"level": "full"}}
    given = context()
    backup_in(home, "backup__reports", options=options).execute(given)
    verified = VerifyOperator(task_id="verify", schedule="reports").execute(given)
    assert (verified["outcome"], verified["level"]) == ("passed", "full")
    assert PruneOperator(task_id="prune", schedule="reports").execute(given)["removed"] == []
    with pytest.raises(NotFound, match="no schedule 'others'"):
        PruneOperator(task_id="prune", schedule="others").execute(given)


def test_a_schedule_of_a_file_is_not_taken_over_by_a_dag_of_its_name(home: Path) -> None:
    file = home / "schedules.yaml"
    file.write_text(
        "version: 1\nschedules:\n  - {id: reports, preset: daily, repository: 'file:///b', "
        "source: {engine: files, path: /srv}}\n"
    )
    index = compile_index(file)
    with Catalog.open(catalog_url()) as catalog:
        catalog.deployed.replace(index.origin, list(index.entries.values()))
    with pytest.raises(ConfigError, match=r"schedules\.yaml:3 both have a schedule 'reports'"):
        backup_in(home, "backup__reports").execute(context())


def test_a_schedule_that_was_just_made_on_the_page_is_not_taken_over_by_a_dag_of_its_name(
    home: Path,
) -> None:
    definition = {
        "id": "reports",
        "preset": "daily",
        "repository": "file:///b",
        "source": {"engine": "files", "path": "/srv"},
    }

    def save(version: int, *, is_deleted: bool = False) -> None:
        with Catalog.open(catalog_url()) as catalog:
            catalog.schedules.save(
                "reports",
                definition,
                author="ann",
                at=datetime.now(UTC),
                after_version=version,
                is_deleted=is_deleted,
            )

    save(0)
    with pytest.raises(ConfigError, match="the page both have a schedule 'reports'"):
        backup_in(home, "backup__reports").execute(context())
    with Catalog.open(catalog_url()) as catalog:
        assert in_force(catalog, "reports").fenced
    save(1, is_deleted=True)
    backup_in(home, "backup__reports").execute(context())
    with Catalog.open(catalog_url()) as catalog:
        assert not in_force(catalog, "reports").fenced


def test_two_tasks_do_not_mix_their_sets(home: Path) -> None:
    arguments: dict[str, Any] = {
        "source": {"engine": "files", "path": str(home / "data")},
        "repository": f"file://{home}/repository",
    }
    with DAG("backup__reports", schedule=None):
        first = BackupOperator(task_id="one", **arguments)
        BackupOperator(task_id="two", **arguments)
    with pytest.raises(
        ConfigError, match="tasks one and two of DAG 'backup__reports' have one schedule"
    ):
        first.execute(context())
    backup_in(home, "backup__orders").execute(context())
    with pytest.raises(ConfigError, match="DAG 'backup__orders' both have a schedule 'orders'"):
        backup_in(home, "nightly", schedule_id="orders").execute(context())


@pytest.mark.parametrize(
    ("schedule", "keys"),
    [
        ("0 2 * * 1", {"cron": "0 2 * * 1", "timezone": "UTC"}),
        ("@weekly", {"cron": "0 0 * * 0", "timezone": "UTC"}),
        (timedelta(hours=6), {"every": "6h", "timezone": "UTC"}),
        (None, {"preset": "daily"}),
        ([Asset("loaded")], {"preset": "daily"}),
        ("0 2 * * 4-4 2027", {"preset": "daily"}),
    ],
)
def test_a_dags_schedule_is_its_rhythm(schedule: Any, keys: dict[str, Any]) -> None:
    told = SimpleNamespace(schedule=schedule, timezone=SimpleNamespace(name="UTC"))
    assert rhythm(told) == keys
