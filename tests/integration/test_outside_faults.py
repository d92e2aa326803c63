"""
Faults from outside, one each, while a backup is at work in a whole Airflow: worker, disks, locks, rights, servers.

Each class of failures is tried again, or not, as `docs/how-to/runs.md` says; no false set is left, the set before the
fault still restores to what its writer wrote (asked of ``diff`` and ``cmp``), and so does the next one.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.restore.restore import restore
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import from_environment
from support.airflow import tasks
from support.airflow.databases import Databases
from support.airflow.home import AirflowHome
from support.airflow.runs import Runs
from support.servers import postgres as servers
from support.servers.tcp_proxy import TcpProxy
from support.stored.sets import Clock

pytestmark = [pytest.mark.service, pytest.mark.slow(minutes=10)]

MEBI = 1024 * 1024
HEARTBEAT = 60
"""Seconds after which Airflow gives up a task whose supervisor is not heard of."""

PROGRAM = """#!/bin/sh
# Copies a file to where its output is taken from, a piece every half a second.
size=$(stat -c %s "$1"); at=0
while [ $at -lt $size ]; do tail -c +$((at + 1)) "$1" | head -c 100000 >> "$BACKUP_OUTPUT/copy"; at=$((at + 100000)); sleep 0.5; done
"""
HEAD = """version: 1
defaults:
  every: 365d
  retention: {last: 9}
  retry: {max_retries: 2, delay: 1s, network_delay: 2s, jitter: 0}
