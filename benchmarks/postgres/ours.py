"""One backup of ours, as a process: ``ours.py METHOD PLACE TOOLS``; the server is ``AIRFLOW_CONN_BENCH``."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from airflow_backup.actions.backup.backup import Run, backup
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import from_environment
from airflow_backup.schedules.model.schedule import Schedule


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def main(method: str, place: str, tools: str) -> None:
    """Do it."""
    Path(place).mkdir(exist_ok=True)
    schedule = Schedule.model_validate(
        {
            "id": "bench",
            "source": {
                "engine": "postgres",
                "connection": "bench",
                "method": method,
                "tools": tools,
            },
            "repository": f"file://{place}/repository",
            "preset": "daily",
        }
    )
    with Catalog.open(f"sqlite:///{place}/catalog.db") as catalog:
        backup(
            schedule,
            Run(now().isoformat(), now()),
            catalog=catalog,
            connections=from_environment,
            clock=now,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
