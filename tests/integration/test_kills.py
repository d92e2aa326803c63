"""
SIGKILL at random moments, in a whole Airflow: tasks, their supervisors, their programs, all of a worker at once.

However it goes, no slot has two sets, no set that counts restores to anything but what the source was, nothing runs
for ever, and page, ``status`` and catalog say the same. What the source was, its writer has kept: ``diff``,
``sqlite3`` and the bytes themselves decide.

``KILLS=100 pytest tests/integration/test_kills.py`` kills more often than the daily run does.
"""

from __future__ import annotations

import json
import logging
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_backup.actions.restore.restore import restore
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.run_records import Execution
from airflow_backup.core.connections import from_environment
from support.airflow import tasks
from support.airflow.home import AirflowHome
from support.stored.sets import Clock

pytestmark = [pytest.mark.service, pytest.mark.slow(minutes=3)]

log = logging.getLogger(__name__)

KILLS = int(os.environ.get("KILLS", "12"))
SEED = int(os.environ.get("SEED", "13"))
API = "backup/api/v1"
PATIENCE = 300.0
SLOTS = 3

PROGRAM = """#!/bin/sh
# Copies a file to where its output is taken from, slowly, with a child that would outlive it; notes when it works.
sleep 600 & child=$!
echo "begun $$ $(date +%s.%N)" >> "$1.log"
size=$(stat -c %s "$1"); at=0
while [ $at -lt $size ]; do tail -c +$((at + 1)) "$1" | head -c 200000 >> "$BACKUP_OUTPUT/copy"; at=$((at + 200000)); sleep 0.2; done
echo "ended $$ $(date +%s.%N)" >> "$1.log"
kill $child
"""
HEAD = """version: 1
defaults:
  repository: file://FOLDER/repository
  every: 365d
  retention: {last: 3}
  verify: {level: full}
  throttle: {upload: 2MB}
schedules:
"""
RETRIES = {"patient": 8, "hasty": 1}


def schedules(folder: Path) -> str:
    """Each engine twice: with many retries, and with one."""
    sources = {
        "files": "{engine: files, path: FOLDER/sources/NAME}",
        "sqlite": "{engine: sqlite, path: FOLDER/sources/NAME}",
        "command": "{engine: command, workflow: {command: [FOLDER/program, FOLDER/sources/NAME]}}",
    }
    text = HEAD
    for engine, source in sources.items():
        for word, most in RETRIES.items():
            name = f"{engine}-{word}"
            rules = f"{{max_retries: {most}, delay: 1s, network_delay: 1s, jitter: 0}}"
            text += f"  - {{id: {name}, retry: {rules}, source: {source.replace('NAME', name)}}}\n"
    return text.replace("FOLDER", str(folder))


@dataclass
class Source:
    """What one schedule backs up; its writer changes it between runs, and keeps what it was."""

    folder: Path
    name: str
    kept: dict[str, Path] = field(default_factory=dict)
    number: int = 0

    @property
    def engine(self) -> str:
        """The engine that reads it."""
        return self.name.partition("-")[0]

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.folder / "sources" / self.name

    def change(self) -> None:
        """Write."""
        self.number += 1
        if self.engine == "files":
            self.path.mkdir(exist_ok=True)
            for each in range(20):
                (self.path / f"small-{each}").write_bytes(random.randbytes(2000))
            (self.path / f"large-{self.number % 3}").write_bytes(random.randbytes(3_000_000))
            (self.path / f"of-{self.number}").write_text(f"{self.number}\n")
        elif self.engine == "sqlite":
            with closing(sqlite3.connect(self.path)) as database:
                database.execute("CREATE TABLE IF NOT EXISTS t (number, note)")
                rows = ((self.number, random.randbytes(3000)) for _ in range(500))
                database.executemany("INSERT INTO t VALUES (?, ?)", rows)
                database.execute("DELETE FROM t WHERE number < ?", (self.number - 2,))
                database.commit()
        else:
            self.path.write_bytes(random.randbytes(2_000_000))

    def keep(self, run_id: str) -> None:
        """Remember what this run must restore."""
        kept = self.folder / "kept" / f"{self.name}-{self.number}"
        kept.parent.mkdir(exist_ok=True)
        subprocess.run(["cp", "-a", str(self.path), str(kept)], check=True)
        self.kept[run_id] = kept

    def differs(self, run_id: str, restored: Path) -> str:
        """Compare with other people's programs; return what is not the same."""
        kept = self.kept[run_id]
        if self.engine == "files":
            return _said("diff", "-r", "--no-dereference", str(kept), str(restored))
        found = (
            restored if restored.is_file() else next(p for p in restored.rglob("*") if p.is_file())
        )
        if self.engine == "sqlite":
            same = _said("sqlite3", str(kept), ".dump") == _said("sqlite3", str(found), ".dump")
            return "" if same else "other rows"
        return _said("cmp", str(kept), str(found))


