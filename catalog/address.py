"""Where the catalog lies: the database that a connection names."""

from __future__ import annotations

from airflow_backup.core.connections import Connection


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
