"""
Measures backups of PostgreSQL beside its own programs, interleaved, and writes results.md.

    .venv/bin/python benchmarks/postgres/run.py [ROUNDS] [SCALE]

It starts a server of its own, with pgbench's tables and a table of text.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent.parent / "tests"), str(HERE.parent)]

from measured import measured_at

from support.servers.postgres import PASSWORD, USER, Postgres, postgres, programs

GOALS = {"physical": ("at most", 1.2), "logical": ("at least", 3.0)}
TEXT = """
CREATE TABLE texts AS SELECT n, (SELECT string_agg(substr(md5((random() * 5000)::int::text), 1, 6), ' ')
    FROM generate_series(1, 40 + n % 2) w) AS body FROM generate_series(1, {rows}) n
"""  # words at random from a vocabulary: they compress about as well as real text


def commands(server: Postgres, place: Path) -> dict[tuple[str, str], list[str]]:
    """Return what is measured: by kind and tool."""
    at = ["-h", "127.0.0.1", "-p", str(server.port), "-U", USER]
    found = str(server.programs)
    ours = [sys.executable, str(HERE / "ours.py")]
    base = [f"{found}/pg_basebackup", *at, "-Ft", "--checkpoint=fast", "-D"]
    return {
        ("physical", "ours"): [*ours, "physical", str(place), found],
        ("physical", "theirs"): [*base, str(place), "--compress=client-zstd:3"],
        ("logical", "ours"): [*ours, "logical", str(place), found],
        ("logical", "theirs"): [f"{found}/pg_dump", *at, "-Fc", "-f", f"{place}.dump", "bench"],
    }


def measure(
    server: Postgres, rounds: int, work: Path
) -> dict[tuple[str, str], list[tuple[float, int]]]:
    """Run everything in turn; return seconds and stored bytes."""
    taken: dict[tuple[str, str], list[tuple[float, int]]] = {}
    uri = f"postgres://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{server.port}/bench"
    environment = os.environ | {"PGPASSWORD": PASSWORD, "AIRFLOW_CONN_BENCH": uri}
    for number in range(rounds + 1):
        place = work / f"round-{number}"
        for key, command in commands(server, place).items():
            begun = time.monotonic()
            subprocess.run(command, env=environment, check=True, capture_output=True)
            seconds = time.monotonic() - begun
            files = [path for path in work.rglob("*") if path.is_file()]
            stored = sum(path.stat().st_size for path in files)
            if number:  # the first round warms the cache
                taken.setdefault(key, []).append((seconds, stored))
            print(f"{number} {' '.join(key)}: {seconds:.1f} s, {stored / 1e6:.0f} MB")
            for path in work.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    return taken


def page(
    taken: dict[tuple[str, str], list[tuple[float, int]]], size: int, rounds: int, version: str
) -> str:
    """Return the page."""
    machine = (
        f"{measured_at()}. {version}; a cluster of "
        f"{size / 1e6:,.0f} MB, medians of {rounds} rounds, warm cache, stored in /dev/shm. Other work "
        "was on the machine: ratios count, seconds do not."
    )
    lines = [
        "# Backups of PostgreSQL: results",
        "",
        machine,
        "",
        "| backup | ours, s | PostgreSQL's program, s | ours stored, MB | theirs, MB | goal |",
        "|---|---|---|---|---|---|",
    ]
    names = {
        "physical": "physical, beside `pg_basebackup --compress=client-zstd:3`",
        "logical": "logical, beside `pg_dump -Fc`",
    }
    for kind, name in names.items():
        ours, theirs = (
            [statistics.median(column) for column in zip(*taken[kind, who], strict=True)]
            for who in ("ours", "theirs")
        )
        word, goal = GOALS[kind]
        ratio = ours[0] / theirs[0] if kind == "physical" else theirs[0] / ours[0]
        reached = ratio <= goal if kind == "physical" else ratio >= goal
        said = "reached" if reached else "**missed**"
        what = "its time" if kind == "physical" else "as fast"
        lines.append(
            f"| {name} | {ours[0]:.2f} | {theirs[0]:.2f} | {ours[1] / 1e6:,.0f} | {theirs[1] / 1e6:,.0f} "
            f"| {said}: {ratio:.2f} × {what} ({word} {goal}) |"
        )
    lines += [
        "",
        "Ours is a whole process: its start (0.4 s of Python), the checks before, the rows counted in the",
        "snapshot of the dump, checksums of every frame and piece, and the catalog are in its time.",
    ]
    return "\n".join(lines) + "\n"


def main(rounds: int = 3, scale: int = 40) -> None:
    """Measure, and write the page."""
    found = programs()
    if found is None:
        raise SystemExit("there is no PostgreSQL server on this machine")
    with (
        postgres(found=found, settings={"shared_buffers": "1GB", "max_wal_size": "4GB"}) as server,
        tempfile.TemporaryDirectory(dir="/dev/shm") as work,
    ):
        server.query("postgres", "CREATE DATABASE bench")
        server.run("pgbench", "-i", "-q", "-s", str(scale), "bench")
        server.query("bench", TEXT.format(rows=scale * 40_000))
        server.query("bench", "VACUUM ANALYZE")
        server.query("bench", "CHECKPOINT")
        size = int(server.query("bench", "SELECT sum(pg_database_size(oid)) FROM pg_database"))
        version = "PostgreSQL " + server.query("bench", "SHOW server_version")
        taken = measure(server, rounds, Path(work))
    (HERE / "results.md").write_text(page(taken, size, rounds, version))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
