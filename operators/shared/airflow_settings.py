"""What Airflow knows and we need: options of ``[backup]``, connections, where the catalog lies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from airflow.sdk import Connection as AirflowConnection
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowNotFoundException

from airflow_backup.catalog.address import address_of
from airflow_backup.core.allowed_commands import read
from airflow_backup.core.connections import Connection
from airflow_backup.core.errors import NotFound
from airflow_backup.schedules.model.placement import PlaceKey

SECTION = "backup"
CATALOG_FILE = "airflow_backup.db"

PATIENCE = 120.0
"""Seconds in which a catalog that does not answer is asked again, where a backup would be lost else."""


def option(name: str) -> str | None:
    """Return an option of the ``[backup]`` section, or None when it is empty."""
    return conf.get(SECTION, name, fallback="").strip() or None


def allowed_commands() -> list[str]:
    """Return what an administrator lets schedules run: ``[backup] allowed_commands``."""
    return read(option("allowed_commands") or "")


def folders(name: Literal["source_roots", "repository_roots"]) -> list[str]:
    """Return the folders that an option names; none when it is empty."""
    return _listed(option(name))


def _listed(text: str | None) -> list[str]:
    return [each.strip() for each in (text or "").split(",") if each.strip()]


def allowed_placements() -> dict[PlaceKey, list[str]]:
    """Return what an administrator lets schedules made on the page choose of queues, executors, pools, templates."""
    return {
        "queue": _listed(option("allowed_queues")),
        "executor": _listed(option("allowed_executors")),
        "pool": _listed(option("allowed_pools")),
        "executor_config": _listed(option("allowed_executor_configs")),
    }


def airflow_home() -> Path:
    """Return the folder that Airflow calls its home."""
    return Path(os.environ.get("AIRFLOW_HOME") or "~/airflow").expanduser()


def catalog_url() -> str:
    """
    Return the SQLAlchemy URL of the catalog.

    It is the connection named by ``[backup] catalog_conn_id``, else a SQLite file in Airflow's home.
    """
    connection_id = option("catalog_conn_id")
    if connection_id is None:
        return f"sqlite:///{airflow_home() / CATALOG_FILE}"
    return address_of(connection(connection_id))


def connection(connection_id: str) -> Connection:
    """Look up an Airflow connection; raise NotFound."""
    try:
        found = AirflowConnection.get(connection_id)
    except AirflowNotFoundException as error:
        raise NotFound(
            f"no connection '{connection_id}'", hint=f"airflow connections add {connection_id} ...?"
        ) from error
    return Connection(
        id=connection_id,
        type=found.conn_type or "",
        host=found.host or None,
        port=found.port,
        login=found.login or None,
        password=found.password or None,
        schema=found.schema or None,
        extra=found.extra_dejson,
    )
