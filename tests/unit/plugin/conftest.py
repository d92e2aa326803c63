"""Airflow's database, for tests of what is read from it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.models import import_all_models
from airflow.models.dagrun import DagRun
from sqlalchemy import create_engine
from sqlalchemy.orm import Session


@pytest.fixture(scope="session")
def empty_airflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make Airflow's tables once; each test has a copy of the file."""
    import_all_models()  # type: ignore[no-untyped-call]  # Airflow gives it no types
    file = tmp_path_factory.mktemp("airflow") / "airflow.db"
    engine = create_engine(f"sqlite:///{file}")
    DagRun.metadata.create_all(engine)
    engine.dispose()
    return file


@pytest.fixture
def session(empty_airflow: Path, tmp_path: Path) -> Iterator[Session]:
    """Open Airflow's tables, empty."""
    engine = create_engine(f"sqlite:///{shutil.copy(empty_airflow, tmp_path)}")
    with Session(engine) as session:
        yield session
    engine.dispose()
