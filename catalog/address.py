"""Where the catalog lies: the database that a connection or an address names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_backup.core.connections import Connection
from airflow_backup.core.errors import CatalogError

if TYPE_CHECKING:
    from sqlalchemy import URL

SQLITE, POSTGRESQL = "sqlite", "postgresql"
_EXAMPLE = "write for example sqlite:////srv/airflow/airflow_backup.db"
_SECRET = ("pass", "secret", "token")
"""Parts of the names of options of an address that nobody is shown."""


def address_of(connection: Connection) -> str:
    """
    Return the SQLAlchemy URL of a connection of Airflow; it holds the password.

    >>> address_of(Connection("catalog", type="sqlite", host="/srv/catalog.db"))
    'sqlite:////srv/catalog.db'
    """
    if connection.type == "sqlite":
        return f"sqlite:///{connection.host or connection.schema or ''}"
    from sqlalchemy import URL  # only where a server holds the catalog

    is_postgres = connection.type in ("postgres", "postgresql")
    url = URL.create(
        "postgresql+psycopg" if is_postgres else connection.type,
        username=connection.login,
        password=connection.password,
        host=connection.host,
        port=connection.port,
        database=connection.schema,
    )
    return url.render_as_string(hide_password=False)


def parsed(address: str) -> URL:
    """
    Return the URL of a catalog's address; CatalogError, which shows nothing of it, where it is none.

    >>> parsed("sqlite:////srv/catalog.db").database
    '/srv/catalog.db'
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(address)
        is_async = url.get_dialect().is_async
    except (ArgumentError, ValueError):
        # The text may hold a password.
        raise CatalogError("the catalog's address is not a database URL", hint=_EXAMPLE) from None
    if url.get_backend_name() not in (SQLITE, POSTGRESQL):
        raise CatalogError(
            f"the catalog cannot lie in {url.get_backend_name()}", hint="use SQLite or PostgreSQL"
        )
    if is_async:
        raise CatalogError(
            f"the catalog's address names the driver {url.get_driver_name()}, which is for asynchronous programs",
            hint="write sqlite:// or postgresql+psycopg://",
        )
    if url.get_backend_name() == SQLITE:
        _require_path(url)
    return url


def _require_path(url: URL) -> None:
    """Refuse what would make SQLite look elsewhere than where the path says."""
    if url.host or url.port or url.username:
        raise CatalogError("a catalog in SQLite is a file, and has no host", hint=_EXAMPLE)
    if url.query or (url.database or "").startswith("file:"):
        raise CatalogError(
            "the address of a catalog in SQLite is a path, without options", hint=_EXAMPLE
        )


def shown(url: URL) -> str:
    """
    Return an address for messages, without its passwords.

    >>> shown(parsed("postgresql:///backup?password=secret&host=/run"))
    'postgresql:///backup?host=%2Frun&password=%2A%2A%2A'
    """
    hidden = {name: "***" for name in url.query if any(part in name.lower() for part in _SECRET)}
    return url.update_query_dict(hidden).render_as_string(hide_password=True)
