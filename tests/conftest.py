"""Before anything imports Airflow: a home of its own, so that tests neither read nor make one of the user's."""

from __future__ import annotations

import os
import tempfile

import pytest

for _name in [name for name in os.environ if name.startswith("AIRFLOW")]:
    del os.environ[_name]
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-backup-tests-")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what fails fastest first: plain tests, then those with servers, then the slow ones."""

    def weight(item: pytest.Item) -> int:
        marks = {mark.name for mark in item.iter_markers()}
        return 2 if "slow" in marks else 1 if marks & {"service", "browser"} else 0

    items.sort(key=weight)
