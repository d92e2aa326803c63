"""Where a connection id becomes a host and a password: Airflow's store, or the environment."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from airflow_backup.core.errors import ConfigError, NotFound

ENVIRONMENT_PREFIX = "AIRFLOW_CONN_"


@dataclass(frozen=True, slots=True)
class Connection:
    """A resolved Airflow connection. The password and extras never show in its repr."""

    id: str
    type: str = ""
    host: str | None = None
    port: int | None = None
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    schema: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)


Connections = Callable[[str], Connection]
"""Looks up a connection by id; raises NotFound."""


def from_environment(connection_id: str, *, environ: Mapping[str, str] = os.environ) -> Connection:
    """
    Read ``AIRFLOW_CONN_<ID>``, as a URI or as JSON, the way Airflow reads it.

    >>> env = {"AIRFLOW_CONN_ORDERS_DB": "postgres://app:s%40crit@db:5433/orders?sslmode=require"}
    >>> found = from_environment("orders_db", environ=env)
    >>> found.host, found.port, found.schema, found.password, dict(found.extra)
    ('db', 5433, 'orders', 's@crit', {'sslmode': 'require'})
    """
    name = ENVIRONMENT_PREFIX + connection_id.upper()
    text = environ.get(name)
    if not text:
        raise NotFound(
            f"no connection '{connection_id}'",
            hint=f"outside Airflow, set {name} to a URI or to JSON",
        )
    return parse(connection_id, text, origin=name)


def parse(connection_id: str, text: str, *, origin: str) -> Connection:
    """Read a connection written as a URI or as JSON; ``origin`` is named in errors."""
    try:
        return (
            _from_json(connection_id, text)
            if text.lstrip()[:1] == "{"
            else _from_uri(connection_id, text)
        )
    except (ValueError, TypeError, AttributeError):
        # The text holds the password: neither it nor the parser's quote of it may be shown.
        raise ConfigError(
            f"connection '{connection_id}' cannot be read from {origin}",
            hint="is it a URI like postgres://user:password@host:5432/database, or JSON?",
        ) from None


def _from_json(connection_id: str, text: str) -> Connection:
    given = json.loads(text)
    extra = given.get("extra") or {}
    port = given.get("port")
    return Connection(
        id=connection_id,
        type=given.get("conn_type") or "",
        host=given.get("host"),
        port=int(port) if port not in (None, "") else None,
        login=given.get("login"),
        password=given.get("password"),
        schema=given.get("schema"),
        extra=json.loads(extra) if isinstance(extra, str) else dict(extra),
    )


def _from_uri(connection_id: str, text: str) -> Connection:
    parts = urlsplit(text)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    extra = json.loads(query["__extra__"]) if "__extra__" in query else query

    def plain(value: str | None) -> str | None:
        return unquote(value) if value else None

    return Connection(
        id=connection_id,
        type=parts.scheme.replace("-", "_"),
        host=plain(parts.hostname),
        port=parts.port,
        login=plain(parts.username),
        password=plain(parts.password),
        schema=plain(parts.path.lstrip("/")),
        extra=extra,
    )
