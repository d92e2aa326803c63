"""One backup or restore of ours, as a process: ``ours.py dump|restore KIND SOURCE PLACE``."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from airflow_backup.actions.backup import Run, backup
from airflow_backup.actions.restore import restore
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import from_environment
from airflow_backup.core.words import Kind
from airflow_backup.schedules.model import Schedule


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def main(verb: str, kind: str, source: str, place: str) -> None:
    """Do it."""
    repository = f"file://{place}/repository"
    Path(place).mkdir(exist_ok=True)
    if verb == "restore":
        restore(
            "bench",
            repository=repository,
            target=Path(source),
            connections=from_environment,
            clock=now,
        )
        return
    engine = "sqlite" if source.endswith(".sqlite") else "files"
    schedule = Schedule.model_validate(
        {
            "id": "bench",
            "source": {"engine": engine, "path": source},
            "repository": repository,
            "preset": "daily",
        }
    )
    with Catalog.open(f"sqlite:///{place}/catalog.db") as catalog:
        result = backup(
            schedule,
            Run(now().isoformat(), now()),
            catalog=catalog,
            connections=from_environment,
            clock=now,
            kind=Kind(kind),
        )
    if str(result.kind) != kind:
        raise SystemExit(result.reason)


if __name__ == "__main__":
    main(*sys.argv[1:])
