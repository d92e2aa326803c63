"""
How long Airflow takes to read many schedules: ours, a hand-written loop (the floor) and dag-factory, in one run.

    python benchmarks/generator/run.py [--runs 5] [--counts 1000 5000]

Needs dag-factory 1.1.0 beside the package (``pip install dag-factory==1.1.0``). Every figure is the median CPU time of
fresh processes, the variants interleaved; ratios are what counts. Writes results.md beside itself.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).absolute().parent
sys.path.insert(0, str(HERE.parent))

from measured import measured_at
from variants import VARIANTS


def main() -> None:
    """Measure everything and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 5000])
    arguments = parser.parse_args()
    pages = [_head()]
    for count in arguments.counts:
        pages.append(_measure(count, arguments.runs))
        print(pages[-1], flush=True)
    (HERE / "results.md").write_text("\n".join(pages))


def _head() -> str:
    packages = ", ".join(
        f"{name} {version(name)}"
        for name in ("apache-airflow", "dag-factory", "pydantic", "PyYAML")
    )
    return (
        "# Reading many schedules\n\n"
        f"*Written by `benchmarks/generator/run.py`. {measured_at()}. {packages}. Median CPU seconds of fresh processes, interleaved; "
        "the machine was shared, so look at the ratios.*\n"
    )


def _measure(count: int, runs: int) -> str:
    figures: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory() as temporary:
        files = {}
        for name, write in VARIANTS.items():
            folder = Path(temporary, name)
            folder.mkdir()
            files[name] = write(folder, count)
            _run("parse", name, files[name])  # warms the page cache, and compiles our index
        for run in range(runs):
            for name, file in files.items():
                _note(figures[name], _run("parse", name, file))
                _note(figures[name], _run("task", name, file, task="backup__s00007"))
                if run < max(1, runs // 2) and name != "dag-factory":
                    _note(figures[name], _run("sync", name, file))
        validate = [_validate(files["ours"].parent / "schedules.yaml") for _ in range(runs)]
    return _page(count, figures, validate)


def _run(what: str, name: str, file: Path, *, task: str | None = None) -> dict[str, float]:
    """Run measure.py; Airflow's home lasts, as it does where Airflow runs, except for a first sync."""
    with tempfile.TemporaryDirectory() as temporary:
        home = temporary if what == "sync" else str(file.parent / "home")
        environment = {
            key: text
            for key, text in os.environ.items()
            if not key.startswith(("AIRFLOW", "_AIRFLOW"))
        }
        environment |= {
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__DAGS_FOLDER": str(file.parent),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "600",
            "AIRFLOW__BACKUP__INDEX_FOLDER": str(file.parent / "index"),
            "PYTHONHASHSEED": "0",
        }
        if task is not None:
            environment["_AIRFLOW_PARSING_CONTEXT_DAG_ID"] = task
        flags = ["--factory"] if name == "dag-factory" else []
        done = subprocess.run(
            [sys.executable, str(HERE / "measure.py"), what, str(file), *flags],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode or not lines:
        raise SystemExit(f"{what} of {name} failed\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(lines[-1].removeprefix("RESULT "))
    return found


def _note(figures: dict[str, list[float]], found: dict[str, float]) -> None:
    for key, value in found.items():
        figures[key].append(value)


def _validate(path: Path) -> float:
    begun = os.times()
    subprocess.run(
        [str(Path(sys.executable).parent / "airflow-backup"), "validate", str(path)],
        check=True,
        capture_output=True,
    )
    ended = os.times()
    return ended.elapsed - begun.elapsed


def _page(count: int, figures: dict[str, dict[str, list[float]]], validate: list[float]) -> str:
    middle = {
        name: {key: statistics.median(values) for key, values in found.items()}
        for name, found in figures.items()
    }
    if len({(found["dags"], found["tasks"]) for found in middle.values()}) != 1:
        raise SystemExit(f"the variants do not make the same DAGs and tasks: {middle}")
    floor = middle["loop"]["total"]
    rows = [
        f"| {name} | {found['bag']:.2f} | {found['serialize']:.2f} | {found['total']:.2f} | {found['total'] / floor:.2f} | "
        f"{1000 * found['task']:.1f} | {(found.get('first', 0) and format(found['first'], '.2f')) or ''} | "
        f"{(found.get('unchanged', 0) and format(found['unchanged'], '.2f')) or ''} |"
        for name, found in middle.items()
    ]
    ours = middle["ours"]
    facts = [
        f"parse and serialize: {ours['total'] / floor:.2f} × the loop, dag-factory {middle['dag-factory']['total'] / ours['total']:.1f} × ours",
        f"sync of an unchanged parse: {ours['unchanged'] / middle['loop']['unchanged']:.2f} × the same DAGs with cron strings",
        f"start of one task: {1000 * ours['task']:.1f} ms",
        f"`airflow-backup validate`, whole process: {statistics.median(validate):.2f} s (wall)",
    ]
    return "\n".join(
        [
            f"## {count:,} schedules\n",
            "| | bag s | serialize s | total s | × loop | one task ms | first sync s | unchanged sync s |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
            "",
            *(f"- {fact}" for fact in facts),
            "",
        ]
    )


if __name__ == "__main__":
    main()