schedules:
"""
TREES = ("killed", "unplugged", "renamed", "full", "denied", "restart", "catalog")
"""Schedules of files, each with a source and a place of its own."""


class Place:
    """A whole Airflow, and what its schedules read and write."""

    def __init__(self, folder: Path, runs: Runs, proxy: TcpProxy, catalog_url: str) -> None:
        self.folder, self.runs, self.proxy, self.catalog_url = folder, runs, proxy, catalog_url
        self.airflow = runs.airflow

    def write(self, name: str, *, size: int = 4 * MEBI) -> Path:
        """Write what a schedule backs up, as other bytes each time; return a copy of it."""
        source = self.folder / "sources" / name
        source.mkdir(parents=True, exist_ok=True)
        (source / "large").write_bytes(random.randbytes(size))
        (source / "small").write_text(name)
        kept = self.folder / "kept" / f"{name}-{time.time_ns()}"
        shutil.copytree(source, kept, symlinks=True)
        subprocess.run(["touch", "-r", str(source), str(kept)], check=True)
        return kept

    def repository(self, name: str) -> Path:
        """Where the sets of a schedule lie."""
        return self.folder / "disks" / name / "repository"

    def sets(self, name: str) -> list[str]:
        """Return the sets that count: those with a manifest."""
        found = self.repository(name).glob(f"{name}/sets/*/manifest.json")
        return sorted(path.parent.name for path in found)

    def wait_for_work(self, name: str, run_id: str, *, files: int = 1) -> tasks.Work:
        """Wait until the backup writes; return its process."""
        work = self.runs.work_of(name, run_id)
        before = set(self.sets(name))

        def writes() -> bool:
            folders = [
                path
                for path in self.repository(name).glob(f"{name}/sets/*")
                if path.name not in before
            ]
            return sum(len(list(path.iterdir())) for path in folders) >= files

        self.airflow.wait_for(writes, what=f"{name} to write")
        return work

    def check_restores(self, name: str, run: dict[str, Any], kept: Path) -> None:
        """Restore the set of a run and compare it with what the writer wrote."""
        target = self.folder / "restored" / name
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(exist_ok=True)
        restore(
            Trust(name, "files" if kept.is_dir() else "command"),
            repository=f"file://{self.repository(name)}",
            target=target,
            connections=from_environment,
            clock=Clock(),
            set_id=run["set_id"],
        )
        found = target if kept.is_dir() else next(p for p in target.rglob("*") if p.is_file())
        words = ["diff", "-r"] if kept.is_dir() else ["cmp"]
        done = subprocess.run([*words, str(kept), str(found)], capture_output=True, check=False)
        assert (done.returncode, done.stdout) == (0, b""), done

    def check_catalog(self, name: str, run: dict[str, Any]) -> None:
        """Ask the catalog the same."""
        with Catalog.open(self.catalog_url) as catalog:
            row = catalog.executions.get(name, run["run_id"])
            assert row is not None
            assert (row.status, row.failure_class) == (run["status"], run["failure_class"])
            assert {found.set_id for found in catalog.sets.of(name)} == set(self.sets(name))

    def check_failed(self, name: str, run: dict[str, Any], wanted: str) -> None:
        """Check that a run failed at once for good, with its class and with nothing left that counts."""
        assert (run["status"], run["failure_class"], run["attempts"]) == ("failed", wanted, 1), run
        assert run["error"], run
        self.check_catalog(name, run)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("faults")
    program = folder / "program"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    with servers.postgres(found=servers.require()) as server, TcpProxy(server.port) as proxy:
        databases = Databases(server)
        environment = {
            **databases.environment(catalog_port=proxy.port),
            "AIRFLOW_CONN_RESTIC": "generic://:secret@",
            "AIRFLOW__BACKUP__ALLOWED_COMMANDS": str(program),
            "AIRFLOW__BACKUP__MONITOR_INTERVAL": "20s",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(HEARTBEAT),
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
            "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "40",
        }
        with AirflowHome(
            folder / "airflow", schedules=schedules(folder), environment=environment
        ) as home:
            for name in (*TREES, "stopped", "locked"):
                (folder / "disks" / name).mkdir(parents=True)
            home.start()
            with home.client("admin") as api:
                yield Place(folder, Runs(home, api), proxy, databases.catalog)


def schedules(folder: Path) -> str:
    """Write the schedules."""
    text = HEAD
    for name in TREES:
        text += (
            f"  - {{id: {name}, source: {{engine: files, path: FOLDER/sources/{name}}},"
            f" throttle: {{upload: 500kB}}, repository: file://FOLDER/disks/{name}/repository}}\n"
        )
    text += (
        "  - id: stopped\n    source: {engine: command, workflow: {command: [FOLDER/program, FOLDER/sources/stopped]}}\n"
        "    repository: file://FOLDER/disks/stopped/repository\n"
    )
    if shutil.which("restic"):
        text += (
            "  - id: locked\n    repository: file://FOLDER/disks/locked/repository\n    retry: {max_retries: 8, network_delay: 5s, jitter: 0, exponential: false}\n"
            "    source: {engine: restic, path: FOLDER/sources/locked, restic_repository: FOLDER/disks/locked/restic, connection: restic, init: true}\n"
        )
    return text.replace("FOLDER", str(folder))


@contextmanager
def mounted(point: Path, *words: str) -> Iterator[None]:
    """Mount something for as long as the block; skip where this user may not."""
    done = subprocess.run(["mount", *words, str(point)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"mounts are for root: {done.stderr.decode()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(point)], check=False, capture_output=True)


def test_a_worker_that_is_killed_is_given_up_and_its_run_completes(place: Place) -> None:
    kept, before = place.write("killed"), place.sets("killed")  # of another test
    run_id = place.runs.start("killed")
    work = place.wait_for_work("killed", run_id)
    tasks.send(signal.SIGKILL, work.supervisor, work.pid, *work.below)
    run = place.runs.end_of("killed", run_id)
    assert (run["status"], run["attempts"]) == ("completed", 2), run
    assert place.sets("killed") == [*before, run["set_id"]]
    place.check_restores("killed", run, kept)
    place.check_catalog("killed", run)


def test_a_supervisor_that_is_killed_takes_its_backup_with_it(place: Place) -> None:
    kept = place.write("killed", size=6 * MEBI)
    run_id = place.runs.start("killed")
    work = place.wait_for_work("killed", run_id)
    tasks.send(signal.SIGKILL, work.supervisor)
    # Airflow will start another one: none may work without it, beside it, and beyond the limits of the queue.
    assert tasks.wait_until_gone(work.pid, patience=30), "works on although nobody hears of it"
    run = place.runs.end_of("killed", run_id)
    assert (run["status"], run["attempts"]) == ("completed", 2), run
    place.check_restores("killed", run, kept)
    place.check_catalog("killed", run)


def test_a_disk_that_is_unplugged_in_the_middle_fails_and_is_as_it_was_when_it_is_back(
    place: Place,
) -> None:
    disk, below = place.folder / "disks/unplugged", place.folder / "backing"
    below.mkdir()
    with mounted(disk, "--bind", str(below)):
        kept = place.write("unplugged")
        first = place.runs.completed("unplugged")
        later = place.write("unplugged")
        run_id = place.runs.start("unplugged")
        place.wait_for_work("unplugged", run_id)
        subprocess.run(["umount", "-l", str(disk)], check=True)
        run = place.runs.end_of("unplugged", run_id)
        assert list(disk.iterdir()) == [], "something was written where the disk should be"
    with mounted(disk, "--bind", str(below)):
        place.check_failed("unplugged", run, "not_found")
        place.check_restores("unplugged", first, kept)
        again = place.runs.completed("unplugged")
        place.check_restores("unplugged", again, later)
        assert place.sets("unplugged") == sorted([first["set_id"], again["set_id"]])


def test_a_repository_that_is_moved_away_in_the_middle_fails_and_is_as_it_was_when_it_is_back(
    place: Place,
) -> None:
    kept = place.write("renamed")
    first = place.runs.completed("renamed")
    place.write("renamed")
    run_id = place.runs.start("renamed")
    place.wait_for_work("renamed", run_id)
    repository = place.repository("renamed")
    away = repository.with_name("away")
    repository.rename(away)
    run = place.runs.end_of("renamed", run_id)
    assert not repository.exists(), (
        "another repository was made in the place of the one that is away"
    )
    away.rename(repository)
    place.check_failed("renamed", run, "not_found")
    place.check_restores("renamed", first, kept)
    assert place.sets("renamed") == [first["set_id"]]


@contextmanager
def small_disk(place: Place, name: str, size: int) -> Iterator[Path]:
    """Let the sets of a schedule lie on a disk of their own, of so many bytes."""
    image, disk = place.folder / f"{name}.img", place.folder / "disks" / name
    with image.open("wb") as file:
        file.truncate(size)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    with mounted(disk, "-o", "loop", str(image)):
        yield disk


def fill(file: Path) -> None:
    """Write until there is no room."""
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as opened:
        while True:
            opened.write(bytes(MEBI // 8))


def test_a_full_disk_is_not_tried_again_and_is_free_again_afterwards(place: Place) -> None:
    with small_disk(place, "full", 24 * MEBI) as disk:
        kept = place.write("full")
        first = place.runs.completed("full")
        free = shutil.disk_usage(disk).free
        place.write("full", size=40 * MEBI)
        run_id = place.runs.start("full")
        place.wait_for_work("full", run_id)
        filler = disk / "filler"
        fill(filler)  # somebody else does, faster than our throttle
        run = place.runs.end_of("full", run_id)
        filler.unlink()
        place.check_failed("full", run, "space")
        assert place.sets("full") == [first["set_id"]]
        assert abs(shutil.disk_usage(disk).free - free) < MEBI // 2, "pieces of no set are left"
        place.check_restores("full", first, kept)
        kept = place.write("full")
        place.check_restores("full", place.runs.completed("full"), kept)


def test_a_permission_that_is_taken_is_not_tried_again(place: Place) -> None:
    with small_disk(place, "denied", 40 * MEBI) as disk:
        kept = place.write("denied")
        first = place.runs.completed("denied")
        later = place.write("denied")
        run_id = place.runs.start("denied")
        place.wait_for_work("denied", run_id)
        folders = [str(path) for path in (disk, *disk.rglob("*")) if path.is_dir()]
        subprocess.run(["chattr", "+i", *folders], check=True)  # also for root
        try:
            run = place.runs.end_of("denied", run_id)
        finally:
            subprocess.run(["chattr", "-i", *folders], check=True)
        place.check_failed("denied", run, "permission")
        assert place.sets("denied") == [first["set_id"]]
        place.check_restores("denied", first, kept)
        place.check_restores("denied", place.runs.completed("denied"), later)


def test_a_tool_that_stands_still_for_longer_than_a_heartbeat_costs_no_backup(place: Place) -> None:
    source = place.folder / "sources/stopped"
    source.parent.mkdir(exist_ok=True)
    source.write_bytes(random.randbytes(4_000_000))
    run_id = place.runs.start("stopped")
    work = place.runs.work_of("stopped", run_id)

    def programs() -> list[int]:
        wanted = str(place.folder / "program").encode()
        return [pid for pid, title in tasks.titles() if wanted in title and b"/bin/sh\0" in title]

    def stand_still() -> bool:
        found = programs()
        tasks.send(signal.SIGSTOP, *found)
        return bool(found) and {tasks.state(pid) for pid in found} == {"T"}

    place.airflow.wait_for(stand_still, what="the program to stand still")
    stopped = programs()
    time.sleep(HEARTBEAT + 15)
    assert programs() == stopped, "who stopped it?"
    assert tasks.state(work.pid), "given up although its supervisor lives"
    tasks.send(signal.SIGCONT, *stopped)
    run = place.runs.end_of("stopped", run_id)
    assert (run["status"], run["attempts"]) == ("completed", 1), run
    place.check_restores("stopped", run, source)
    place.check_catalog("stopped", run)


@pytest.mark.skipif(shutil.which("restic") is None, reason="there is no restic")
def test_a_locked_repository_is_tried_again_until_it_is_free(place: Place) -> None:
    kept = place.write("locked")
    place.runs.completed("locked")
    restic = place.folder / "disks/locked/restic"
    environment = os.environ | {"RESTIC_PASSWORD": "secret", "RESTIC_REPOSITORY": str(restic)}
    # A prune of somebody else, which stands still in the middle, has it for itself.
    holder = subprocess.Popen(
        ["restic", "check", "--read-data"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        place.airflow.wait_for(lambda: any((restic / "locks").iterdir()), what="its lock")
        holder.send_signal(signal.SIGSTOP)
        assert any((restic / "locks").iterdir())
        run_id = place.runs.start("locked")

        def waits() -> bool:
            run = place.runs.find("locked", run_id)
            return run.get("status") == "pending" and "lock" in f"{run['reason']}"

        place.airflow.wait_for(
            waits, what="an attempt to fail of the lock, and the next to be waited for"
        )
    finally:
        holder.send_signal(signal.SIGCONT)
        holder.wait(60)
    run = place.runs.end_of("locked", run_id)
    assert run["status"] == "completed", run
    assert run["attempts"] > 1
    with Catalog.open(place.catalog_url) as catalog:
        row = catalog.executions.get("locked", run_id)
        assert row is not None
        attempts = catalog.executions.attempts(row)
    assert {each.failure_class for each in attempts if each.status == "failed"} == {"locked"}
    target = place.folder / "restored" / "by-restic"
    subprocess.run(
        ["restic", "restore", "latest", "--target", str(target)],
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    done = subprocess.run(
        ["diff", "-r", str(kept), f"{target}{place.folder}/sources/locked"],
        capture_output=True,
        check=False,
    )
    assert done.stdout == b""


def test_a_catalog_that_refuses_for_a_minute_costs_no_backup(place: Place) -> None:
    kept = place.write("catalog")
    run_id = place.runs.start("catalog")
    place.wait_for_work("catalog", run_id)
    place.proxy.refuse()
    time.sleep(60)
    answer = place.runs.api.get("backup/api/v1/schedules/catalog/runs")
    place.proxy.recover()
    assert answer.status_code == 503, answer.text
    run = place.runs.end_of("catalog", run_id)
    assert (run["status"], run["attempts"]) == ("completed", 1), run
    place.check_restores("catalog", run, kept)
    place.check_catalog("catalog", run)


def test_an_api_server_that_is_restarted_in_the_middle_costs_no_backup(place: Place) -> None:
    kept = place.write("restart")
    run_id = place.runs.start("restart")
    place.wait_for_work("restart", run_id)
    gone = time.monotonic()
    tasks.send(
        signal.SIGKILL,
        place.airflow.pid("api-server"),
        *tasks.below(place.airflow.pid("api-server")),
    )
    place.airflow.stop("api-server")
    place.airflow.start("api-server")
    away = time.monotonic() - gone
    run = place.runs.end_of("restart", run_id)
    # Away for as long as Airflow waits for a heartbeat, as on a busy machine, it costs an attempt, and no backup.
    assert run["status"] == "completed", run
    assert run["attempts"] == 1 or (away > HEARTBEAT / 3 and run["attempts"] == 2), (away, run)
    place.check_restores("restart", run, kept)
    place.check_catalog("restart", run)
