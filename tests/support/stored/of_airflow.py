"""A set that is really stored, in the catalog of an Airflow whose schedules read what is not there."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from airflow_backup.actions.backup.backup import Run, backup
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import from_environment
from airflow_backup.schedules.model.schedule import Schedule
from support.airflow.home import AirflowHome


def store_set(airflow: AirflowHome, folder: Path, schedule_id: str) -> None:
    """Take a set under the name of a schedule, as run ``r1``; source and repository lie in ``folder``."""
    source = folder / f"source-{schedule_id}"
    source.mkdir()
    (source / "a").write_text("a")
    definition = {
        "id": schedule_id,
        "source": {"engine": "files", "path": str(source)},
        "repository": f"file://{folder}/repository",
        "preset": "daily",
    }
    with Catalog.open(airflow.catalog_url) as catalog:
        backup(
            Schedule.model_validate(definition),
            Run("r1", datetime.now(UTC)),
            catalog=catalog,
            connections=from_environment,
            clock=lambda: datetime.now(UTC),
        )