def _said(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


class Killer:
    """Kills tasks as they come, each at a moment and in a way that chance decides; and watches what must never be."""

    def __init__(self, airflow: AirflowHome, folder: Path, chance: random.Random) -> None:
        self.airflow, self.folder, self.chance = airflow, folder, chance
        self.metadata = airflow.folder / "airflow.db"
        self.done: Counter[str] = Counter()
        self.notes: list[str] = []
        self.wrong: set[str] = set()
        self.is_killing = True
        self._known: dict[str, tasks.Named | None] = {}
        self._plans: dict[str, tuple[str, str, float]] = {}
        self._hit: set[str] = set()

    @property
    def kills(self) -> int:
        """How many there were."""
        return len(self.notes)

    def look(self) -> list[tuple[tasks.Work, tasks.Named]]:
        """Look once at what works; kill what is due."""
        found = []
        for work in tasks.at_work():
            if self._known.get(work.id) is None:
                self._known[work.id] = tasks.name_of(work.id, self.metadata)
            named = self._known[work.id]
            if named is not None and named.dag_id.startswith("backup__"):
                found.append((work, named))
        self._watch(found)
        for work, named in found:
            if self.is_killing and work.id not in self._hit:
                self._consider(work, named)
        return found

    def _watch(self, found: list[tuple[tasks.Work, tasks.Named]]) -> None:
        backups = [(work, named) for work, named in found if named.task_id == "backup"]
        runs = Counter((named.dag_id, named.run_id) for _, named in backups)
        for run, count in runs.items():
            if count > 1:
                self.wrong.add(f"{count} processes work for one run: {run}")

    def _consider(self, work: tasks.Work, named: tasks.Named) -> None:
        if work.id not in self._plans:
            self._plans[work.id] = self._plan(named)
        moment, way, due = self._plans[work.id]
        if moment == "never":
            return
        if moment in ("manifest", "catalog"):
            if not self._is_published(named):
                return
            time.sleep(0 if moment == "manifest" else self.chance.uniform(0, 0.3))
        elif time.monotonic() < due:
            return
        self._kill(work, named, moment, way)

    def _plan(self, named: tasks.Named) -> tuple[str, str, float]:
        chance = self.chance
        way = chance.choices(["task", "all", "supervisor", "below"], [45, 25, 15, 15])[0]
        if named.task_id == "backup":
            moment = chance.choices(
                ["begin", "dump", "manifest", "catalog", "never"], [15, 35, 17, 17, 16]
            )[0]
        else:
            moment = chance.choices(["begin", "dump", "never"], [15, 35, 50])[0]
        later = chance.uniform(0, 3) if moment == "begin" else chance.uniform(2, 8)
        return moment, way, time.monotonic() + later

    def _is_published(self, named: tasks.Named) -> bool:
        schedule = named.dag_id.removeprefix("backup__")
        places = (self.folder / "repository" / schedule / "sets").glob("*/*manifest*")
        for place in sorted(places, key=lambda path: path.parent.name)[-2:]:
            try:
                if json.loads(place.read_bytes())["run_id"] == named.run_id:
                    return True
            except (OSError, ValueError):
                return True  # half written, or its name is about to be another
        return False

    def _kill(self, work: tasks.Work, named: tasks.Named, moment: str, way: str) -> None:
        children = work.below
        if way == "below" and not children:
            way = "task"
        targets = {
            "task": [work.pid],
            "supervisor": [work.supervisor],
            "below": children[:2],
            "all": [work.supervisor, work.pid, *children],
        }[way]
        if work.supervisor <= 1 and way in ("supervisor", "all"):
            targets = [work.pid, *children]
        tasks.send(signal.SIGKILL, *targets)
        self._hit.add(work.id)
        self.done[f"{named.task_id} {moment} {way}"] += 1
        self.notes.append(
            f"{named.dag_id} {named.run_id} {named.task_id} {named.attempt}: {moment}, {way}"
        )


class Place:
    """A whole Airflow with its schedules, driven as a person does: through the API."""

    def __init__(self, airflow: AirflowHome, folder: Path, api: httpx.Client) -> None:
        self.airflow, self.folder, self.api = airflow, folder, api
        self.sources = {
            f"{engine}-{word}": Source(folder, f"{engine}-{word}")
            for engine in ("files", "sqlite", "command")
            for word in RETRIES
        }
        self.current: dict[str, str] = {}
        self.runs: dict[str, list[str]] = {name: [] for name in self.sources}

    def start(self, name: str, chance: random.Random) -> None:
        """Change the source and run its schedule; incremental every now and then."""
        source = self.sources[name]
        source.change()
        kinds = ["full"] if source.engine == "command" else ["full", "incremental"]
        body = {"kind": chance.choice(kinds)}
        answer = self.api.post(f"{API}/schedules/{name}/run", json=body)
        assert answer.status_code == 202, answer.text
        run_id = str(answer.json()["run_id"])
        source.keep(run_id)
        self.current[name] = run_id
        self.runs[name].append(run_id)

    def is_over(self, name: str) -> bool:
        """Whether Airflow has done with the run that was started last."""
        if name not in self.current:
            return True
        answer = self.api.get(f"api/v2/dags/backup__{name}/dagRuns/{self.current[name]}")
        return answer.json()["state"] in ("success", "failed")

    def shown(self, name: str) -> dict[str, dict[str, Any]]:
        """Return the runs as the page gets them, by run id."""
        answer = self.api.get(f"{API}/schedules/{name}/runs", params={"limit": 200})
        assert answer.status_code == 200, answer.text
        return {run["run_id"]: run for run in answer.json()["runs"]}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("kills")
    (folder / "sources").mkdir()
    program = folder / "program"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    environment = {
        "AIRFLOW__BACKUP__ALLOWED_COMMANDS": str(program),
        "AIRFLOW__BACKUP__MAX_CONCURRENT": str(SLOTS),
        "AIRFLOW__BACKUP__MONITOR_INTERVAL": "20s",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    }
    with AirflowHome(
        folder / "airflow", schedules=schedules(folder), environment=environment
    ) as home:
        home.start()
        with home.client("admin") as api:
            yield Place(home, folder, api)


@pytest.mark.timeout(1800 + 40 * KILLS)
def test_killed_at_any_moment_no_slot_has_two_sets_and_every_set_restores(place: Place) -> None:
    chance = random.Random(SEED)
    random.seed(SEED)
    killer = Killer(place.airflow, place.folder, chance)
    wait_for_schedules(place)
    turn(place, killer, chance, until=lambda: killer.kills >= KILLS)
    killer.is_killing = False
    settle(place, killer)
    for name in place.sources:
        place.start(name, chance)
    settle(place, killer)
    wrong = [*killer.wrong, *judge(place)]
    runs = sum(map(len, place.runs.values()))
    told = f"{killer.kills} kills in {runs} runs: {dict(killer.done)}"
    log.info("%s\n%s", told, "\n".join(killer.notes))
    assert not wrong, "\n".join([*wrong, told, *killer.notes])


def wait_for_schedules(place: Place) -> None:
    def all_known() -> bool:
        listed = place.api.get(f"{API}/schedules").json()["schedules"]
        return {each["id"] for each in listed if each["enabled"]} >= set(place.sources)

    place.airflow.wait_for(all_known, what="the schedules")


def turn(place: Place, killer: Killer, chance: random.Random, *, until: Callable[[], bool]) -> None:
    """Start what may start, and let the killer look, again and again."""
    asked = 0.0
    while not until():
        if time.monotonic() > asked + 3:
            asked = time.monotonic()
            at_work = {named.dag_id for _, named in killer.look()}
            for name in place.sources:
                if place.is_over(name) and f"backup__{name}" not in at_work:
                    place.start(name, chance)
        killer.look()
        time.sleep(0.02)


def settle(place: Place, killer: Killer) -> None:
    """
    Wait until nothing works any more, for Airflow and for the system.

    An executor whose own processes were killed may hold what it had just been given for as long as it lives. That is
    Airflow's; a person would start its scheduler anew, and so does this.
    """
    begun = time.monotonic()
    deadline, stuck = begun + 2 * PATIENCE, begun + PATIENCE / 2
    while True:
        busy = killer.look()
        waiting = [name for name in place.sources if not place.is_over(name)]
        if not busy and not waiting:
            return
        assert time.monotonic() < deadline, (busy, waiting, place.airflow.logs())
        if not busy and time.monotonic() > stuck:
            log.info(
                "nothing works, and Airflow waits for %s: its scheduler is started anew", waiting
            )
            stuck = deadline
            place.airflow.stop("scheduler")
            place.airflow.start("scheduler")
        time.sleep(0.5)


def judge(place: Place) -> list[str]:
    """Return what is wrong: asked of the repository, the catalog, the page, ``status`` and the system."""
    wrong = []
    # A worker that is killed between manifest and catalog, in its last attempt, leaves a whole set that nobody knows.
    said_by_shell(place, "sync")

    def nothing_runs() -> bool:
        with Catalog.open(place.airflow.catalog_url) as catalog:
            return not catalog.executions.active()

    try:
        place.airflow.wait_for(
            nothing_runs, what="the monitor to note what was killed", patience=180
        )
    except AssertionError:
        with Catalog.open(place.airflow.catalog_url) as catalog:
            wrong += [f"runs for ever: {each}" for each in catalog.executions.active()]
    wrong += left_behind(place)
    by_run: Counter[tuple[str, str]] = Counter()
    restored = 0
    for manifest in sorted(place.folder.glob("repository/*/sets/*/manifest.json")):
        found = json.loads(manifest.read_text())
        name, run_id, set_id = found["schedule_id"], found["run_id"], found["set_id"]
        by_run[name, run_id] += 1
        target = place.folder / "restored"
        try:
            restore(
                Trust(name, place.sources[name].engine),
                repository=f"file://{place.folder}/repository",
                target=target,
                connections=from_environment,
                clock=Clock(),
                set_id=set_id,
            )
            differs = place.sources[name].differs(run_id, target)
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is what we look for
            differs = f"{type(error).__name__}: {error}"
        if differs:
            wrong.append(f"set {set_id} of {run_id} does not restore: {differs[:500]}")
        restored += 1
        shutil.rmtree(target, ignore_errors=True)
    wrong += [f"{count} sets of one slot: {run}" for run, count in by_run.items() if count > 1]
    log.info("%s sets restored", restored)
    return wrong + disagreements(place, by_run)


def left_behind(place: Place) -> list[str]:
    """Return the programs that go on although nobody wants them, and the files that belong to no set."""
    program = str(place.folder / "program").encode()
    wrong = [f"still there: {pid} {title!r}" for pid, title in tasks.titles() if program in title]
    for folder in place.folder.glob("repository/*/sets/*"):
        run = place.runs[folder.parents[1].name][-1]
        if not (folder / "manifest.json").exists() and run in folder.name:
            wrong.append(f"no set, and files of it: {sorted(folder.iterdir())}")
    return wrong


def disagreements(place: Place, stored: Counter[tuple[str, str]]) -> list[str]:
    """Ask the same at every place that answers it."""
    wrong: list[str] = []
    told = told_by_status(place)
    with Catalog.open(place.airflow.catalog_url) as catalog:
        for name in place.sources:
            shown = place.shown(name)
            rows = {row.run_id for row in catalog.sets.of(name)}
            there = {run_id for (whose, run_id) in stored if whose == name}
            if rows != there:
                wrong.append(f"{name}: catalog has the sets of {rows}, the repository of {there}")
            for run_id in place.runs[name]:
                row = catalog.executions.get(name, run_id)
                why = disagreement(shown.get(run_id), row, is_stored=run_id in there)
                wrong += [] if why is None else [f"{name} {run_id}: {why}"]
            # The run that nobody killed succeeds in Airflow, too: it was verified, and prune followed.
            last = place.api.get(f"api/v2/dags/backup__{name}/dagRuns/{place.runs[name][-1]}")
            if last.json()["state"] != "success":
                wrong.append(f"{name}: the run that nobody killed: {shown[place.runs[name][-1]]}")
            state = place.api.get(f"{API}/schedules/{name}").json()["protection"]["state"]
            if {state, told[name]} != {"good"}:
                wrong.append(f"{name}: the page says {state}, status says {told[name]}")
    return wrong


def disagreement(
    run: dict[str, Any] | None, row: Execution | None, *, is_stored: bool
) -> str | None:
    """Say in what page, catalog and repository do not agree about a run; None where they do."""
    if run is None or (row is None and run["status"] != "failed"):
        return f"page {run}, catalog {row}"
    if row is not None and (run["status"], run["set_id"]) != (row.status, row.set_id):
        return f"page {run['status']} {run['set_id']}, catalog {row}"
    if run["status"] not in ("completed", "failed"):
        return f"{run['status']} {run['reason']}"
    unsaid = run["error"] == "the attempt ended without a word"
    if is_stored and run["status"] != "completed" and not unsaid:
        return f"a set is stored, and the run has {run['status']}: {run['error']}"
    return None


def told_by_status(place: Place) -> dict[str, str]:
    """Return what ``airflow-backup status`` says of each schedule."""
    told = json.loads(said_by_shell(place, "status", "--format", "json"))
    return {each["schedule"]: each["protection"] for each in told}


def said_by_shell(place: Place, *words: str) -> str:
    """Run ``airflow-backup``."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "airflow_backup.cli.main", *words),
            *("--schedules", str(place.airflow.schedules), "--catalog", place.airflow.catalog_url),
        ],
        env=place.airflow.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
