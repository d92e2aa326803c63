"""What Airflow's list of providers says about this package, and the options of its ``[backup]`` section."""

from __future__ import annotations

from typing import Any

from airflow_backup import __version__
from airflow_backup.core.installed.airflow_release import installed, refusal


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata; called by every ``airflow`` process, so it only builds a dict."""
    name = {"package-name": "airflow-backup", "name": "Backup", "versions": [__version__]}
    refused = refusal(installed())
    if refused is not None:
        return {**name, "description": f"Off. {refused}"}
    return {
        **name,
        "description": "Backups as code: every schedule a DAG, every backup verified, explained, restorable.",
        "integrations": [{"integration-name": "Backup", "tags": ["software"]}],
        "operators": [
            _modules(
                "airflow_backup.operators.backup",
                "airflow_backup.operators.monitor",
                "airflow_backup.operators.restore",
                "airflow_backup.operators.verify",
            )
        ],
        "sensors": [_modules("airflow_backup.operators.window")],
        "triggers": [_modules("airflow_backup.operators.triggers")],
        "cli": ["airflow_backup.plugin.airflow_cli.get_cli_commands"],
        "config": {"backup": {"description": "Backups as code.", "options": _options()}},
    }


def _modules(*names: str) -> dict[str, Any]:
    return {"integration-name": "Backup", "python-modules": list(names)}


def _options() -> dict[str, dict[str, Any]]:
    return {
        "schedules_path": _option(
            "The file or folder that holds the schedules. Empty: ``schedules.yaml`` or ``schedules/`` "
            "beside the DAG file.",
            example="/opt/airflow/dags/schedules.yaml",
        ),
        "catalog_conn_id": _option(
            "The Airflow connection (SQLite or PostgreSQL) of the catalog. Empty: the file "
            "``airflow_backup.db`` in ``$AIRFLOW_HOME``.",
            example="backup_catalog",
        ),
        "max_concurrent": _option(
            "How many backups may run at the same time: the slots of the pool ``backup``.",
            kind="integer",
            default="2",
        ),
        "allowed_commands": _option(
            "Programs that the ``command`` engine may run, and programs or folders of programs that a schedule made "
            "on the page may name, separated by commas; after ``with`` the variables that such a schedule may set "
            "for the program. Empty: none.",
            example="/usr/bin/rsync,/opt/bin/dump-erp with ERP_MODE ERP_TOKEN",
        ),
        "source_roots": _option(
            "Folders within which a schedule that was made on the page may read files, separated by "
            "commas. Empty: none. Schedules from files may read anything.",
            example="/srv,/home",
        ),
        "repository_roots": _option(
            "Folders within which a schedule that was made on the page may keep its sets, separated by "
            "commas. Empty: none. Schedules from files may write anywhere.",
            example="/var/backups",
        ),
        "host_name": _option(
            "The name of this machine in sets and histories, and what ``host`` of a schedule is compared with. "
            "Give containers and pods one that stays. Empty: the host name.",
            example="nas1",
        ),
        "allowed_queues": _option(
            "Queues that a schedule which was made on the page may choose, separated by commas. Empty: none. "
            "Schedules from files may choose any.",
            example="nas,databases",
        ),
        "allowed_executors": _option(
            "Executors that a schedule which was made on the page may choose, separated by commas. Empty: none.",
            example="EdgeExecutor",
        ),
        "allowed_pools": _option(
            "Pools that a schedule which was made on the page may choose, separated by commas. Empty: none.",
            example="nas",
        ),
        "allowed_executor_configs": _option(
            "Templates of ``executor_configs`` that a schedule which was made on the page may choose, separated by "
            "commas. Empty: none.",
            example="nas-volume",
        ),
        "executor_configs": _option(
            "Where templates for executors are written, as ``module:NAME`` of a mapping by name; a schedule chooses "
            "one with ``executor_config``. The DAG processor imports it. Empty: there are none.",
            example="company_backup.pods:EXECUTOR_CONFIGS",
        ),
        "restore_roots": _option(
            "Folders below which the DAG ``backup_restore`` may write, separated by commas. Empty: "
            "``restores`` in ``$AIRFLOW_HOME``.",
            example="/srv/restores",
        ),
        "restore_connections": _option(
            "Connections into which the DAG ``backup_restore`` may restore, separated by commas. Empty: none.",
            example="orders_copy",
        ),
        "monitor_interval": _option(
            "How often the DAG ``backup_monitor`` looks at every schedule, and tells whom it concerns.",
            default="5m",
        ),
        "ping_conn_id": _option(
            "The connection with the address of a dead-man switch such as healthchecks: the DAG ``backup_monitor`` "
            "gives it a sign of life after each look. Empty: none.",
            example="backup_alive",
        ),
        "index_folder": _option(
            "Where the compiled index of the schedules lies, so that the start of a task does not "
            "read YAML. Empty: a folder in ``$AIRFLOW_HOME``.",
            example="/var/cache/airflow-backup",
        ),
    }


def _option(
    description: str, *, kind: str = "string", default: str = "", example: str | None = None
) -> dict[str, Any]:
    return {
        "description": description,
        "version_added": "0.1.0",
        "type": kind,
        "example": example,
        "default": default,
    }
