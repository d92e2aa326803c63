"""One real Airflow for all integration tests: it takes longer to start than they take to run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.airflow.home import AirflowHome
from support.airflow.shared import share
from support.stored.wheel import built

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def airflow(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[AirflowHome]:
    """A running Airflow without schedules; tests write their own into its folder."""
    folder = tmp_path_factory.mktemp("integration")
    with AirflowHome(folder / "airflow") as home:
        home.start()
        share(pytestconfig, Path(__file__).parent, home)
        yield home


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built once."""
    return built(tmp_path_factory.mktemp("dist"))
