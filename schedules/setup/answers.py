"""What a person says is to be protected, as a draft; each answer is checked where it is given."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from airflow_backup.core.errors import ConfigError
from airflow_backup.schedules.loading.problems import findings
from airflow_backup.schedules.model.policies import Retention
from airflow_backup.schedules.model.repository_url import check_repository
from airflow_backup.schedules.setup.draft import Draft, NeededConnection
from airflow_backup.schedules.setup.names import of_path

SERVERS = ("postgres", "mysql", "firebird")
"""Engines whose source is a connection."""
KEEP = "daily: 7, weekly: 4, monthly: 6"
"""How long sets are kept where a person says nothing else."""


def draft_of(engine: str, what: str) -> Draft:
    """
    Make a draft of one answer: a path, or `CONNECTION[/DATABASE]`; ConfigError for what is neither.

    >>> dict(draft_of("postgres", "orders_db/orders").source)
    {'engine': 'postgres', 'database': 'orders'}
    """
    what = what.strip()
    if not what:
        raise ConfigError(f"what is to be protected? {engine} needs a name")
    if engine not in SERVERS:
        path = _place(what)
        name = of_path(path)
        notes = () if os.path.lexists(path) else ("there is no such path on this machine yet",)
        name = name.rpartition(".")[0] or name
        return Draft(name, {"engine": engine, "path": path}, path, notes=notes)
    connection, _, database = what.partition("/")
    if not connection:
        raise ConfigError(
            f"{what!r} names no connection", hint="write for example orders_db/orders"
        )
    source: dict[str, Any] = {"engine": engine}
    if database:
        source["database"] = f"/{database}" if engine == "firebird" else database
    needed = NeededConnection(engine, id=connection, is_named=True)
    return Draft(of_path(database) if database else connection, source, what, connection=needed)


def _place(text: str) -> str:
    """Return an absolute path; two dots behind a link are what the system says, not what stands before them."""
    try:
        path = os.path.join(os.getcwd(), os.path.expanduser(text))
        return os.path.realpath(path) if ".." in path.split("/") else os.path.normpath(path)
    except OSError as error:
        raise ConfigError(
            f"{text!r} leads nowhere: this folder is gone", hint="write the whole path"
        ) from error


def repository_of(text: str) -> str:
    """
    Return a repository's URL; a folder may be written as a path.

    >>> repository_of("/var/backups"), repository_of("s3://bucket/x")
    ('file:///var/backups', 's3://bucket/x')
    """
    text = text.strip()
    if "://" not in text:
        if not text:
            raise ConfigError("where do sets lie?", hint="write for example file:///var/backups")
        return Path(_place(text)).as_uri()
    try:
        return check_repository(text)
    except ValueError as error:
        raise ConfigError(str(error), hint="write for example file:///var/backups") from error


def retention_of(text: str) -> Mapping[str, Any] | None:
    """
    Read how long sets are kept, as a schedule writes it; `all` is for ever.

    >>> retention_of("daily: 7, within: 2d"), retention_of("all")
    ({'daily': 7, 'within': '2d'}, None)
    """
    text = text.strip()
    if text == "all":
        return None
    try:
        found = yaml.safe_load(text if text.startswith("{") else "{" + text + "}")
    except (yaml.YAMLError, RecursionError, ValueError, TypeError):
        found = None
    if not isinstance(found, dict) or not found:
        raise ConfigError(
            f"{text!r} does not say how long", hint=f'write for example "{KEEP}", or all'
        )
    try:
        Retention.model_validate(found)
    except ValidationError as error:
        first = findings(error, Retention)[0]
        where = ".".join(map(str, first.path))
        raise ConfigError(f"{where}: {first.message}", hint=first.hint) from error
    return found
