"""Gives a schedule's placement to Airflow: which queue, executor and template each of its tasks gets."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from airflow.sdk.configuration import conf

from airflow_backup.core.errors import ConfigError
from airflow_backup.core.text.names import quoted
from airflow_backup.operators.shared.airflow_settings import allowed_placements, option
from airflow_backup.schedules.model.placement import Placement


def task_arguments(placement: Placement) -> dict[str, Any]:
    """
    Return what every task of a schedule is given; the pool is for those that work, and not for one that waits.

    ConfigError where Airflow has no such executor, or nobody wrote the template.
    """
    arguments: dict[str, Any] = {}
    if placement.queue is not None:
        arguments["queue"] = placement.queue
    if placement.executor is not None:
        _check_executor(placement.executor)
        arguments["executor"] = placement.executor
    if placement.executor_config is not None:
        arguments["executor_config"] = dict(_template(placement.executor_config))
    return arguments


def stamp() -> str:
    """Return what changes when a placement that was refused may be right now, or the other way round."""
    place = option("executor_configs")
    try:
        templates = sorted(_templates(place))
    except ConfigError as error:
        templates = [error.message]
    return repr((allowed_placements(), conf.get("core", "executor"), templates))


def _check_executor(name: str) -> None:
    # Airflow would make an import error of it: for the one file that all our DAGs are in.
    from airflow.exceptions import UnknownExecutorException
    from airflow.executors.executor_loader import ExecutorLoader

    try:
        ExecutorLoader.lookup_executor_name_by_str(name, team_name=None, validate_teams=False)
    except UnknownExecutorException as error:
        raise ConfigError(
            f"Airflow has no executor {quoted(name)}", hint="is it listed in [core] executor?"
        ) from error


def _template(name: str) -> Mapping[str, Any]:
    known = _templates(option("executor_configs"))
    if name not in known:
        there = ", ".join(sorted(known)) or "none"
        raise ConfigError(
            f"no template {quoted(name)} in [backup] executor_configs", hint=f"there are: {there}"
        )
    return known[name]


@lru_cache(maxsize=1)
def _templates(place: str | None) -> Mapping[str, Mapping[str, Any]]:
    """Import the templates that an administrator wrote: ``module:NAME`` of a mapping by name."""
    if place is None:
        return {}
    module, _, name = place.partition(":")
    wrong = f"[backup] executor_configs: {quoted(place)}"
    try:
        found = getattr(importlib.import_module(module), name or "EXECUTOR_CONFIGS")
    except Exception as error:  # the module is an administrator's own, and may fail in any way
        raise ConfigError(
            f"{wrong} cannot be imported: {type(error).__name__}: {error}",
            hint="write module:NAME, of a module that the DAG processor can import",
        ) from error
    if not isinstance(found, Mapping) or not all(
        isinstance(each, Mapping) for each in found.values()
    ):
        raise ConfigError(f"{wrong} is not a mapping of names to mappings")
    return found
