"""The page of faults is what the tests show."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.faults import FAULTS, page, unshown

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs/reference/faults.md"


@pytest.mark.parametrize("test", sorted({test for fault in FAULTS for test in fault.tests}))
def test_a_fault_names_a_test_that_there_is(test: str) -> None:
    module, _, function = test.partition("::")
    assert f"def {function}(" in (TESTS / module).read_text(), test


def test_the_page_is_made_of_the_table() -> None:
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(page())
    assert PAGE.read_text() == page()


def test_a_fault_is_shown_only_when_all_its_tests_have_passed() -> None:
    passed = {test: "passed" for fault in FAULTS for test in fault.tests}
    assert unshown(passed) == []
    first = FAULTS[0].tests[0]
    assert FAULTS[0] in unshown(passed | {first: "failed"})
    assert FAULTS[0] in unshown({test: how for test, how in passed.items() if test != first})
