"""Which part of each room the tests ran, lines and branches together; and the modules of which they ran all."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LEAST = 92
"""Per cent of all rooms together."""

WHOLE = (
    "catalog/rules/known.py",
    "catalog/rules/protection.py",
    "catalog/rules/recovery.py",
    "catalog/rules/retention.py",
    "schedules/model/windows.py",
    "schedules/times/start_policy.py",
    "core/format/manifest.py",
    "actions/backup/parent.py",
    "actions/restore/choose.py",
    "actions/sets/manifest_check.py",
    "actions/sets/piece_sizes.py",
)
"""
Where a line that no test runs may lose data: protection, chain choice, retention, windows, start policy, manifest
checks.
"""


@dataclass(frozen=True)
class Measured:
    """What to print of a run: a line for each room and one for all, and a line for each thing that lacks."""

    rooms: tuple[str, ...]
    lacking: tuple[str, ...]


def measured(data_file: Path) -> Measured:
    """Read what one run wrote; needs the package ``coverage``."""
    rooms: dict[str, tuple[int, int]] = {}
    lacking: list[str] = []
    for name, found in sorted(_files(data_file).items()):
        path = Path(name).resolve().relative_to(ROOT)
        figures = found["summary"]
        ran = figures["covered_lines"] + figures["covered_branches"]
        there = figures["num_statements"] + figures["num_branches"]
        before = rooms.get(path.parts[0], (0, 0))
        rooms[path.parts[0]] = (before[0] + ran, before[1] + there)
        if str(path) in WHOLE and ran < there:
            missed = f"lines {found['missing_lines'][:9]}, branches {found['missing_branches'][:9]}"
            lacking.append(f"not whole: {path}: {missed}")
    lines = [
        f"{room:<12} {100 * ran / there:5.1f} % of {there} lines and branches"
        for room, (ran, there) in sorted(rooms.items())
    ]
    ran, there = (sum(each[number] for each in rooms.values()) for number in (0, 1))
    percent = 100 * ran / there
    if percent < LEAST:
        lacking.append(f"not enough: {percent:.1f} % of {LEAST} %")
    return Measured((*lines, f"{'all':<12} {percent:5.1f} %"), tuple(lacking))


def _files(data_file: Path) -> dict[str, Any]:
    from coverage import Coverage

    coverage = Coverage(data_file=str(data_file), config_file=str(ROOT / "pyproject.toml"))
    coverage.load()
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        coverage.json_report(outfile=file.name, include=[f"{ROOT}/*"])
        found: dict[str, Any] = json.loads(Path(file.name).read_text())["files"]
    return found
