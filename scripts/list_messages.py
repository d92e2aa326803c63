"""
Write the messages that have a hint into docs/reference/messages.md, by the class of their failure; ``--check`` only
compares.

Read from the code itself: every error of ours that is made with a text and a hint.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from airflow_backup.core import errors
from airflow_backup.core.failure_class import FailureClass

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "messages.md"
ROOMS = ("actions", "catalog", "cli", "core", "engines", "operators", "schedules", "storage")
ERRORS = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.BackupError)
}
HEAD = """\
# Messages and their hints

*Made from the code by `scripts/list_messages.py`.* An `…` stands for a name, a path, a number or what another
program said. What each class means, and whether a run is tried again: [troubleshooting](../how-to/troubleshooting.md).
"""


def messages(root: Path = ROOT) -> dict[FailureClass, list[tuple[str, str]]]:
    """Return each message with its hint, by the class of its failure."""
    found: dict[FailureClass, set[tuple[str, str]]] = {}
    for room in ROOMS:
        for path in (root / room).rglob("*.py"):
            for failure, message, hint in _of(path.read_text(encoding="utf-8")):
                found.setdefault(failure, set()).add((message, hint))
    return {
        failure: sorted(found[failure], key=_order) for failure in FailureClass if failure in found
    }


def _of(code: str) -> Iterator[tuple[FailureClass, str, str]]:
    for node in ast.walk(ast.parse(code)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
            continue
        kind = ERRORS.get(node.func.id)
        message = _text(node.args[0])
        hint = next((_text(word.value) for word in node.keywords if word.arg == "hint"), "")
        if kind is not None and message.strip("… :'") and hint.strip("… "):
            yield kind.failure_class, message, hint


def _text(node: ast.expr) -> str:
    """Return a text of the code as a reader sees it; nothing where it is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "…" for part in node.values)
    return ""


def _order(pair: tuple[str, str]) -> tuple[str, str, str]:
    return pair[0].lstrip("…' :").lower(), *pair


def page() -> str:
    """Return the page."""
    parts = [HEAD]
    for failure, pairs in messages().items():
        rows = [f"| {_code(message)} | {_cell(hint)} |" for message, hint in pairs]
        parts.append("\n".join([f"## {failure}\n", "| message | hint |", "|---|---|", *rows, ""]))
    return "\n".join(parts)


def _code(text: str) -> str:
    shown = " ".join(text.split()).replace("|", "\\|")
    return shown if "`" in shown else f"`{shown}`"


def _cell(text: str) -> str:
    shown = " ".join(text.split()).replace("|", "\\|")
    is_plain = "`" in shown or not re.search(r"[<>*_\[{$\\]|--|\w=", shown)
    return shown if is_plain else f"`{shown}`"


def main() -> int:
    """Write the page, or say that it is old."""
    if "--check" in sys.argv:
        return 0 if PAGE.read_text(encoding="utf-8") == page() else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
