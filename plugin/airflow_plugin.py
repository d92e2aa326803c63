"""
What Airflow loads to learn of our page, our API and our timetable.

Airflow imports this module in each of its processes, the worker of every task included, so nothing
heavy is imported here: what only the API server or the scheduler need waits in a property.
"""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from airflow_backup import __version__

PREFIX = "/backup"
STATIC = "backup/static"
"""Relative, so that it is found below whatever path Airflow is mounted."""

BUNDLE = f"{STATIC}/main.js?v={__version__}"
ICONS = {"icon": f"{STATIC}/icon.svg", "icon_dark_mode": f"{STATIC}/icon-dark.svg"}


class BackupPlugin(AirflowPlugin):
    """Backups in Airflow: one page, one tab on each schedule's DAG, one card on the dashboard, one API."""

    name = "airflow_backup"

    # The host looks for globalThis[name]; ui/src/main.tsx sets these three.
    react_apps = [
        {
            "name": "Backups",
            "bundle_url": BUNDLE,
            "destination": "nav",
            "url_route": "backup",
            "nav_top_level": True,
            **ICONS,
        },
        {
            "name": "Backup",
            "bundle_url": BUNDLE,
            "destination": "dag",
            "url_route": "backup-schedule",
            **ICONS,
        },
        {"name": "Backups overview", "bundle_url": BUNDLE, "destination": "dashboard"},
    ]

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]  # read once, by the API server
        """Return the API and the page's files."""
        from airflow_backup.plugin.http.app import create_app

        return [{"app": create_app(), "url_prefix": PREFIX, "name": "Backup API"}]

    @property
    def timetables(self) -> list[Any]:  # type: ignore[override]  # read by whoever serializes a DAG
        """Return the timetable that schedules' DAGs carry."""
        from airflow_backup.dags.timetable import BackupTimetable

        return [BackupTimetable]
