"""The public modules are what their page says, and need no Airflow where it says so."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "public.md"
MODULES = ("airflow_backup.api", "airflow_backup.engine")


def documented(module: str) -> list[str]:
    """Return the names in the first column of a module's table."""
    section = PAGE.read_text().split(f"## `{module}`")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return [name for row in rows for name in re.findall(r"`(\w+)`", row)]


@pytest.mark.parametrize("module", MODULES)
def test_the_page_names_what_is_public_and_nothing_else(module: str) -> None:
    names = documented(module)
    assert len(names) > 20
    assert sorted(names) == sorted(import_module(module).__all__)
    for name in set(names) - {"Connections"}:  # a form of function, which cannot have a description
        assert getattr(import_module(module), name).__doc__, f"{module}.{name} has no description"


@pytest.mark.parametrize("module", MODULES)
def test_a_public_module_is_loaded_without_airflow(module: str) -> None:
    code = f"import sys, {module}; print([name for name in sys.modules if name.split('.')[0] == 'airflow'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_name_that_is_not_public_is_an_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Surprise'"):
        import_module("airflow_backup.api").Surprise  # noqa: B018
