"""The engines, for whoever writes a schedule in a form."""

from __future__ import annotations

import inspect
from dataclasses import asdict

from fastapi import APIRouter

from airflow_backup.core.errors import BackupError, ConfigError
from airflow_backup.core.installed import engines as installed_engines
from airflow_backup.plugin.schemas.engines import EngineInfo, EngineList, EngineOption
from airflow_backup.schedules.model.sources import options_model
from airflow_backup.schedules.schema.form import options_of

router = APIRouter(tags=["schedules"])


@router.get("/engines")
def list_engines() -> EngineList:
    """List the engines that are installed, and the options of a source of each."""
    return EngineList(engines=[_engine(name) for name in installed_engines.names()])


def _engine(name: str) -> EngineInfo:
    try:
        model = options_model(name)
        if model is None:
            raise ConfigError(f"no package brings the engine {name!r} any more")
        options = [EngineOption.model_validate(asdict(each)) for each in options_of(model)]
    except Exception as error:  # noqa: BLE001  # somebody else's code: it must cost only who uses it
        return EngineInfo(name=name, description="", options=[], problem=_in_a_line(error))
    return EngineInfo(name=name, description=inspect.getdoc(model) or "", options=options)


def _in_a_line(error: Exception) -> str:
    if isinstance(error, BackupError):
        return "; ".join(part for part in (error.message, error.hint) if part)
    return f"{type(error).__name__}: {error}"
