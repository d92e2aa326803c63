"""
What Airflow loads to learn of our page, our API and our timetable.

In an Airflow that is too old, or too new, there is nothing of it, and the log says why.

Airflow imports this module in each of its processes, the worker of every task included, so nothing
heavy is imported here: what only the API server or the scheduler need waits in a property.
"""

from __future__ import annotations

import logging
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from airflow_backup import __version__
from airflow_backup.core.installed.airflow_release import installed, refusal

log = logging.getLogger(__name__)

PREFIX = "/backup"
STATIC = "backup/static"
"""Relative, so that it is found below whatever path Airflow is mounted."""

BUNDLE = f"{STATIC}/main.js?v={__version__}"
ICONS = {"icon": f"{STATIC}/icon.svg", "icon_dark_mode": f"{STATIC}/icon-dark.svg"}

REFUSAL = refusal(installed())


class BackupPlugin(AirflowPlugin):
    """Backups in Airflow: one page, one tab on each schedule's DAG, one card on the dashboard, one API."""

    name = "airflow_backup"

    # The host looks for globalThis[name]; ui/src/main.tsx sets these three.
    react_apps = (
        []
        if REFUSAL
        else [
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
    )

    @classmethod
    def on_load(cls, *args: Any, **kwargs: Any) -> None:
        """Say in the log of each process why there is nothing of ours in this Airflow."""
        if REFUSAL:
            log.error("no page, no API and no DAGs of airflow-backup: %s", REFUSAL)

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]  # read once, by the API server
        """Return the API and the page's files."""
        if REFUSAL:
            return []
        from airflow_backup.plugin.http.app import create_app

        return [{"app": create_app(), "url_prefix": PREFIX, "name": "Backup API"}]

    @property
    def timetables(self) -> list[Any]:  # type: ignore[override]  # read by whoever serializes a DAG
        """Return the timetable that schedules' DAGs carry."""
        if REFUSAL:
            return []
        from airflow_backup.dags.timetable import BackupTimetable

        return [BackupTimetable]
