"""Before anything imports Airflow: a home of its own, so that tests neither read nor make one of the user's."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest

from support import coverage_by_room
from support.airflow import shared
from support.faults import FAULTS, unshown

for _name in [name for name in os.environ if name.startswith("AIRFLOW")]:
    del os.environ[_name]
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-backup-tests-")
atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--slow``, which `scripts/check` and CI give."""
    parser.addoption(
        "--slow",
        action="store_true",
        help="also the slow unit tests, which a change rarely breaks alone",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """
    Run what fails fastest first: plain tests, then those with servers, then the slow ones.

    Of these the slowest files come first, so that no worker is left with one of them when the others are done.
    """

    def weight(item: pytest.Item) -> tuple[int, int]:
        slow = item.get_closest_marker("slow")
        if slow is not None:
            return 2, -int(slow.kwargs.get("minutes", 0))
        return int(any(item.iter_markers("service")) or any(item.iter_markers("browser"))), 0

    items.sort(key=weight)
    left = _left_out(config, items)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


def _left_out(config: pytest.Config, items: list[pytest.Item]) -> list[pytest.Item]:
    """
    Return the slow tests of `tests/unit`, unless they are asked for: by --slow, by -m, or by the name of their file.
    """
    if config.getoption("--slow") or config.option.markexpr:
        return []
    named = {
        (config.invocation_params.dir / each.partition("::")[0]).resolve() for each in config.args
    }
    unit = config.rootpath / "tests" / "unit"
    return [
        item
        for item in items
        if item.get_closest_marker("slow") and unit in item.path.parents and item.path not in named
    ]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let the Airflow that the folder of the test shares go on."""
    shared.wake(item)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Let it stand still, after the last that uses it."""
    yield
    shared.rest(item)


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
    """Where coverage was measured, by ``--cov``, say it by room; fail where a run of all tests ran too little."""
    config = session.config
    is_worker = hasattr(config, "workerinput")
    data = config.rootpath / ".coverage"
    if is_worker or not config.getoption("cov_source", None) or not data.exists():
        return
    found = coverage_by_room.measured(data)
    config.stash[_COVERAGE] = [*found.rooms, *found.lacking]
    ran_all = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if ran_all and found.lacking and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


_COVERAGE = pytest.StashKey[list[str]]()
