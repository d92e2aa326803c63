"""
SQLite with one page in a hundred changed: what an incremental set stores and takes, beside a full one.

``python benchmarks/data_path/sqlite.py [--rounds 5] [--mib 2048]``. The peer is what most people would
write: SQLite's own online backup, and zstd after it; it knows no incrementals. Medians; rounds take turns.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from airflow_backup.catalog import Catalog

HERE = Path(__file__).parent
sys.path.insert(0, str(Path(__file__).parents[1]))

from measured import measured_at

PAGE = 4096
STORED, TIMES = 1.5, 6.0
PEER = """
import sqlite3, sys
source, copy = sqlite3.connect(sys.argv[1]), sqlite3.connect(sys.argv[2])
source.backup(copy)
"""


def make(file: Path, mib: int) -> int:
    """Fill a database with rows of about a page, half of which compresses; return their number."""
    rng = random.Random(1)
    rows = mib * 1024 * 1024 // PAGE
    with sqlite3.connect(file) as database:
        database.execute(f"PRAGMA page_size = {PAGE}")
        database.execute("CREATE TABLE pages (id INTEGER PRIMARY KEY, body BLOB)")
        database.executemany(
            "INSERT INTO pages (body) VALUES (?)", ((_body(rng),) for _ in range(rows))
        )
    database.close()
    return rows


def _body(rng: random.Random) -> bytes:
    return rng.randbytes(1900) + b"the quick brown fox " * 95


def change(file: Path, rows: int, seed: int) -> None:
    """Write one row in a hundred anew."""
    rng = random.Random(seed)
    with sqlite3.connect(file) as database:
        database.executemany(
            "UPDATE pages SET body = ? WHERE id = ?",
            ((_body(rng), number + 1) for number in rng.sample(range(rows), rows // 100)),
        )
    database.close()


def one_round(work: Path, source: Path, rows: int, number: int) -> dict[str, tuple[float, int]]:
    """Return seconds and bytes stored of a full set, an incremental one, and the peer."""
    place = work / f"round-{number}"
    place.mkdir()
    Catalog.open(f"sqlite:///{place}/catalog.db").close()
    dump = [sys.executable, str(HERE / "ours.py"), "dump"]
    found = {"full": _timed([*dump, "full", str(source), str(place)], place)}
    copy = work / "copy"
    line = (
        f"'{sys.executable}' -c '{PEER}' {source} {copy} && zstd -q -T2 -3 -f -o {copy}.zst {copy}"
    )
    seconds, _ = _timed(["bash", "-c", line], work)
    found["backup and zstd"] = (seconds, copy.with_suffix(".zst").stat().st_size)
    change(source, rows, number)
    found["incremental"] = _timed([*dump, "incremental", str(source), str(place)], place)
    shutil.rmtree(place)
    return found


def _timed(command: list[str], place: Path) -> tuple[float, int]:
    before = _size(place)
    begun = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begun, _size(place) - before


def _size(place: Path) -> int:
    return sum(path.stat().st_size for path in place.rglob("repository/**/*") if path.is_file())


def page(found: dict[str, list[tuple[float, int]]], size: int, rounds: int) -> str:
    """Return the results."""
    seconds = {name: statistics.median(each[0] for each in rows) for name, rows in found.items()}
    stored = {name: statistics.median(each[1] for each in rows) for name, rows in found.items()}
    share = 100 * stored["incremental"] / size
    ratio = seconds["full"] / seconds["incremental"]
    lines = [
        "# SQLite, one page in a hundred changed: results",
        "",
        _machine(size, rounds),
        "",
        "| | s | stored, MB |",
        "|---|---|---|",
        *(f"| {name} | {seconds[name]:.2f} | {stored[name] / 1e6:,.1f} |" for name in found),
        "",
        f"An incremental set stores {share:.2f} % of the database (at most {STORED} %: {_verdict(share <= STORED)}).",
        f"It takes 1/{ratio:.1f} of a full one's time (at most a sixth: {_verdict(ratio >= TIMES)}).",
        "",
    ]
    return "\n".join(lines)


def _machine(size: int, rounds: int) -> str:
    return (
        f"{measured_at()}. SQLite {sqlite3.sqlite_version}; a database of {size / 1e6:,.0f} MB, "
        f"medians of {rounds} rounds, everything in memory. Whole processes: ratios count, seconds do not."
    )


def _verdict(reached: bool) -> str:
    return "reached" if reached else "**missed**"


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mib", type=int, default=2048)
    parser.add_argument("--results", type=Path, default=HERE / "sqlite.md")
    arguments = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its bytecode
    found: dict[str, list[tuple[float, int]]] = defaultdict(list)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as work:  # memory, to leave disks out
        os.environ["TMPDIR"] = work
        source = Path(work) / "bank.sqlite"
        rows = make(source, arguments.mib)
        size = source.stat().st_size
        for number in range(arguments.rounds):
            for name, told in one_round(Path(work), source, rows, number).items():
                found[name].append(told)
                print(f"{name:20} {told[0]:6.2f} s", flush=True)
    arguments.results.write_text(page(found, size, arguments.rounds))
    print(arguments.results.read_text())


if __name__ == "__main__":
    main()
