"""Room for temporary copies, asked for before a long copy begins."""

from __future__ import annotations

import shutil
from pathlib import Path

from airflow_backup.core.durations import format_size
from airflow_backup.core.errors import ScratchFull


def check_room(folder: Path, needed: int) -> None:
    """Raise ScratchFull when ``folder`` has less than ``needed`` bytes left."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ScratchFull(
            f"a temporary copy needs {format_size(needed)}, and '{folder}' has {format_size(free)}",
            hint="set TMPDIR to a folder with more room",
        )
