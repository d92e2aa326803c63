"""Addresses of catalogs: what is none is refused in words, and passwords are shown nowhere."""

from __future__ import annotations

import pytest

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.address import parsed, shown
from airflow_backup.core.errors import CatalogError

NO_ADDRESS = {
    "/srv/catalog.db": "not a database URL",
    "postgresql+psycopg://u:secret@h:port/x": "not a database URL",
    "postgresql+nonsense://u:secret@h/x": "not a database URL",
    "mysql://u:secret@h/x": "cannot lie in mysql",
    "sqlite+aiosqlite:////srv/catalog.db": "asynchronous",
    "postgresql+asyncpg://u:secret@h/x": "asynchronous",
    "sqlite://host/catalog.db": "has no host",
    "sqlite://u:secret@host/catalog.db": "has no host",
    "sqlite:///file:/srv/catalog.db?uri=true": "without options",
    "sqlite:////srv/catalog.db?mode=ro": "without options",
}


@pytest.mark.parametrize("address", NO_ADDRESS)
def test_what_is_no_address_of_a_catalog_is_refused_without_its_password(address: str) -> None:
    with pytest.raises(CatalogError, match=NO_ADDRESS[address]) as refused:
        Catalog.open(address)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://u:secret@h/x",
        "postgresql:///x?password=secret",
        "postgresql:///x?sslpassword=secret&host=/run",
        "postgresql:///x?password=secret&password=secret",
    ],
)
def test_no_password_is_shown(address: str) -> None:
    told = shown(parsed(address))
    assert "secret" not in told
    assert told.startswith("postgresql://")


def test_a_server_that_is_not_there_is_told_without_the_password_in_its_options() -> None:
    with pytest.raises(CatalogError) as failed:
        Catalog.open("postgresql+psycopg://127.0.0.1:9/x?password=secret")
    assert "secret" not in str(failed.value)
