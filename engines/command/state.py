"""What the manifest of a set of a command's output says."""

from __future__ import annotations

from typing import Any

from airflow_backup.core.format.state import SetState
from airflow_backup.engines.files.state import FilesState


class CommandState(SetState):
    """How the program ended, and the files that it wrote."""

    command: dict[str, Any]
    files: FilesState | None = None
    """None where what it printed is the backup."""
