"""A DAG of your own: export something, back it up, verify it, tell somebody. Its name puts it on the page Backups."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import dag, task

from airflow_backup.api import BackupOperator, BackupWindowSensor, VerifyOperator

FOLDER = "/tmp/airflow-backup-example"  # noqa: S108  # an example may live where anybody can write


@dag("backup__reports", schedule=None, start_date=datetime(2026, 1, 1), tags=["example"])  # noqa: DTZ001
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
        options={
            "checksum": "blake3",
            "retry": {"max_retries": 5},
            "verify": {"level": "full"},
            "alert_after": "7d",
        },
        execution_timeout=timedelta(hours=1),
    )

    verify = VerifyOperator(task_id="verify", schedule="reports")

    @task
    def tell(stored: Any) -> None:
        print(f"set {stored['set_id']}: {stored['bytes_stored']} bytes")  # noqa: T201

    export() >> night >> backup >> verify >> tell(backup.output)


reports_with_backup()
