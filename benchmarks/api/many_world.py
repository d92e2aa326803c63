"""An Airflow with many schedules and their past: real DAGs, and rows as runs would have left them."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow_backup.catalog import Catalog
from support.airflow.home import AirflowHome

RUNS, SETS = 100, 30
_DATABASES = ("airflow.db", "airflow_backup.db")
FAILING, RUNNING = 50, 200
"""Of every so many schedules the last run failed, or goes on."""

COUNTER = '''\
"""Counts the statements of this process: one byte in a file for each."""

import os

from sqlalchemy import Engine, event

if "MANY_COUNTED" in os.environ:
    counted = os.open(os.environ["MANY_COUNTED"], os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    @event.listens_for(Engine, "before_cursor_execute")
    def count(*_given):
        os.write(counted, b".")
'''

_NUMBERS = "WITH RECURSIVE run(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM run WHERE n < :runs - 1)"
_CATALOG_MOMENT, _AIRFLOW_MOMENT = "%Y-%m-%d %H:%M:%S.000000", "%Y-%m-%d %H:%M:%S.000000"
_EXECUTIONS = """
INSERT INTO executions (schedule_id, run_id, status, kind, "trigger", run_at, since, queued_at, started_at,
  finished_at, attempts, bytes_read, bytes_stored, files, set_id, warnings, error, hint, failure_class)
SELECT ?1, 'scheduled__' || n || '_' || ?1, iif(n = 0, ?2, 'completed'), 'full', 'schedule', {at}, {at}, {at}, {at},
  iif(n = 0 AND ?2 = 'running', NULL, {end}), 1, 3000000, 1000000, 1, iif(n = 0 AND ?2 <> 'completed', NULL, {set}), 0,
  iif(n = 0 AND ?2 = 'failed', 'no room left', NULL), NULL, iif(n = 0 AND ?2 = 'failed', 'space', NULL) FROM run
"""
_ATTEMPTS = """
INSERT INTO attempts (schedule_id, run_id, number, status, started_at, finished_at)
SELECT schedule_id, run_id, 1, status, started_at, finished_at FROM executions
"""
_SETS = """
INSERT INTO sets (set_id, schedule_id, repository, run_id, engine, kind, run_at, started_at, consistent_at, finished_at,
  files, bytes_read, bytes_stored, counts, warnings, manifest_hash, state, pinned,
  verified_at, verified_level, verified_outcome)
SELECT set_id, schedule_id, 'sftp://vault/srv', run_id, 'files', 'full', run_at, run_at, run_at, finished_at,
  1, 3000000, 1000000, '{}', '[]', '', 'good', 0, finished_at, 'standard', 'passed' FROM executions
WHERE set_id IS NOT NULL AND since > ?
"""
_VERIFICATIONS = """
INSERT INTO verifications (set_id, schedule_id, level, outcome, started_at, finished_at, bytes_read, details)
SELECT set_id, schedule_id, 'standard', 'passed', finished_at, finished_at, 1000000, '{}' FROM sets
"""
_DAG_RUNS = """
INSERT INTO dag_run (dag_id, run_id, run_type, state, queued_at, logical_date, start_date, end_date, run_after, conf,
  clear_number, span_status, created_dag_version_id)
SELECT 'backup__' || schedule_id, run_id, 'scheduled', CASE status WHEN 'completed' THEN 'success' ELSE status END,
  queued_at, queued_at, started_at, finished_at, queued_at, '{}', 0, 'not_started',
  (SELECT id FROM dag_version WHERE dag_id = 'backup__' || schedule_id) FROM catalog.executions
"""
_TASKS = """
INSERT INTO task_instance (id, task_id, dag_id, run_id, map_index, start_date, end_date, state, try_number, max_tries,
  pool, pool_slots, span_status, dag_version_id)
