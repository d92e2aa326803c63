"""Writes the first files, and never over one that is there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from airflow_backup.core.errors import ConfigError

SCHEDULES = "schedules.yaml"
DAG_FILES: Mapping[str, str] = {
    "backup_dags.py": (
        '"""Makes a DAG of each schedule in schedules.yaml, which lies beside this file."""\n\n'
        "from airflow_backup.dags import generate\n\n"
        "generate(globals())\n"
    ),
    "schedule_errors.py": (
        '"""Shows what is wrong with a schedule among Airflow\'s import errors; it holds no DAG itself."""\n\n'
        "from airflow_backup.dags import report_errors\n\n"
        "report_errors(globals())\n"
    ),
}
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


def refuse_what_exists(folder: Path) -> None:
    """Raise ConfigError with what is there already: nothing is written over, and nothing beside it."""
    there = [name for name in (SCHEDULES, *DAG_FILES) if os.path.lexists(folder / name)]
    if os.path.lexists(folder / "schedules"):
        there.append("schedules/")  # which would be read instead
    if there:
        raise ConfigError(
            f"there is already {', '.join(there)} in {folder}, and nothing is written over",
            hint="--to another folder; or --print, and put together by hand what you want",
        )


def write(folder: Path, schedules: str) -> list[Path]:
    """Write all files or none; return their paths."""
    refuse_what_exists(folder)
    made: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The schedules come first: a DAG file without them would be an import error.
        for name, text in {SCHEDULES: schedules, **DAG_FILES}.items():
            path = folder / name
            descriptor = os.open(path, _NEW, 0o644)
            made.append(path)
            _fill(descriptor, text)
    except BaseException as error:
        for path in made:
            path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            why = (error.strerror or str(error)).lower()
            raise ConfigError(
                f"cannot write into {folder}: {why}", hint="--to a folder that you may write to"
            ) from error
        raise
    return made


def _fill(descriptor: int, text: str) -> None:
    with open(descriptor, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
