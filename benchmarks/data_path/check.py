"""
Reads and checks all bytes of the same data with ours and `restic check --read-data`, side by side.

``python benchmarks/data_path/check.py [--rounds 3]``. Both stored the data of `data.py` before the clock starts; tools
take turns within a round; figures are medians. `standard` compares every stored byte with its checksum, which is what
restic's check does; `full` also takes everything apart, reads archive and index side by side.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import data
from run import DATA, HERE, SECRET, WORK, Measured, machine, ours, prepare, restic, version

GOALS = {"small": 2.5, "large": 2.0}
LEVELS = ("standard", "full")


def check_ours(place: Path, level: str) -> list[str]:
    """Verify our set, as the command does it."""
    program = str(Path(sys.executable).with_name("airflow-backup"))
    repository = f"file://{place}/repository"
    return [program, "verify", "bench", "--repository", repository, "--level", level]


def check_restic(place: Path) -> list[str]:
    """Let restic read all of its data."""
    common = ["restic", "-q", "-r", str(place), "--cache-dir", str(WORK / "restic-cache")]
    return [*common, "check", "--read-data"]


def one(measured: Measured, name: str, rounds: int) -> None:
    """Store once, check in turns."""
    source = DATA / name
    places = {"ours": WORK / f"ours-check-{name}", "restic": WORK / f"restic-check-{name}"}
    for tool, command in (("ours", ours), ("restic", restic)):
        prepare(tool, places[tool])
        line = command("full", source, places[tool])
        subprocess.run(line, env=os.environ | SECRET, check=True, capture_output=True)
    for _ in range(rounds):
        for level in LEVELS:
            line = check_ours(places["ours"], level)
            measured.run(f"{name}: {level}", "ours", line, places["ours"])
        measured.run(f"{name}: check", "restic", check_restic(places["restic"]), places["restic"])
    for place in places.values():
        shutil.rmtree(place)


def page(measured: Measured, names: list[str], rounds: int) -> str:
    """Return the results."""
    lines = [
        "# Reading and checking all bytes: results",
        "",
        machine(rounds),
        "",
        f"Versions: {version('ours')}; {version('restic')}.",
        "",
        "| data | ours `standard`, s | ours `full`, s | `restic check --read-data`, s | goal |",
        "|---|---|---|---|---|",
    ]
    for name in names:
        mine = [measured.median(f"{name}: {level}", "ours") or 0.0 for level in LEVELS]
        theirs = measured.median(f"{name}: check", "restic") or 0.0
        ratio, goal = theirs / mine[0], GOALS[name]
        word = "reached" if ratio >= goal else "**missed**"
        lines.append(
            f"| {name} | {mine[0]:.2f} | {mine[1]:.2f} | {theirs:.2f} | "
            f"{word}: {ratio:.2f} × restic (goal {goal}); full {theirs / mine[1]:.2f} × |"
        )
    peak = measured.memory["ours"]
    lines += ["", f"Peak memory of ours {peak} MiB. Every step is a process of its own.", ""]
    return "\n".join(lines)


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["small", "large"])
    parser.add_argument("--results", type=Path, default=HERE / "check.md")
    arguments = parser.parse_args()
    DATA.mkdir(exist_ok=True)
    WORK.mkdir(exist_ok=True)
    data.make(DATA)
    names = ["small", "large"] if arguments.only is None else [arguments.only]
    measured = Measured()
    for name in names:
        one(measured, name, arguments.rounds)
    arguments.results.write_text(page(measured, names, arguments.rounds))
    print(arguments.results.read_text())


if __name__ == "__main__":
    main()
