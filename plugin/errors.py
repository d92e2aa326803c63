"""What is wrong with a request to change a schedule."""

from __future__ import annotations

from typing import Any

from airflow_backup.core.errors import BackupError


class InvalidDefinition(BackupError):
    """A definition is wrong; carries every problem, so that one edit can mend them all."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        first = errors[0]
        where = f"{first['field']}: " if first["field"] else ""
        super().__init__(f"{where}{first['message']}", hint=first["hint"])
        self.errors = errors


class VersionConflict(BackupError):
    """Somebody else changed it since it was loaded."""


class VersionMissing(BackupError):
    """A change does not say which version it is meant for."""


class ImportRefused(BackupError):
    """A file cannot be imported beside what is there; carries what would become of each of its schedules."""

    def __init__(self, message: str, hint: str | None, results: dict[str, Any]) -> None:
        super().__init__(message, hint=hint)
        self.results = results


class ImportWrong(ImportRefused):
    """... because something in it is wrong."""
