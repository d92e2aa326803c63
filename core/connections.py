"""Where a connection id becomes a host and a password: Airflow's store, or the environment."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import NoneType
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
    unread: bool = False
    """Whether its extra could not be read, so that nobody can tell where it leads."""


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


def ids_in_environment(environ: Mapping[str, str] = os.environ) -> list[str]:
    """
    List the connections that variables define; their ids are in small letters, for a variable does not say.

    >>> ids_in_environment({"AIRFLOW_CONN_ORDERS_DB": "postgres://db", "AIRFLOW_CONN_GONE": "", "HOME": "/"})
    ['orders_db']
    """
    found = (
        name.removeprefix(ENVIRONMENT_PREFIX).lower()
        for name, text in environ.items()
        if name.startswith(ENVIRONMENT_PREFIX) and text
    )
    return sorted(each for each in found if each)


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
        type=_text(given, "conn_type") or "",
        host=_text(given, "host"),
        port=int(port) if port not in (None, "") else None,
        login=_text(given, "login"),
        password=_text(given, "password"),
        schema=_text(given, "schema"),
        extra=json.loads(extra) if isinstance(extra, str) else dict(extra),
    )


def _text(given: Mapping[str, Any], name: str) -> str | None:
    value = given.get(name)
    if not isinstance(value, (str, int, NoneType)) or isinstance(value, bool):
        raise TypeError(f"{name} is no text")
    text = None if value is None else str(value)
    (text or "").encode()  # ValueError for half a letter, which JSON can hold and nothing else
    return text


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
