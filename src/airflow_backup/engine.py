"""
What an engine of another package is written with. Stable: see `docs/reference/public.md`.

An engine is a class with the functions of `Engine`, found through the entry point group
``airflow_backup.engines``; its options are a model below `EngineOptions`. `check_engine` asks it for
everything that engines promise.
"""

from __future__ import annotations

from airflow_backup.actions.contract.case import ContractBroken, EngineCase
from airflow_backup.actions.contract.check import check_engine
from airflow_backup.core.connections import Connection, Connections, from_environment
from airflow_backup.core.errors import (
    BackupError,
    ConfigError,
    EngineError,
    Inconclusive,
    NotFound,
    ParentUnusable,
    Refused,
    ScratchFull,
    SourceChanged,
    SourceDenied,
    SourceError,
    SourceLocked,
    SourceUnavailable,
    ToolMissing,
    VerifyError,
)
from airflow_backup.core.format.manifest import Manifest
from airflow_backup.core.process.commands import run
from airflow_backup.core.process.process import Process
from airflow_backup.core.progress import Progress, Reporter
from airflow_backup.core.words import Kind
from airflow_backup.engines.capabilities import (
    Decoder,
    Estimate,
    Estimator,
    FormatChecker,
    Lister,
    Loader,
    Locator,
    Outside,
    PartChecker,
    PauseTeller,
    ReadOnly,
    RestoreTester,
    Resumer,
    SelfContained,
    StateDescriber,
    StoredEntry,
    StructureChecker,
    Sweeper,
)
from airflow_backup.engines.protocol import (
    DumpReport,
    Engine,
    EngineContext,
    RestoreReport,
    SetReader,
    Sink,
    Stream,
    VerificationReport,
)
from airflow_backup.engines.shared.restore_root import open_target
from airflow_backup.schedules.model.base import AbsolutePath, ConnectionId, Model
from airflow_backup.schedules.model.sources import EngineOptions
from airflow_backup.schedules.schema.asked import asked

__all__ = [
    "AbsolutePath",
    "BackupError",
    "ConfigError",
    "Connection",
    "ConnectionId",
    "Connections",
    "ContractBroken",
    "Decoder",
    "DumpReport",
    "Engine",
    "EngineCase",
    "EngineContext",
    "EngineError",
    "EngineOptions",
    "Estimate",
    "Estimator",
    "FormatChecker",
    "Inconclusive",
    "Kind",
    "Lister",
    "Loader",
    "Locator",
    "Manifest",
    "Model",
    "NotFound",
    "Outside",
    "ParentUnusable",
    "PartChecker",
    "PauseTeller",
    "Process",
    "Progress",
    "ReadOnly",
    "Refused",
    "Reporter",
    "RestoreReport",
    "RestoreTester",
    "Resumer",
    "ScratchFull",
    "SelfContained",
    "SetReader",
    "Sink",
    "SourceChanged",
    "SourceDenied",
    "SourceError",
    "SourceLocked",
    "SourceUnavailable",
    "StateDescriber",
    "StoredEntry",
    "Stream",
    "StructureChecker",
    "Sweeper",
    "ToolMissing",
    "VerificationReport",
    "VerifyError",
    "asked",
    "check_engine",
    "from_environment",
    "open_target",
    "run",
]
