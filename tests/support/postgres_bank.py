"""A PostgreSQL server with a bank in it, of two versions, shared by the tests of a module."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from support.postgres import Postgres, modern_programs, postgres, programs

SETTINGS = {"track_commit_timestamp": "on", "max_wal_size": "64MB"}


@pytest.fixture(scope="module", params=["debian", "18"])
def bank(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    """A server with pgbench's bank in it."""
    found = programs() if request.param == "debian" else modern_programs()
    if found is None:
        reason = "there is no PostgreSQL server on this machine: apt-get install postgresql"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    settings = SETTINGS | ({"summarize_wal": "on"} if request.param == "18" else {})
    with postgres(found=found, settings=settings) as running:
        running.query("postgres", "CREATE DATABASE bank")
        running.run("pgbench", "-i", "-q", "-s", "2", "bank")
        running.query(
            "bank",
            'CREATE SCHEMA "Odd name"; CREATE TABLE "Odd name"."T" AS SELECT generate_series(1, 77) AS n',
        )
        yield running
