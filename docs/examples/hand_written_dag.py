"""A DAG of your own: export something, back it up, tell somebody. The backup is one task among others."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from airflow.sdk import dag, task

from airflow_backup.operators.backup import BackupOperator
from airflow_backup.operators.window import BackupWindowSensor

FOLDER = "/tmp/airflow-backup-example"  # noqa: S108  # an example may live where anybody can write


@dag(schedule=None, start_date=datetime(2026, 1, 1), tags=["example"])  # noqa: DTZ001
def reports_with_backup() -> None:
    @task
    def export() -> str:
        folder = Path(FOLDER, "reports")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "today.csv").write_text("id,amount\n1,100\n")
        return str(folder)

    night = BackupWindowSensor(
        task_id="wait_for_the_night",
        window=[{"days": ["mon-sun"], "from": "22:00", "to": "06:00"}],
        timezone="Europe/Berlin",
    )

    backup = BackupOperator(
        task_id="backup",
        source={"engine": "files", "path": "{{ ti.xcom_pull(task_ids='export') }}"},
        repository=f"file://{FOLDER}/repository",
        options={"checksum": "blake3", "retry": {"max_retries": 5}},
        execution_timeout=timedelta(hours=1),
    )

    @task
    def tell(stored: dict[str, object]) -> None:
        print(f"set {stored['set_id']}: {stored['bytes_stored']} bytes")  # noqa: T201

    export() >> night >> backup
    tell(backup.output)


reports_with_backup()
