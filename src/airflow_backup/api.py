"""
What DAGs and scripts of your own are written with. Stable: see `docs/reference/public.md`.

The operators and the sensor need Airflow, and load it when they are first used; everything else works without.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_backup.actions.backup.backup import backup
from airflow_backup.actions.backup.result import BackupResult, Run
from airflow_backup.actions.maintain.prune import PruneResult, prune
from airflow_backup.actions.maintain.sync import SyncResult, sync
from airflow_backup.actions.restore.carry_out import RestoreResult
from airflow_backup.actions.restore.restore import restore
from airflow_backup.actions.restore.target import Target, target_of
from airflow_backup.actions.sets.damage import VerifyResult
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.actions.verify.verify import Verifier
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import Connection, Connections, from_environment
from airflow_backup.core.errors import BackupError
from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.installed.airflow_release import require
from airflow_backup.core.words import (
    ExecutionStatus,
    Kind,
    Trigger,
    VerificationLevel,
    VerificationOutcome,
)
from airflow_backup.schedules.loading.loader import load
from airflow_backup.schedules.model.schedule import Schedule

if TYPE_CHECKING:
    from airflow_backup.operators.backup import BackupOperator
    from airflow_backup.operators.prune import PruneOperator
    from airflow_backup.operators.restore import RestoreOperator
    from airflow_backup.operators.verify import VerifyOperator
    from airflow_backup.operators.window import BackupWindowSensor

_NEED_AIRFLOW = {
    "BackupOperator": "airflow_backup.operators.backup",
    "BackupWindowSensor": "airflow_backup.operators.window",
    "PruneOperator": "airflow_backup.operators.prune",
    "RestoreOperator": "airflow_backup.operators.restore",
    "VerifyOperator": "airflow_backup.operators.verify",
}

__all__ = [
    "BackupError",
    "BackupOperator",
    "BackupResult",
    "BackupWindowSensor",
    "Catalog",
    "Connection",
    "Connections",
    "ExecutionStatus",
    "FailureClass",
    "Kind",
    "PruneOperator",
    "PruneResult",
    "RestoreOperator",
    "RestoreResult",
    "Run",
    "Schedule",
    "SyncResult",
    "Target",
    "Trigger",
    "Trust",
    "VerificationLevel",
    "VerificationOutcome",
    "Verifier",
    "VerifyOperator",
    "VerifyResult",
    "backup",
    "from_environment",
    "load",
    "prune",
    "restore",
    "sync",
    "target_of",
]


def __getattr__(name: str) -> Any:
    if name not in _NEED_AIRFLOW:
        raise AttributeError(f"module 'airflow_backup.api' has no attribute {name!r}")
    require(name)
    return getattr(import_module(_NEED_AIRFLOW[name]), name)
