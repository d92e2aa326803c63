"""
How long `airflow-backup validate` takes as a whole process, beside the commands that others check DAGs with.

    python benchmarks/command_line/run.py [--runs 9]

Median wall seconds of fresh processes, interleaved. Writes results.md beside itself.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import yaml

HERE = Path(__file__).absolute().parent
sys.path.insert(0, str(HERE.parent))

from measured import measured_at

SCRIPTS = Path(sys.executable).parent


def main() -> None:
    """Measure everything and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        commands = {
            "`python -c pass`": [sys.executable, "-c", "pass"],
            "`airflow version`": [str(SCRIPTS / "airflow"), "version"],
        }
        for count in (100, 1000, 5000):
            file = schedules(folder / f"schedules-{count}.yaml", count)
            commands[f"`airflow-backup validate`, {count:,} schedules"] = [
                str(SCRIPTS / "airflow-backup"),
                "validate",
                str(file),
            ]
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(runs):
            for name, command in commands.items():
                times[name].append(wall(command, folder))
    rows = [
        f"| {name} | {statistics.median(found):.2f} | {min(found):.2f} |"
        for name, found in times.items()
    ]
    page = "\n".join([head(runs), "| command | median s | best s |", "|---|---|---|", *rows, ""])
    (HERE / "results.md").write_text(page)
    print(page)


def schedules(path: Path, count: int) -> Path:
    """Write a file as a team would have it: levels, windows, retries, retention."""
    entries = [
        {
            "id": f"s{number:05}",
            "description": f"schedule {number}",
            "tags": ["prod", f"t{number % 7}"],
            "source": {"engine": "files", "path": f"/srv/{number}"},
            "levels": {
                "full": f"{number % 60} 2 * * sun",
                "incremental": f"{number % 60} 2 * * mon-sat",
            },
            "window": "nightly",
            "retry": {"max_retries": 5},
            "retention": {"last": 7, "daily": 14},
        }
        for number in range(count)
    ]
    data = {
        "version": 1,
        "defaults": {"repository": "file:///b", "timezone": "Europe/Berlin"},
        "windows": {"nightly": {"days": ["mon-fri"], "from": "22:00", "to": "06:00"}},
        "schedules": entries,
    }
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


def wall(command: list[str], home: Path) -> float:
    """Run a command; return its wall seconds."""
    begun = time.monotonic()
    environment = os.environ | {"AIRFLOW_HOME": str(home)}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return time.monotonic() - begun


def head(runs: int) -> str:
    """Say where and with what it was measured."""
    return (
        "# The command line, as a whole process\n\n"
        f"*Written by `benchmarks/command_line/run.py`. {measured_at()}. "
        f"apache-airflow {version('apache-airflow')}, pydantic {version('pydantic')}. Wall seconds, {runs} fresh processes each, interleaved.*\n"
    )


if __name__ == "__main__":
    main()
