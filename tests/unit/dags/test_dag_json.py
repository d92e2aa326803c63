"""
What Airflow stores of a schedule is what it was: names, tasks, their order, and what they are told.

A change that is meant is written down by ``UPDATE_GOLDEN=1 pytest tests/unit/dags/test_dag_json.py``; people's runs,
dashboards and permissions name what is in there, so it belongs into the changelog, too.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization

from airflow_backup.dags import generate

GOLDEN = Path(__file__).parents[2] / "golden" / "dags.json"
FILE = """\
version: 1
defaults: {repository: "file:///b", timezone: Europe/Berlin, tags: [prod]}
schedules:
  - id: wiki
    description: The wiki
    group: files
    source: {engine: files, path: /srv/wiki, exclude: ["*.tmp"]}
    levels: {full: "0 2 * * sun", incremental: "0 2 * * mon-sat"}
    window: [{name: nightly, from: "22:00", to: "06:00"}]
    priority: 200
    max_duration: 4h
    enabled: false
  - id: shop
    source: {engine: sqlite, path: /srv/x.db}
    after: [wiki]
    queue: nas
    retry: {max_retries: 5, delay: 1m}
    verify: {level: full, restore_test: weekly}
  - id: crm
    source: {engine: postgres, connection: crm, database: crm}
    preset: hourly
    retention: {last: 3}
    objectives: {rpo: 4h}
"""
TOLD = (
    *("dag_id", "description", "doc_md", "tags", "timetable", "catchup", "max_active_runs"),
    *("is_paused_upon_creation", "params", "dag_dependencies", "has_on_failure_callback"),
)
"""What a DAG is told by us; the rest is Airflow's, and changes with its releases."""

OF_AIRFLOW = (
    "_needs_expansion",
    "ui_fgcolor",
    "template_fields_renderers",
    "template_ext",
    "map_index_template",
)
"""What a task is told by Airflow's own classes."""


def stored(folder: Path) -> dict[str, Any]:
    """Return what Airflow would store of each DAG, without what is its own."""
    namespace: dict[str, Any] = {"__file__": str(folder / "backup_dags.py")}
    generate(namespace)
    found = {}
    for name, dag in namespace.items():
        if isinstance(dag, DAG):
            whole = json.loads(json.dumps(DagSerialization.to_dict(dag)))["dag"]
            kept = {key: whole[key] for key in TOLD if key in whole}
            kept["tags"] = sorted(kept["tags"])  # a set
            tasks = {each["__var"]["task_id"]: each["__var"] for each in whole["tasks"]}
            for task in tasks.values():
                for key in OF_AIRFLOW:
                    task.pop(key, None)
            found[name] = kept | {"tasks": tasks}
    return found


def test_what_airflow_stores_of_each_schedule_is_what_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    (tmp_path / "schedules.yaml").write_text(FILE)
    found = stored(tmp_path)
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    assert found == json.loads(GOLDEN.read_text())
