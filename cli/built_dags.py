"""Proves that every schedule of the files becomes a DAG: builds them in a process with Airflow."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from airflow_backup.core.errors import EngineError, ToolMissing
from airflow_backup.core.ids import DAG_PREFIX
from airflow_backup.core.installed.airflow_release import require
from airflow_backup.schedules.loading.loaded import Loaded
from airflow_backup.schedules.loading.loader import schedule_files
from airflow_backup.schedules.loading.placeholders import names_in
from airflow_backup.schedules.loading.problems import Problem

_PLACES = ("AIRFLOW__CORE__EXECUTOR", "AIRFLOW__BACKUP__EXECUTOR_CONFIGS")

_BUILD = """
import json, sys
from airflow_backup.dags import generate
namespace = {"__file__": sys.argv[1]}
generate(namespace)
print("\\nDAGS " + json.dumps(sorted(name for name in namespace if name.startswith(sys.argv[2]))))
"""


def missing_dags(found: Loaded, path: Path) -> list[Problem]:
    """
    Return a problem for every schedule that becomes no DAG; raise ToolMissing where there is no Airflow.

    Nothing of the real Airflow is touched: home, index and catalog are in a folder that is removed.
    """
    require("validate --dags")
    built = set(_built(path))
    wanted = {DAG_PREFIX + item.schedule.id: item for item in found.schedules}
    problems = [
        Problem(item.file, item.line, 1, f"schedules.{item.schedule.id}", f"there is no DAG {dag}")
        for dag, item in wanted.items()
        if dag not in built
    ]
    problems += [
        Problem(str(path), 1, 1, "", f"the DAG {dag} belongs to no schedule")
        for dag in sorted(built - set(wanted))
    ]
    return problems


def _built(path: Path) -> list[str]:
    # Not for a system that has no such processes.
    from airflow_backup.core.process import commands
    from airflow_backup.core.process.environment import is_steering
    from airflow_backup.core.process.python import code_command

    with tempfile.TemporaryDirectory(prefix="airflow-backup-") as home:
        environment = {
            name: os.environ[name]
            for file in schedule_files(path)
            for name in names_in(file.read_bytes())
            if name in os.environ and not is_steering(name)
        }
        # What schedules may be placed on is a matter of the installation.
        environment |= {name: os.environ[name] for name in _PLACES if name in os.environ}
        environment |= {
            "AIRFLOW_HOME": home,
            "AIRFLOW__BACKUP__SCHEDULES_PATH": str(path.resolve()),
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        }
        command = code_command(_BUILD, str(path.resolve()), DAG_PREFIX)
        try:
            printed = commands.run(command, environment=environment).output.decode()
        except EngineError as error:
            raise ToolMissing(f"the DAGs cannot be built: {error.message}") from error
    (line,) = (line for line in printed.splitlines() if line.startswith("DAGS "))
    names: list[str] = json.loads(line.removeprefix("DAGS "))
    return names
