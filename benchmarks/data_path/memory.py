"""
Peak memory of ours at a million files and at a sparse file of 20 GiB: it must not grow with either.

``python benchmarks/data_path/memory.py``; works in `BENCHMARK_WORK`, or a temporary folder. Needs a million free
inodes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(Path(__file__).parents[1]))

from measured import measured_at

FILES = 1_000_000
SPARSE = 20 * 1024**3
GOAL = 200


def many(root: Path, count: int) -> None:
    """Make ``count`` files of 100 to 900 bytes, 1,000 to a folder."""
    for begin in range(0, count, 1000):
        folder = root / f"{begin // 100_000:03}" / f"{begin // 1000 % 100:03}"
        folder.mkdir(parents=True)
        for number in range(begin, begin + 1000):
            (folder / f"{number:07}").write_bytes(b"%d " % number * (20 + number % 100))


def sparse(root: Path) -> None:
    """Make one file of 20 GiB with 1 MiB of data in every GiB."""
    root.mkdir()
    with (root / "disk.img").open("wb") as file:
        for begin in range(0, SPARSE, 1024**3):
            file.seek(begin)
            file.write(os.urandom(1024 * 1024))
        file.truncate(SPARSE)


def peak(*arguments: str) -> tuple[int, float]:
    """Run one step of ours as a process; return its peak memory in MiB and its seconds."""
    begun = datetime.now(UTC)
    child = subprocess.Popen([sys.executable, str(HERE / "ours.py"), *arguments])
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{arguments} failed")
    return usage.ru_maxrss // 1024, (datetime.now(UTC) - begun).total_seconds()


def steps(name: str, source: Path, place: Path) -> list[str]:
    """Take a full set, one of no change, and restore; return the lines of the table."""
    lines = []
    for step, arguments in {
        "full": ("dump", "full", str(source), str(place)),
        "nothing changed": ("dump", "incremental", str(source), str(place)),
        "restore": ("restore", "full", str(place / "restored"), str(place)),
    }.items():
        memory, seconds = peak(*arguments)
        verdict = "reached" if memory < GOAL else "**missed**"
        lines.append(f"| {name} | {step} | {memory} | {seconds:.0f} | {verdict} |")
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    """Measure, and write the page."""
    base = Path(os.environ.get("BENCHMARK_WORK") or tempfile.gettempdir())
    work = Path(tempfile.mkdtemp(prefix="memory-", dir=base))
    try:
        lines = []
        for count in (FILES // 10, FILES):
            many(work / "many", count)
            lines += steps(f"{count:,} files", work / "many", work / "place")
            shutil.rmtree(work)
            work.mkdir()
        sparse(work / "sparse")
        lines += steps("20 GiB, sparse", work / "sparse", work / "place")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    text = [
        "# Peak memory: results",
        "",
        f"{measured_at()}.",
        "",
        f"| source | step | peak, MiB | s | goal: under {GOAL} |",
        "|---|---|---|---|---|",
        *lines,
        "",
    ]
    (HERE / "memory.md").write_text("\n".join(text))


if __name__ == "__main__":
    main()
