"""Asks the page's own TypeScript modules, outside a browser: node runs them as they are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_ANSWERS = Path(__file__).parents[2] / "ui" / "src" / "test" / "answers.mjs"
_NODE = Path(sys.executable).with_name("node")
"""It comes with the packages for development, as npm does."""


def ask_page(question: str, given: Any) -> Any:
    """Return what `ui/src/test/answers.mjs` answers."""
    asked = json.dumps({"question": question, "given": given})
    done = subprocess.run(
        [_NODE, _ANSWERS], input=asked, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def ask_forms(definitions: list[Any], engines: list[Any]) -> list[Any]:
    """Return what each definition becomes in the page's form; ``engines`` are those of `GET /engines`."""
    found: list[Any] = ask_page("forms", {"definitions": definitions, "engines": engines})
    return found
