"""Bring up a real Airflow on embedded defaults and take two backups through the API."""

from __future__ import annotations

import argparse
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import httpx

ROOT = Path(__file__).absolute().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.airflow.home import AirflowHome  # the tests bring up the same Airflow

API = "backup/api/v1"
FILES = 1200
ACCOUNTS = 100
PATIENCE = 180.0
SCHEDULES = """\
# What the demo backs up. Change it while Airflow runs: the page follows within seconds.
version: 1
defaults:
  timezone: Europe/Berlin
  repository: file://{repository}
  retry: {{max_retries: 2, delay: 5s, max_delay: 20s}}
windows:
  nightly: {{days: [mon-sun], from: "22:00", to: "06:00"}}
schedules:
  - id: documents
    description: A folder of {files:,} files
    group: files
    tags: [demo]
    source: {{engine: files, path: {data}/documents, exclude: ["*.tmp"]}}
    preset: daily
    window: nightly
    alert_after: 26h
  - id: bank
    description: An SQLite database that another process keeps writing to
    group: databases
    tags: [demo]
    source: {{engine: sqlite, path: {data}/bank.db}}
    cron: "0 */4 * * *"
    alert_after: 5h
"""


def main() -> int:
    """Run the demo; return 0 only when both backups completed."""
    arguments = _arguments()
    if arguments.writer is not None:
        return write_forever(arguments.writer)
    folder = ROOT / ".demo"
    shutil.rmtree(folder, ignore_errors=True)
    data = folder / "data"
    say(f"making {FILES:,} files and a busy SQLite database")
    make_documents(data / "documents")
    make_bank(data / "bank.db")
    text = SCHEDULES.format(repository=folder / "repository", data=data, files=FILES)
    signal.signal(signal.SIGTERM, _stop)
    with busy_writer(data / "bank.db"), AirflowHome(folder / "airflow", schedules=text) as airflow:
        say("starting Airflow: scheduler, dag-processor, triggerer, API server")
        airflow.start()
        failures = back_up(airflow, ["documents", "bank"])
        if failures:
            print("\n".join(failures), file=sys.stderr)
        if arguments.once:
            return 1 if failures else 0
        print(
            f"\nAirflow is up:  {airflow.api_url}plugin/backup\nlogin:          admin / admin  (also viewer / viewer)"
        )
        # Now, also where the output is a file: the address would stand there when the demo has ended.
        print(f"schedules:      {airflow.schedules}\nstop with Ctrl+C", flush=True)
        return stay_up()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="take both backups, print them, stop")
    parser.add_argument("--writer", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def back_up(airflow: AirflowHome, schedules: list[str]) -> list[str]:
    """Run every schedule through the API and print how it went; return what went wrong."""
    failures = []
    with airflow.client("admin") as api:
        say("waiting for the schedules to become DAGs")
        for schedule in schedules:
            airflow.wait_for(
                lambda name=schedule: is_ready(api, name), what=f"the DAG of {schedule}"
            )
        runs = {schedule: start(api, schedule) for schedule in schedules}
        print(f"\n{'SCHEDULE':<12}{'STATUS':<12}{'SET':<30}{'READ':>12}{'STORED':>12}{'TOOK':>8}")
        for schedule, run_id in runs.items():
            execution = airflow.wait_for(
                lambda name=schedule, run=run_id: finished(api, name, run),
                what=f"{schedule} to finish",
                patience=PATIENCE,
            )
            print(line_of(schedule, execution))
            if execution["status"] != "completed":
                failures.append(
                    f"{schedule} {execution['status']}: {execution.get('error') or execution.get('reason')}"
                )
    return failures


def is_ready(api: httpx.Client, schedule: str) -> bool:
    """Whether the schedule is known and can be run."""
    answer = api.get(f"{API}/schedules/{schedule}")
    return answer.status_code == 200 and bool(answer.json()["enabled"])


def start(api: httpx.Client, schedule: str) -> str:
    """Run the schedule now; return the run's id."""
    say(f"running {schedule} now")
    answer = api.post(f"{API}/schedules/{schedule}/run", json={"note": "first backup of the demo"})
    if answer.is_error:
        raise SystemExit(f"{schedule} cannot be run: {answer.text}")
    return str(answer.json()["run_id"])


def finished(api: httpx.Client, schedule: str, run_id: str) -> dict[str, Any] | None:
    """Return the execution once it is over."""
    answer = api.get(f"{API}/schedules/{schedule}/runs")
    answer.raise_for_status()
    for execution in answer.json()["runs"]:
        if execution["run_id"] == run_id and execution["status"] in (
            "completed",
            "failed",
            "skipped",
            "cancelled",
        ):
            return dict(execution)
    return None


def line_of(schedule: str, execution: dict[str, Any]) -> str:
    """Write one execution in the columns of the table."""
    set_id = execution["set_id"] or "-"
    sizes = (f"{execution[key] or 0:>12,}" for key in ("bytes_read", "bytes_stored"))
    return f"{schedule:<12}{execution['status']:<12}{set_id:<30}{''.join(sizes)}{execution['duration'] or 0:>7.1f}s"


def make_documents(folder: Path) -> None:
    """Make a folder as people have them: many small files, a few larger ones, links."""
    for number in range(FILES):
        path = folder / f"{number % 40:02}" / f"note-{number:04}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"note {number}\n" * (1 + number * 7919 % 900))
    (folder / "latest").symlink_to("00/note-0000.txt")


def make_bank(path: Path) -> None:
    """Make a bank whose balances always add up, however often money moves."""
    with sqlite3.connect(path) as bank:
        bank.execute("PRAGMA journal_mode=WAL")
        bank.execute("CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)")
        bank.execute(
            "CREATE TABLE transfers (id INTEGER PRIMARY KEY, source INT, target INT, amount INT, note TEXT)"
        )
        bank.executemany(
            "INSERT INTO accounts VALUES (?, 1000)", ((number,) for number in range(ACCOUNTS))
        )
        rows = (
            (number % ACCOUNTS, number * 7 % ACCOUNTS, 0, f"opening {number}" * 8)
            for number in range(100_000)
        )
        bank.executemany(
            "INSERT INTO transfers (source, target, amount, note) VALUES (?, ?, ?, ?)", rows
        )
    bank.close()


def write_forever(path: Path) -> int:
    """Move money from account to account until told to stop."""
    bank = sqlite3.connect(path, timeout=30)
    number = 0
    while True:
        number += 1
        source, target = number % ACCOUNTS, number * 31 % ACCOUNTS
        with bank:
            bank.execute("UPDATE accounts SET balance = balance - 1 WHERE id = ?", (source,))
            bank.execute("UPDATE accounts SET balance = balance + 1 WHERE id = ?", (target,))
            bank.execute(
                "INSERT INTO transfers (source, target, amount, note) VALUES (?, ?, 1, 'demo')",
                (source, target),
            )
        time.sleep(0.005)


@contextmanager
def busy_writer(path: Path) -> Iterator[None]:
    """Keep another process writing to the database."""
    writer = subprocess.Popen(
        [sys.executable, __file__, "--writer", str(path)], stdin=subprocess.DEVNULL
    )
    try:
        yield
        if writer.poll() is not None:
            raise SystemExit(f"the writer ended with {writer.returncode}")
    finally:
        writer.terminate()
        writer.wait(10)


def stay_up() -> int:
    """Wait for Ctrl+C."""
    try:
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        return 0


def _stop(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def say(text: str) -> None:
    """Tell what happens, on the error stream."""
    print(f"[demo] {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (AssertionError, httpx.HTTPError) as error:
        sys.exit(f"the demo failed: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
