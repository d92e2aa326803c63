"""
One user asks for 20 seconds what takes the API longest; meanwhile the median and the worst answer that others get.

``python benchmarks/api/run.py [--seconds 20] [--at-once 4]``. What takes longest is found by schemathesis, which asks
every operation as an administrator, and by asking each of the slowest again. To these come the slowest known that
the limits let through. Goal: no answer to others takes a second.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks")]

from measured import measured_at

from airflow_backup.catalog import Catalog
from api.conftest import remember  # the folder of the tests is no package of ours
from support.airflow.home import AirflowHome

SCHEDULES, SLOWEST, EXAMPLES = 300, 4, 20
API = "backup/api/v1"
OTHERS = (
    ("viewer", f"{API}/schedules"),
    ("viewer", f"{API}/status"),
    ("op", f"{API}/schedules/orders"),
    ("op", f"{API}/timeline"),
    ("viewer", "api/v2/dags?limit=10"),
)
PAUSE = 0.1
GOAL = 1.0


@dataclass(frozen=True)
class Request:
    """A request, and how long its answer took when it was found."""

    method: str
    path: str
    body: bytes
    seconds: float

    @property
    def shown(self) -> str:
        """The request in words."""
        path = self.path.split("?", maxsplit=1)[0].removeprefix(f"{API}/")
        more = f", {len(self.body):,} bytes" if self.body else ""
        query = ", with a query" if "?" in self.path else ""
        return f"`{self.method} {path[:60]}`{query}{more}"


@dataclass(frozen=True)
class Answers:
    """What others were answered meanwhile."""

    seconds: list[float]
    failures: int
    asked: int
    """Requests of the one user that were answered."""


def schedules() -> str:
    """Return the file of schedules: some with a past, and many."""
    names = ["orders", "wiki", "crm", "metrics", *(f"s{n:03}" for n in range(SCHEDULES - 4))]
    lines = [
        f"  - {{id: {name}, source: {{engine: files, path: /srv/{name}}}, cron: '{n % 60} 2 * * *'}}"
        for n, name in enumerate(names)
    ]
    head = "version: 1\ndefaults: {repository: 'sftp://vault/srv'}\nschedules:\n"
    return head + "\n".join(lines) + "\n"


def found_by_fuzzing(airflow: AirflowHome, folder: Path) -> list[Request]:
    """Return the slowest request of each operation, of those that were slowest."""
    admin = airflow.client("admin")
    described = admin.get(f"{API}/openapi.json").json()
    described["paths"].pop("/api/v1/events/stream", None)  # it ends when its reader goes
    (folder / "openapi.json").write_text(json.dumps(described))
    subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", "openapi.json"),
            *("-u", f"{airflow.api_url}backup", "-n", str(EXAMPLES), "-c", "not_a_server_error"),
            *("--phases", "examples,coverage,fuzzing", "--continue-on-failure", "--seed", "7"),
            *("--warnings", "off", "--request-timeout", "60", "--report", "har"),
            *(
                "--report-har-path",
                "found.har",
                "-H",
                f"Authorization: Bearer {airflow.token('admin')}",
            ),
        ],
        cwd=folder,
        env=os.environ
        | {"SCHEMATHESIS_HOOKS": "fuzz_hooks", "PYTHONPATH": str(ROOT / "tests" / "support")},
        capture_output=True,
        check=False,  # what it thinks of the answers is the business of the tests
    )
    entries = json.loads((folder / "found.har").read_text())["log"]["entries"]
    if not entries:
        raise SystemExit("schemathesis asked nothing")
    slowest: dict[tuple[str, str], Request] = {}
    for each in entries:
        asked = each["request"]
        path = asked["url"].removeprefix(airflow.api_url)
        body = (asked.get("postData") or {}).get("text", "").encode()
        request = Request(asked["method"], path, body, each["time"] / 1000)
        key = (request.method, path.split("?", maxsplit=1)[0])
        if key not in slowest or slowest[key].seconds < request.seconds:
            slowest[key] = request
    candidates = sorted(slowest.values(), key=lambda each: -each.seconds)[: 5 * SLOWEST]
    again = [measured(admin, each) for each in candidates]
    return sorted(again, key=lambda each: -each.seconds)[:SLOWEST]


def measured(client: httpx.Client, request: Request) -> Request:
    """Ask it three times; return it with the median."""
    found = []
    for _ in range(3):
        begun = time.perf_counter()
        send(client, request)
        found.append(time.perf_counter() - begun)
    return Request(request.method, request.path, request.body, statistics.median(found))


def send(client: httpx.Client, request: Request) -> int:
    """Ask, and return the status."""
    headers = {"Content-Type": "application/json"} if request.body else {}
    return client.request(
        request.method, "/" + request.path, content=request.body or None, headers=headers
    ).status_code


def known() -> Iterator[Request]:
    """Return what is known to take longest of all that the limits let through; a fuzzer makes nothing as large."""
    patterns = [f"[a-{n}]*" for n in range(10_000)]
    source = {"engine": "files", "path": "/srv/largest", "exclude": patterns}
    one = {"id": "largest", "source": source, "repository": "sftp://vault/srv", "cron": "0 2 * * *"}
    head = "version: 1\ndefaults: {repository: 'file:///b', cron: '0 2 * * *'}\nschedules:\n"
    right = (f"  - {{id: s{n}, source: {{engine: files, path: /s}}}}\n" for n in range(2_700))
    wrong = (f"  - {{id: s{n}, sourcee: {{engine: files}}, cronn: x}}\n" for n in range(4_000))
    for body in (one, {"yaml": head + "".join(right)}, {"yaml": head + "".join(wrong)}):
        yield Request("POST", f"{API}/schedules/validate", json.dumps(body).encode(), 0.0)


@contextmanager
def attacking(airflow: AirflowHome, request: Request | None, at_once: int) -> Iterator[list[int]]:
    """Let one user ask the same again and again, from several connections, until the block ends."""
    over, asked = threading.Event(), [0]

    def attack() -> None:
        with airflow.client("admin") as client:
            while request is not None and not over.is_set():
                send(client, request)
                asked[0] += 1

    threads = [threading.Thread(target=attack) for _ in range(at_once)]
    for each in threads:
        each.start()
    try:
        yield asked
    finally:
        over.set()
        for each in threads:
            each.join()


def others_during(
    airflow: AirflowHome, request: Request | None, *, seconds: float, at_once: int
) -> Answers:
    """Return what others were answered while one user asks ``request``."""
    clients = {role: airflow.client(role) for role in ("viewer", "op")}
    found: list[float] = []
    failures = 0
    with attacking(airflow, request, at_once) as asked:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for role, path in OTHERS:
                begun = time.perf_counter()
                status = clients[role].get("/" + path).status_code
                found.append(time.perf_counter() - begun)
                failures += status != 200
                time.sleep(PAUSE)
    return Answers(found, failures, asked[0])


def page(rows: list[tuple[str, float, Answers]], given: argparse.Namespace, load: str) -> str:
    """Write the results."""
    lines = [
        "# The API under one user's slowest requests: results",
        "",
        (
            f"{measured_at()}. Airflow {version('apache-airflow-core')}, schemathesis {version('schemathesis')}; one API server with one"
        ),
        (
            f"worker process, SQLite, {SCHEDULES} schedules. One user asks from {given.at_once} connections for {given.seconds:.0f} s,"
            " others ask five pages in turn."
        ),
        f"Load of the machine before it began: {load} (1, 5 and 15 minutes; other work ran on it).",
        "",
        f"Goal: no answer to others takes {GOAL:.0f} s.",
        "",
        "| what one user asks | its answer alone, s | answered | others: median, s | worst, s | not 200 |",
        "|---|---|---|---|---|---|",
    ]
    for shown, alone, answers in rows:
        lines.append(
            f"| {shown} | {alone:.3f} | {answers.asked} | {statistics.median(answers.seconds):.3f} "
            f"| {max(answers.seconds):.3f} | {answers.failures} of {len(answers.seconds)} |"
        )
    missed = [shown for shown, _, answers in rows if max(answers.seconds) >= GOAL]
    told = f"Missed by: {'; '.join(missed)}." if missed else "No request missed it."
    return "\n".join([*lines, "", told]) + "\n"


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--at-once", type=int, default=4)
    given = parser.parse_args()
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with AirflowHome(folder / "home", schedules=schedules()) as airflow:
            airflow.run("db", "migrate")
            airflow.run("dags", "reserialize")
            with Catalog.open(airflow.catalog_url) as catalog:
                remember(catalog)
            airflow.start("api-server")
            quiet = others_during(airflow, None, seconds=given.seconds, at_once=0)
            rows = [("nothing", 0.0, quiet)]
            admin = airflow.client("admin")
            for request in [
                *(measured(admin, each) for each in known()),
                *found_by_fuzzing(airflow, folder),
            ]:
                answers = others_during(
                    airflow, request, seconds=given.seconds, at_once=given.at_once
                )
                rows.append((request.shown, request.seconds, answers))
                print(rows[-1][0], max(answers.seconds), flush=True)
    (HERE / "results.md").write_text(page(rows, given, load))


if __name__ == "__main__":
    main()
