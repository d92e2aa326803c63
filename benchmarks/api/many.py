"""
What the API costs where there are many schedules: processor time of the server for each answer, and its statements.

    python benchmarks/api/many.py [--counts 1000 5000] [--before OTHER/.venv/bin/python] [--keep FOLDER]

One API server with one worker process at a time, SQLite, every schedule with 100 runs in the catalog and in Airflow's
database. `--before` is the interpreter of another version, measured on the same data. It writes many.md.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks"), str(HERE)]

from many_world import RUNS, made
from measured import measured_at

from support.airflow.home import AirflowHome

API = "backup/api/v1"
OURS = (
    f"{API}/schedules?limit=50",
    f"{API}/schedules?limit=50&sort=protection",
    f"{API}/status",
    f"{API}/timeline",
    f"{API}/runs/active",
)
THEIRS = "ui/dags?limit=50"
SAMPLES, PATIENCE = 3, 600.0
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """What one answer costs: milliseconds of the processor (median), statements, bytes."""

    milliseconds: float
    first: float
    """The first answer, when nothing is remembered."""
    statements: int
    size: int


def processor_seconds(group: int) -> float:
    """Return what all processes of a group have used so far."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        if int(fields[2]) == group:
            total += int(fields[11]) + int(fields[12])
    return total / _TICK


def ask(client: httpx.Client, path: str) -> int:
    """Ask, and return the size of the answer."""
    answer = client.get("/" + path)
    answer.raise_for_status()
    return len(answer.content)


def once(airflow: AirflowHome, client: httpx.Client, path: str, times: int) -> float:
    """Return the milliseconds of the processor that an answer costs, over some of them."""
    group = airflow.pid("api-server")
    begun = processor_seconds(group)
    for _ in range(times):
        ask(client, path)
    return (processor_seconds(group) - begun) / times * 1000


def times_of(airflow: AirflowHome, paths: Iterable[str]) -> dict[str, tuple[float, float]]:
    """Return the first and the median cost of each answer, the paths in turn; a first one is that of a new server."""
    found: dict[str, list[float]] = {}
    first: dict[str, float] = {}
    airflow.start("api-server")
    try:
        with airflow.client("admin") as client:
            client.timeout = PATIENCE
            ask(client, "api/v2/dags?limit=1")
            for path in paths:
                first[path] = once(airflow, client, path, 1)
            for _ in range(SAMPLES):
                for path in paths:
                    quick = first[path] < 500
                    found.setdefault(path, []).append(
                        once(airflow, client, path, 5 if quick else 1)
                    )
    finally:
        airflow.stop()
    return {path: (first[path], statistics.median(all_of)) for path, all_of in found.items()}


def statements_of(airflow: AirflowHome, paths: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Return the statements of each answer, and its size."""
    file = airflow.folder / "counted"
    file.write_bytes(b"")
    airflow.environment["MANY_COUNTED"] = str(file)
    airflow.start("api-server")
    try:
        found = {}
        with airflow.client("admin") as client:
            client.timeout = PATIENCE
            for path in paths:
                ask(client, path)
                time.sleep(0.2)
                before = file.stat().st_size
                size = ask(client, path)
                found[path] = (file.stat().st_size - before, size)
    finally:
        airflow.stop()
        del airflow.environment["MANY_COUNTED"]
    return found


def measured(airflow: AirflowHome, python: Path, paths: Iterable[str]) -> dict[str, Cost]:
    """Measure one version."""
    airflow.python = python
    times, statements = times_of(airflow, paths), statements_of(airflow, paths)
    return {
        path: Cost(milliseconds=times[path][1], first=times[path][0], statements=count, size=size)
        for path, (count, size) in statements.items()
    }


def table(count: int, found: dict[str, dict[str, Cost]]) -> list[str]:
    """Write what was found for so many schedules."""
    lines = [
        f"## {count:,} schedules",
        "",
        "| answer | "
        + " | ".join(f"{name}, ms | the first | statements" for name in found)
        + " | KiB |",
        "|---" * (3 * len(found) + 2) + "|",
    ]
    for path in (*OURS, THEIRS):
        costs = [each[path] for each in found.values()]
        cells = [f"{c.milliseconds:,.0f} | {c.first:,.0f} | {c.statements}" for c in costs]
        lines.append(f"| `{path}` | {' | '.join(cells)} | {costs[-1].size / 1024:,.0f} |")
    return [*lines, ""]


def page(tables: list[str], load: str) -> str:
    """Write the results."""
    head = [
        "# The API with many schedules: results",
        "",
        "*Written by `benchmarks/api/many.py`.*",
        "",
        (
            f"{measured_at()}. Airflow {version('apache-airflow-core')}, SQLAlchemy {version('sqlalchemy')},"
            f" pydantic {version('pydantic')}; one API server with one"
        ),
        (
            f"worker process, SQLite, {RUNS} runs of each schedule. Milliseconds of the processor for an answer,"
            f" median of {SAMPLES}; `ui/dags` is the list"
        ),
        (
            "of Airflow's own page, in the same run. *The first* is that of a new server, when nothing is remembered yet."
        ),
        f"Load of the machine before it began: {load} (1, 5 and 15 minutes; other work ran on it).",
        "",
    ]
    return "\n".join(head + tables).rstrip() + "\n"


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().split("\n", maxsplit=1)[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 5000])
    parser.add_argument("--before", type=Path, help="the interpreter of another version")
    parser.add_argument(
        "--keep", type=Path, help="a folder that keeps the databases for another time"
    )
    given = parser.parse_args()
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    versions = {"before": given.before} if given.before else {}
    versions["now"] = Path(sys.executable)
    tables: list[str] = []
    for count in given.counts:
        with tempfile.TemporaryDirectory() as name:
            kept = given.keep / str(count) if given.keep else None
            airflow = made(Path(name) / "home", count, kept=kept)
            found = {
                each: measured(airflow, python, (*OURS, THEIRS))
                for each, python in versions.items()
            }
        tables += table(count, found)
        (HERE / "many.md").write_text(page(tables, load))


if __name__ == "__main__":
    main()
