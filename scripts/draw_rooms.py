"""Draw the map of the rooms, which is Mermaid in the page, as a picture: the site fetches no program that could."""

from __future__ import annotations

import re
from html import escape

NODE = re.compile(r'^ *(\w+)\["<b>(.*?)</b>(?:<br/>(.*?))?"\]$', re.MULTILINE)
ARROW = re.compile(r"^ *(\w+) --> (\w+)$", re.MULTILINE)
WIDTH, HEIGHT, GAP = 240, 46, 44
PLACES = {
    "cli": 2.0,
    "dags": 0.5,
    "storage": 2.0,
    "engines": 0.0,
    "catalog": 1.0,
    "operators": 0.5,
    "schedules": 0.5,
}
"""Where a room stands in its row, so that an arrow over two rows crosses none; the others stand in the middle."""


def picture(mermaid: str) -> str:
    """
    Return the picture as SVG.

    >>> picture('a["<b>a</b><br/>one · two"]\\n  b["<b>b</b>"]\\n  a --> b').count("<rect")
    2
    """
    names = {name: held for name, _, held in NODE.findall(mermaid)}
    arrows = ARROW.findall(mermaid)
    rows = _rows(list(names), arrows)
    middle = {
        name: ((PLACES.get(name, 1.0) + 0.5) * (WIDTH + 16), row * (HEIGHT + GAP) + 4)
        for name, row in rows.items()
    }
    lines = [_arrow(*middle[upper], *middle[lower]) for upper, lower in arrows]
    boxes = [_box(name, names[name], *middle[name]) for name in names]
    high = (max(rows.values()) + 1) * (HEIGHT + GAP)
    label = "The rooms, from the doors down: " + ", ".join(
        f"{upper} imports {lower}" for upper, lower in arrows
    )
    return (
        f'<svg class="rooms" role="img" aria-label="{label}" viewBox="0 0 {3 * (WIDTH + 16)} {high}"'
        ' xmlns="http://www.w3.org/2000/svg"'
        ' font-family="inherit" text-anchor="middle">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="currentColor"/></marker></defs>'
        + "".join(lines + boxes)
        + "</svg>"
    )


def _rows(names: list[str], arrows: list[tuple[str, str]]) -> dict[str, int]:
    """Return the row of each room: one below the lowest of those that import it."""
    rows = dict.fromkeys(names, 0)
    for _ in names:
        for upper, lower in arrows:
            rows[lower] = max(rows[lower], rows[upper] + 1)
    return rows


def _box(name: str, held: str, x: float, y: float) -> str:
    shift = 18 if held else 28
    inner = (
        f'<text x="{x}" y="{y + 35}" font-size="10" fill="currentColor" opacity=".75">{escape(_short(held))}</text>'
        if held
        else ""
    )
    return (
        f'<rect x="{x - WIDTH / 2}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6"'
        ' fill="#3f5b87" fill-opacity=".1" stroke="#3f5b87"/>'
        f'<text x="{x}" y="{y + shift}" font-size="14" font-weight="700" fill="currentColor">'
        f"{escape(name)}</text>{inner}"
    )


def _short(held: str) -> str:
    return held if len(held) < 48 else f"{held[:44].rpartition(' · ')[0]} …"


def _arrow(x: float, y: float, to_x: float, to_y: float) -> str:
    straight = f'x1="{x}" y1="{y + HEIGHT}" x2="{to_x}" y2="{to_y}"'
    return f'<line {straight} stroke="currentColor" stroke-opacity=".55" stroke-width="1.3" marker-end="url(#tip)"/>'
