"""Before anything imports Airflow: a home of its own, so that tests neither read nor make one of the user's."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import pytest

from support import coverage_by_room
from support.faults import FAULTS, unshown

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


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say of how many faults all tests have passed, when all of them were run."""
    for line in terminalreporter.config.stash.get(_COVERAGE, ()):
        terminalreporter.write_line(line)
    outcomes: dict[str, str] = {}
    # The worst of all parameters counts; one that this file system cannot have takes nothing from the others.
    for how in ("skipped", "passed", "failed", "error"):
        for report in terminalreporter.stats.get(how, ()):
            module, _, function = report.nodeid.removeprefix("tests/").partition("::")
            outcomes[f"{module}::{function.partition('[')[0]}"] = how
    if any(test not in outcomes for fault in FAULTS for test in fault.tests):
        return
    left = unshown(outcomes)
    terminalreporter.write_line(f"faults: {len(FAULTS) - len(left)} of {len(FAULTS)} shown")
    for fault in left:
        terminalreporter.write_line(f"not shown: {fault.what}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where coverage was measured, by ``--cov``, say it by room."""
    config = session.config
    is_worker = hasattr(config, "workerinput")
    data = config.rootpath / ".coverage"
    if is_worker or not config.getoption("cov_source", None) or not data.exists():
        return
    lines = list(coverage_by_room.report(data))
    config.stash[_COVERAGE] = lines


_COVERAGE = pytest.StashKey[list[str]]()
