"""Databases of a whole Airflow on a PostgreSQL server of a test: Airflow's own, and that of the catalog."""

from __future__ import annotations

from support.servers.postgres import Postgres

_ROLE = "airflow_tests"


class Databases:
    """Both of them, and the role that may do everything there."""

    def __init__(self, server: Postgres) -> None:
        server.query("postgres", f"CREATE ROLE {_ROLE} LOGIN SUPERUSER PASSWORD '{_ROLE}'")
        for database in ("airflow_meta", "backup_catalog"):
            server.query("postgres", f"CREATE DATABASE {database}")
        self._port = server.port

    @property
    def metadata(self) -> str:
        """The address of Airflow's own database."""
        return f"postgresql+psycopg://{self._place(self._port)}/airflow_meta"

    @property
    def catalog(self) -> str:
        """The address of the catalog, on the server itself."""
        return f"postgresql+psycopg://{self._place(self._port)}/backup_catalog"

    def environment(self, *, catalog_port: int | None = None) -> dict[str, str]:
        """Return what Airflow has to be told; it finds the catalog on another port where one is given."""
        return {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.metadata,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": self.metadata,
            "AIRFLOW__BACKUP__CATALOG_CONN_ID": "backup_catalog",
            "AIRFLOW_CONN_BACKUP_CATALOG": f"postgres://{self._place(catalog_port or self._port)}/backup_catalog",
        }

    def _place(self, port: int) -> str:
        return f"{_ROLE}:{_ROLE}@127.0.0.1:{port}"
