"""Draw the rooms and what they import, as Mermaid, into docs/architecture.md; ``--check`` only compares."""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- map: made by scripts/draw_map.py -->\n", "<!-- end of the map -->\n"
LAYERS = (
    ("plugin",),
    ("dags", "cli"),
    ("operators",),
    ("actions",),
    ("engines", "storage", "catalog"),
    ("schedules",),
    ("core",),
)
"""From the doors down, as in pyproject.toml."""


def rooms_of(modules: set[str]) -> dict[str, list[str]]:
    """Return the folders inside each top-level room."""
    inner = sorted({tuple(name.split(".")[1:3]) for name in modules if name.count(".") >= 3})
    return {
        room: [each[1] for each in found]
        for room, found in groupby(inner, key=lambda each: each[0])
    }


def arrows(graph: grimp.ImportGraph) -> list[tuple[str, str]]:
    """Return which top-level room imports which, without what follows from others."""
    names = [room for layer in LAYERS for room in layer]
    found = {
        (upper, lower)
        for upper in names
        for lower in names
        if upper != lower
        and graph.find_shortest_chains(f"airflow_backup.{upper}", f"airflow_backup.{lower}")
        and _direct(graph, upper, lower)
    }
    return sorted(
        (a, b) for a, b in found if not any((a, c) in found and (c, b) in found for c in names)
    )


def _direct(graph: grimp.ImportGraph, upper: str, lower: str) -> bool:
    inside = {f"airflow_backup.{upper}", *graph.find_descendants(f"airflow_backup.{upper}")}
    wanted = f"airflow_backup.{lower}"
    return any(
        target == wanted or target.startswith(wanted + ".")
        for module in inside
        for target in graph.find_modules_directly_imported_by(module)
    )


def drawn() -> str:
    """Return the picture."""
    graph = grimp.build_graph("airflow_backup")
    inner = rooms_of(graph.modules)
    lines = ["```mermaid", "flowchart TD"]
    for layer in LAYERS:
        for room in layer:
            held = f"<br/>{' · '.join(inner[room])}" if room in inner else ""
            lines.append(f'  {room}["<b>{room}</b>{held}"]')
    lines += [f"  {upper} --> {lower}" for upper, lower in arrows(graph)]
    return "\n".join([*lines, "```\n"])


def main() -> int:
    """Write the page, or say that it is old."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    new = f"{before}{BEGIN}\n{drawn()}\n{END}{after}"
    if "--check" in sys.argv:
        return 0 if new == text else 1
    PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
