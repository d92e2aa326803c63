"""The same backups, of the same four tasks, three ways: our schedules file, a hand-written loop, dag-factory's YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

LOOP = '''"""An Airflow DAG for every backup, written by hand."""
from datetime import UTC, datetime
from airflow.sdk import DAG, Asset
from airflow_backup.operators.backup import BackupOperator
from airflow_backup.operators.prune import PruneOperator
from airflow_backup.operators.verify import VerifyOperator
from airflow_backup.operators.window import BackupWindowSensor

for number in range({count}):
    name = f"s{{number:05}}"
    dag = DAG(
        f"backup__{{name}}",
        description=f"schedule {{number}}",
        schedule=f"{{number % 60}} {{number % 24}} * * *",
        start_date=datetime(2020, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        tags=["backup", "prod", f"t{{number % 7}}"],
        doc_md=f"schedule {{number}}",
    )
    window = BackupWindowSensor(
        task_id="window",
        dag=dag,
        window=[{{"name": "nightly", "days": ["mon-fri"], "from": "22:00", "to": "06:00"}}],
        timezone="Europe/Berlin",
        schedule_id=name,
    )
    backup = BackupOperator(
        task_id="backup",
        dag=dag,
        source={{"engine": "files", "path": f"/srv/{{number}}"}},
        repository="file:///b",
        schedule_id=name,
        options={{"timezone": "Europe/Berlin", "retry": {{"max_retries": 5}}, "retention": {{"last": 7, "daily": 14}}}},
        pool="backup",
        priority_weight=100,
        weight_rule="absolute",
        outlets=[Asset(name=f"backup/{{name}}", uri=f"backup://{{name}}")],
    )
    verify = VerifyOperator(
        task_id="verify",
        dag=dag,
        schedule=name,
        pool="backup",
        priority_weight=100,
        weight_rule="absolute",
    )
    prune = PruneOperator(
        task_id="prune", dag=dag, schedule=name, trigger_rule="none_failed_min_one_success"
    )
    window >> backup >> verify
    [backup, verify] >> prune
    globals()[dag.dag_id] = dag
'''

OURS = """from airflow_backup.dags import generate

generate(globals())
"""

FACTORY = '''"""Airflow DAGs by dag-factory."""
from pathlib import Path
from dagfactory import load_yaml_dags

load_yaml_dags(globals(), config_filepath=str(Path(__file__).parent / "dags.yaml"))
'''


def ours(folder: Path, count: int) -> Path:
    """Write our schedules file and its loader; return the loader."""
    schedules = [
        {
            "id": f"s{number:05}",
            "description": f"schedule {number}",
            "tags": ["prod", f"t{number % 7}"],
            "source": {"engine": "files", "path": f"/srv/{number}"},
            "cron": f"{number % 60} {number % 24} * * *",
            "window": "nightly",
            "retry": {"max_retries": 5},
            "retention": {"last": 7, "daily": 14},
        }
        for number in range(count)
    ]
    data = {
        "version": 1,
        "defaults": {"repository": "file:///b", "timezone": "Europe/Berlin"},
        "windows": {"nightly": {"days": ["mon-fri"], "from": "22:00", "to": "06:00"}},
        "schedules": schedules,
    }
    (folder / "schedules.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    return _written(folder / "backup_dags.py", OURS)


def loop(folder: Path, count: int) -> Path:
    """Write the loop; return it."""
    return _written(folder / "loop_dags.py", LOOP.format(count=count))


def factory(folder: Path, count: int) -> Path:
    """Write dag-factory's YAML and its loader; return the loader."""
    (folder / "dags.yaml").write_text(
        yaml.safe_dump(
            {f"backup__s{number:05}": _factory_dag(number) for number in range(count)},
            sort_keys=False,
        )
    )
    return _written(folder / "factory_dags.py", FACTORY)


def _factory_dag(number: int) -> dict[str, Any]:
    name = f"s{number:05}"
    return {
        "description": f"schedule {number}",
        "schedule": f"{number % 60} {number % 24} * * *",
        "default_args": {"start_date": "2020-01-01"},
        "catchup": False,
        "max_active_runs": 1,
        "tags": ["backup", "prod", f"t{number % 7}"],
        "tasks": [
            {
                "task_id": "window",
                "operator": "airflow_backup.operators.window.BackupWindowSensor",
                "window": [
                    {"name": "nightly", "days": ["mon-fri"], "from": "22:00", "to": "06:00"}
                ],
                "timezone": "Europe/Berlin",
                "schedule_id": name,
            },
            {
                "task_id": "backup",
                "operator": "airflow_backup.operators.backup.BackupOperator",
                "source": {"engine": "files", "path": f"/srv/{number}"},
                "repository": "file:///b",
                "schedule_id": name,
                "options": {
                    "timezone": "Europe/Berlin",
                    "retry": {"max_retries": 5},
                    "retention": {"last": 7, "daily": 14},
                },
                "pool": "backup",
                "priority_weight": 100,
                "weight_rule": "absolute",
                "dependencies": ["window"],
            },
            {
                "task_id": "verify",
                "operator": "airflow_backup.operators.verify.VerifyOperator",
                "schedule": name,
                "pool": "backup",
                "priority_weight": 100,
                "weight_rule": "absolute",
                "dependencies": ["backup"],
            },
            {
                "task_id": "prune",
                "operator": "airflow_backup.operators.prune.PruneOperator",
                "schedule": name,
                "trigger_rule": "none_failed_min_one_success",
                "dependencies": ["backup", "verify"],
            },
        ],
    }


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


VARIANTS = {"ours": ours, "loop": loop, "dag-factory": factory}
