"""One backup or restore of ours, as the shell's command makes it: ``ours.py dump|restore KIND SOURCE PLACE``."""

from __future__ import annotations

import sys
from pathlib import Path

from airflow_backup.cli import entry

SCHEDULES = """\
version: 1
schedules:
  - id: bench
    source: {{engine: {engine}, path: "{source}"}}
    repository: file://{place}/repository
    preset: daily
"""


def main(verb: str, kind: str, source: str, place: str) -> None:
    """Do it."""
    catalog = ["--catalog", f"sqlite:///{place}/catalog.db"]
    if verb == "restore":
        repository = ["--repository", f"file://{place}/repository"]
        sys.argv = ["airflow-backup", "restore", "bench", "--to", source, *repository]
    else:
        engine = "sqlite" if source.endswith(".sqlite") else "files"
        schedules = Path(place) / "schedules.yaml"
        schedules.write_text(SCHEDULES.format(engine=engine, source=source, place=place))
        command = ["run", "bench", "--kind", kind, "--schedules", str(schedules)]
        sys.argv = ["airflow-backup", *command, *catalog]
    sys.exit(entry.main())


if __name__ == "__main__":
    main(*sys.argv[1:])
