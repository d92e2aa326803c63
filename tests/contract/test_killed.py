"""
SIGKILL at random moments of a backup: no set that cannot be restored, no second set, nothing left.

``KILLS=200 pytest tests/contract/test_killed.py`` asks more often than the daily run does.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_backup.actions.maintain.sync import sync
from airflow_backup.actions.sets.repository import MARKER_NAME
from airflow_backup.actions.sets.stored_set import open_chain
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.core.words import ExecutionStatus, Kind
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.engines.registry import Registry
from airflow_backup.engines.sqlite.options import SqliteOptions
from airflow_backup.schedules.model.sources import EngineOptions
from airflow_backup.storage.folder import FolderStorage
from support.sources import trees
from support.stored.sets import PlainJob, run_number, take

KILLS = int(os.environ.get("KILLS", "24"))
TESTS = Path(__file__).parents[1]

_BACKUP = """
import sys
sys.path.insert(0, sys.argv[1])
from airflow_backup.catalog import Catalog
from airflow_backup.core.words import Kind
from airflow_backup.engines.registry import Registry
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.sqlite.options import SqliteOptions
from support.stored.sets import PlainJob, run_number, take
source = {"files": FilesOptions, "sqlite": SqliteOptions}[sys.argv[2]]
job = PlainJob(source(engine=sys.argv[2], path=sys.argv[3]), "file://" + sys.argv[4])
Registry().get(sys.argv[2])
with Catalog.open("sqlite:///" + sys.argv[5]) as catalog:
    print("ready", flush=True)
    sys.stdin.readline()
    take(job, catalog, run=run_number(int(sys.argv[6])), kind=Kind(sys.argv[7]))
"""


class Place:
    """A source that changes from run to run, its repository, and what each run must restore."""

    def __init__(self, folder: Path, engine: str) -> None:
        self.folder, self.engine = folder, engine
        self.source = folder / "source"
        self.repository, self.catalog = folder / "repository", folder / "catalog.db"
        self.expected: dict[str, object] = {}
        options: dict[str, type[EngineOptions]] = {"files": FilesOptions, "sqlite": SqliteOptions}
        source = options[engine].model_validate({"engine": engine, "path": str(self.source)})
        self.job = PlainJob(source, f"file://{self.repository}")

    def change(self, number: int) -> None:
        """Change the source for the n-th run, and remember what it is."""
        if self.engine == "files":
            self.source.mkdir(exist_ok=True)
            (self.source / f"small-{number}").write_bytes(random.randbytes(5000))
            (self.source / f"large-{number % 3}").write_bytes(random.randbytes(6_000_000))
        else:
            with closing(sqlite3.connect(self.source)) as connection:
                connection.execute("CREATE TABLE IF NOT EXISTS t (run, note)")
                rows = ((number, random.randbytes(3000)) for _ in range(800))
                connection.executemany("INSERT INTO t VALUES (?, ?)", rows)
                connection.execute("DELETE FROM t WHERE run < ?", (number - 2,))
                connection.commit()
        self.expected[run_number(number).id] = self.facts(self.source)

    def facts(self, path: Path) -> object:
        """Return what must be equal."""
        if self.engine == "files":
            return trees.tree_at(path)
        found = path if path.is_file() else path / "source"
        with closing(sqlite3.connect(found)) as connection:
            return list(connection.iterdump())

    def backup(self, number: int, kind: Kind) -> subprocess.Popen[bytes]:
        """Start a process that waits for a line and then takes the backup."""
        place = [str(self.source), str(self.repository), str(self.catalog)]
        process = subprocess.Popen(
            [sys.executable, "-c", _BACKUP, str(TESTS), self.engine, *place, str(number), kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        return process

    def go(self, process: subprocess.Popen[bytes]) -> None:
        """Let it go."""
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()

    def check(self, *, newest: int = 0) -> list[str]:
        """Restore the sets that exist, or the newest of them; return the runs that they are of."""
        storage = FolderStorage(self.repository)
        runs = []
        manifests = sorted(self.repository.rglob("manifest.json"))
        for number, manifest in enumerate(manifests[-newest:]):
            chain = open_chain(storage, Trust("wiki"), manifest.parent.name)
            target = self.folder / f"restored-{number}"
            Registry().get(self.engine).restore(chain, target, EngineContext())
            run = chain[-1].manifest.run_id
            assert self.facts(target) == self.expected[run]
            subprocess.run(["rm", "-rf", str(target)], check=True)
            runs.append(run)
        return runs


def end(process: subprocess.Popen[bytes]) -> None:
    process.wait()
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        pipe.close()


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("engine", ["files", "sqlite"])
def test_a_backup_that_is_killed_at_any_moment_leaves_no_false_set(
    tmp_path: Path, engine: str
) -> None:
    place = Place(tmp_path, engine)
    place.change(0)
    Catalog.open(f"sqlite:///{place.catalog}").close()
    whole = place.backup(0, Kind.FULL)
    begun = time.monotonic()
    place.go(whole)
    end(whole)
    duration = time.monotonic() - begun
    rng = random.Random(7)
    outcomes = {"no set": 0, "a set": 0}
    named: set[Path] = set()
    for number in range(1, KILLS // 2 + 1):
        place.change(number)
        kind = Kind.FULL if number % 4 == 0 else Kind.INCREMENTAL
        process = place.backup(number, kind)
        place.go(process)
        time.sleep(rng.uniform(0, duration * 1.1))
        process.send_signal(signal.SIGKILL)
        end(process)
        runs = place.check(newest=3)
        run = run_number(number)
        outcomes["a set" if run.id in runs else "no set"] += 1
        with Catalog.open(f"sqlite:///{place.catalog}") as catalog:
            if number % 2:
                result = take(place.job, catalog, run=run_number(number, attempt=2), kind=kind)
                execution = catalog.executions.get("wiki", run.id)
                assert execution is not None
                assert (execution.status, execution.set_id) == (
                    ExecutionStatus.COMPLETED,
                    result.set_id,
                )
                assert place.check(newest=3).count(run.id) == 1
            later = datetime.now(UTC) + timedelta(days=1)
            storage = FolderStorage(place.repository)
            sync(storage, place.job.repository, catalog, leftovers_before=later)
        marker = place.repository / MARKER_NAME
        left = [path for path in place.repository.rglob("*") if path.is_file() and path != marker]
        named = {path.parent for path in left if path.name == "manifest.json"}
        assert {path.parent for path in left} == named
        assert not [path for path in left if path.name.startswith(".")]
    assert len(place.check()) == len(named)
    assert sum(outcomes.values()) == KILLS // 2