SELECT lower(hex(randomblob(16))), task.value, dag_id, run_id, -1, start_date, end_date,
  iif(task.value = 'window', 'success', state), 1, 2, 'backup', 1, 'not_started', created_dag_version_id
FROM dag_run CROSS JOIN json_each('["window", "backup"]') AS task
"""


def names(count: int) -> list[str]:
    """Return the ids."""
    return [f"s{n:05}" for n in range(count)]


def schedules(count: int) -> str:
    """Return the file: most run daily at some minute of the night, one in twenty every quarter of an hour."""
    lines = []
    for n, name in enumerate(names(count)):
        when = "*/15 * * * *" if n % 20 == 0 else f"{n % 60} {n // 60 % 24} * * *"
        lines.append(
            f"  - {{id: {name}, group: g{n % 12}, tags: [t{n % 7}], cron: '{when}',"
            f" source: {{engine: files, path: /srv/{name}}}}}"
        )
    head = "version: 1\ndefaults: {repository: 'sftp://vault/srv', timezone: Europe/Berlin}\nschedules:\n"
    return head + "\n".join(lines) + "\n"


def made(folder: Path, count: int, *, kept: Path | None = None) -> AirflowHome:
    """
    Return an Airflow, not started, whose schedules have a past; its databases are those ``kept``, if there are any.
    """
    patient = {"AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "0"}
    airflow = AirflowHome(folder, schedules=schedules(count), environment=patient)
    (folder / "plugins").mkdir()
    (folder / "plugins" / "counter.py").write_text(COUNTER)
    if kept is not None and (kept / "airflow.db").exists():
        for name in _DATABASES:
            shutil.copy(kept / name, folder / name)
        return airflow
    airflow.run("db", "migrate")
    subprocess.run(
        [str(airflow.python), "-m", "airflow", "dags", "reserialize"],
        env=airflow.environment,
        cwd=folder,
        capture_output=True,
        timeout=1200,
        check=True,
    )
    with Catalog.open(airflow.catalog_url) as catalog:
        assert len(catalog.deployed.all()) == count
    _remember(folder, count)
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        for name in _DATABASES:
            shutil.copy(folder / name, kept / name)
    return airflow


def _remember(folder: Path, count: int) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    with closing(sqlite3.connect(folder / "airflow_backup.db")) as catalog:
        for n, name in enumerate(names(count)):
            step = timedelta(minutes=15) if n % 20 == 0 else timedelta(days=1)
            last = "failed" if n % FAILING == 1 else "running" if n % RUNNING == 2 else "completed"
            _execute(catalog, name, last, now - timedelta(minutes=10), step)
        catalog.execute(_ATTEMPTS)
        catalog.execute(_SETS, [f"{now - timedelta(days=SETS):{_CATALOG_MOMENT}}"])
        catalog.execute(_VERIFICATIONS)
        catalog.execute(
            "UPDATE first_seen SET at = ?", [f"{now - timedelta(days=RUNS):{_CATALOG_MOMENT}}"]
        )
        catalog.commit()
    with closing(sqlite3.connect(folder / "airflow.db")) as airflow:
        airflow.execute("ATTACH ? AS catalog", [str(folder / "airflow_backup.db")])
        airflow.execute(_DAG_RUNS)
        airflow.execute(_TASKS)
        airflow.execute("UPDATE dag SET is_paused = 0")
        airflow.commit()


def _execute(
    catalog: sqlite3.Connection, name: str, last: str, now: datetime, step: timedelta
) -> None:
    seconds = int(step.total_seconds())
    at = f"strftime('%Y-%m-%d %H:%M:%S.000000', '{now:%Y-%m-%d %H:%M:%S}', '-' || (n * {seconds}) || ' seconds')"
    end = at.replace("seconds')", "seconds', '+42 seconds')")
    statement = _EXECUTIONS.format(at=at, end=end, set="'set-' || n || '-' || ?1")
    catalog.execute(_NUMBERS.replace(":runs", str(RUNS)) + statement, [name, last])
