"""
How large the client without Airflow is as pip leaves it, and how long its `validate` takes there.

    python benchmarks/client/run.py [--python /usr/bin/python3] [--runs 10]

Builds the wheel and installs it as the README says into a fresh environment of that Python. Sizes are what the
installation adds, in blocks of the file system; times are of fresh processes with warm files. Writes results.md
beside itself.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).absolute().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent))

from measured import measured_at

SMALL_MB = 1.0
_SIZES = """
import json, os
from importlib.metadata import distributions
found = {}
for each in distributions():
    source = compiled = 0
    for file in each.files or ():
        path = file.locate()
        if os.path.isfile(path):
            size = os.stat(path).st_blocks * 512
            source, compiled = (source, compiled + size) if path.suffix == ".pyc" else (source + size, compiled)
    found[each.metadata["Name"]] = (source / 2**20, compiled / 2**20)
print(json.dumps(found))
"""
"""Prints MiB by distribution: what it brings, and the byte code that pip makes of it."""

SOURCES: tuple[dict[str, Any], ...] = (
    {"engine": "files", "path": "/srv/N", "exclude": ["*.tmp"]},
    {"engine": "sqlite", "path": "/srv/N.db"},
    {"engine": "firebird", "connection": "fN", "database": "/srv/N.fdb"},
    {"engine": "restic", "connection": "rest", "restic_repository": "/srv/rN", "paths": ["/srv/N"]},
)
"""Of the engines that need no extra."""

TIMES: tuple[dict[str, Any], ...] = (
    {"levels": {"full": "N 2 * * sun", "incremental": "N 2 * * mon-sat"}},
    {"preset": "hourly"},
    {"cron": "N 3 * * *", "extends": "careful"},
)


def main() -> None:
    """Measure everything and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default="/usr/bin/python3")
    parser.add_argument("--runs", type=int, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        python, before = installed(arguments.python, folder)
        sizes = {name: size for name, size in sizes_of(python).items() if name not in before}
        lines = [*head(python), *size_lines(sizes), *time_lines(python, folder, arguments.runs)]
    page = "\n".join(lines) + "\n"
    (HERE / "results.md").write_text(page)
    print(page)


def installed(base: str, folder: Path) -> tuple[Path, set[str]]:
    """Install the wheel; return the environment's Python, and what was there before (pip, setuptools)."""
    build = [sys.executable, "-m", "build", "--wheel", "-o", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    subprocess.run([base, "-m", "venv", str(folder / "client")], check=True)
    python = folder / "client" / "bin" / "python"
    before = set(sizes_of(python))
    (wheel,) = folder.glob("*.whl")
    subprocess.run([python, "-m", "pip", "install", "-q", str(wheel)], check=True)
    return python, before


def sizes_of(python: Path) -> dict[str, tuple[float, float]]:
    """Return MiB of each distribution, without byte code and of it."""
    done = subprocess.run([python, "-c", _SIZES], check=True, capture_output=True, text=True)
    return {name: (size[0], size[1]) for name, size in json.loads(done.stdout).items()}


def size_lines(sizes: dict[str, tuple[float, float]]) -> list[str]:
    """Write the table of sizes, the largest first."""
    total = [sum(size[which] for size in sizes.values()) for which in (0, 1)]
    large = sorted(
        (name for name in sizes if sum(sizes[name]) >= SMALL_MB), key=lambda name: -sum(sizes[name])
    )
    rest = [sum(sizes[name][which] for name in sizes if name not in large) for which in (0, 1)]
    rows = [(name, *sizes[name]) for name in large]
    rows += [(f"{len(sizes) - len(large)} others", *rest), (f"all {len(sizes)}", *total)]
    return [
        "| distribution | MiB | its byte code, MiB | together |",
        "|---|---|---|---|",
        *(f"| {name} | {own:.1f} | {code:.1f} | {own + code:.1f} |" for name, own, code in rows),
        "",
    ]


def time_lines(python: Path, folder: Path, runs: int) -> list[str]:
    """Write the table of times."""
    command = str(python.parent / "airflow-backup")
    commands = {
        "`python -c pass`": [str(python), "-c", "pass"],
        "`airflow-backup --version`": [command, "--version"],
        "`validate`, no schedule": [command, "validate", str(file_of(folder, 0))],
        "`validate`, 100 schedules": [command, "validate", str(file_of(folder, 100))],
        "`validate`, 100, a calendar with a country": [
            command,
            "validate",
            str(file_of(folder, 100, calendars={"free": {"country": "DE"}})),
        ],
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for turn in range(runs + 1):
        for name, line in commands.items():
            found = timed(line, folder)
            if turn:  # the first one warms the disk
                times[name].append(found)
    rows = []
    for name, found in times.items():
        wall, cpu = zip(*found, strict=True)
        rows.append(
            f"| {name} | {statistics.median(wall):.2f} | {min(wall):.2f} "
            f"| {statistics.median(cpu):.2f} | {min(cpu):.2f} |"
        )
    return ["| command | median s | best s | CPU s | best CPU s |", "|---|---|---|---|---|", *rows]


def timed(command: list[str], home: Path) -> tuple[float, float]:
    """Run a command; return its seconds by the wall clock and of the processor."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    environment = os.environ | {"AIRFLOW_HOME": str(home)}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    wall, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def file_of(folder: Path, count: int, **more: Any) -> Path:
    """Write a schedules file with several engines, templates, windows and crons."""
    data = {
        "version": 1,
        "defaults": {"repository": "file:///var/backups", "timezone": "Europe/Berlin"},
        "windows": {"night": {"days": ["mon-sun"], "from": "22:00", "to": "06:00"}},
        "templates": {"careful": {"retry": {"max_retries": 5}, "retention": {"daily": 14}}},
        **more,
        "schedules": [entry(number, more) for number in range(count)],
    }
    path = folder / f"schedules-{count}-{len(more)}.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


def entry(number: int, more: dict[str, Any]) -> dict[str, Any]:
    """Return one schedule; some need a level that only some engines have."""
    source, when = SOURCES[number % 4], TIMES[number % 3]
    if source["engine"] in ("firebird", "restic") and "levels" in when:
        when = TIMES[1]
    made = {"id": f"s{number:03}", "source": source, **when}
    if number % 2:
        made["window"] = "night"
    if more and number % 5 == 0:
        made["skip_on"] = "free"
    text = json.dumps(made).replace("srv/N", f"srv/{number}").replace('"N ', f'"{number % 60} ')
    return dict(json.loads(text.replace("fN", f"f{number}").replace("rN", f"r{number}")))


def head(python: Path) -> list[str]:
    """Say where and with what it was measured."""
    code = "import platform; print(platform.python_version())"
    version = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    return [
        "# The client without Airflow",
        "",
        (
            f"*Written by `benchmarks/client/run.py`. {measured_at()}. The client runs on Python {version.stdout.strip()}, "
            "with the newest release of each package. Fresh processes, interleaved.*"
        ),
        "",
    ]


if __name__ == "__main__":
    main()
