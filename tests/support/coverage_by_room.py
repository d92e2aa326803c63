"""Which part of each room the tests ran, lines and branches together; and the modules of which they ran all."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LEAST = 92
"""Per cent of all rooms together."""

WHOLE = (
    "catalog/rules/protection.py",
    "catalog/rules/recovery.py",
    "catalog/rules/retention.py",
    "schedules/model/windows.py",
    "schedules/times/start_policy.py",
    "core/format/manifest.py",
    "actions/sets/manifest_check.py",
)
"""Where a line that no test runs may lose data: protection, chain choice, retention, windows, start policy, manifest checks."""


def report(data_file: Path) -> Iterator[str]:
    """Yield a line for each room, then one for all, then what lacks; needs the package ``coverage``."""
    rooms: dict[str, tuple[int, int]] = {}
    lacking: dict[str, str] = {}
    for name, found in _measured(data_file).items():
        path = Path(name).resolve().relative_to(ROOT)
        figures = found["summary"]
        ran = figures["covered_lines"] + figures["covered_branches"]
        there = figures["num_statements"] + figures["num_branches"]
        before = rooms.get(path.parts[0], (0, 0))
        rooms[path.parts[0]] = (before[0] + ran, before[1] + there)
        if str(path) in WHOLE and ran < there:
            lacking[str(path)] = (
                f"lines {found['missing_lines'][:9]}, branches {found['missing_branches'][:9]}"
            )
    for room, (ran, there) in sorted(rooms.items()):
        yield f"{room:<12} {100 * ran / there:5.1f} % of {there} lines and branches"
    ran, there = (sum(each[number] for each in rooms.values()) for number in (0, 1))
    percent = 100 * ran / there
    yield f"{'all':<12} {percent:5.1f} %"
    yield from (f"not whole: {path}: {what}" for path, what in sorted(lacking.items()))
    if percent < LEAST:
        yield f"not enough: {percent:.1f} % of {LEAST} %"


def _measured(data_file: Path) -> dict[str, Any]:
    from coverage import Coverage

    measured = Coverage(data_file=str(data_file), config_file=str(ROOT / "pyproject.toml"))
    measured.load()
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        measured.json_report(outfile=file.name)
        found: dict[str, Any] = json.loads(Path(file.name).read_text())["files"]
    return found
