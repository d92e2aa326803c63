"""A PostgreSQL server with a bank in it, of two versions, shared by the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.servers.postgres import Postgres, postgres, require

SETTINGS = {"track_commit_timestamp": "on", "max_wal_size": "64MB"}


@pytest.fixture(scope="module", params=["debian", "18"])
def bank(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    """A server with pgbench's bank in it."""
    found = require(request.param)
    settings = SETTINGS | ({"summarize_wal": "on"} if request.param == "18" else {})
    with postgres(found=found, settings=settings) as running:
        running.query("postgres", "CREATE DATABASE bank")
        running.run("pgbench", "-i", "-q", "-s", "2", "bank")
        running.query(
            "bank",
            'CREATE SCHEMA "Odd name"; CREATE TABLE "Odd name"."T" AS SELECT generate_series(1, 77) AS n',
        )
        yield running
