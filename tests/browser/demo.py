"""A company's backups for pictures and for the audit of the page: a month of history, and what may go wrong with it."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.run_records import Failure, Outcome
from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.format.manifest import Totals
from airflow_backup.core.words import (
    ExecutionStatus,
    Kind,
    Trigger,
    VerificationLevel,
    VerificationOutcome,
)
from browser.demo_schedules import DEPARTMENTS, SCHEDULES, THINGS
from support.airflow.home import AirflowHome
from support.stored.stored_runs import begin
from support.stored.stored_sets import note_set

LIVE = "media"


@dataclass(frozen=True)
class Past:
    """How the runs of one schedule went: when the last was, how often, how much, how long."""

    ago: timedelta
    every: timedelta
    gigabytes: float
    minutes: float
    bad_days: tuple[int, ...] = ()
    has_chains: bool = False
    """Whether only the set of a Sunday is a full one."""


_DAY = timedelta(days=1)
_SUNDAY = 6
_CHANGED = 0.06
"""How much of a source is another one after a day."""

PAST = {
    "orders": Past(timedelta(hours=5, minutes=41), _DAY, 48.2, 11, (17,), has_chains=True),
    "customers": Past(timedelta(hours=6, minutes=12), _DAY, 6.4, 2.2),
    "ledger": Past(timedelta(hours=1, minutes=44), timedelta(hours=4), 12.7, 3.1, (9,)),
    "wiki": Past(timedelta(hours=4, minutes=27), _DAY, 3.9, 1.4, (11,)),
    "mail-archive": Past(timedelta(hours=8, minutes=43), _DAY, 212.0, 47, (22, 23)),
    "home": Past(timedelta(hours=8, minutes=58), _DAY, 96.5, 24),
    "media": Past(timedelta(hours=24, minutes=2), _DAY, 389.0, 71),
    "metrics": Past(timedelta(minutes=44), timedelta(hours=1), 0.31, 0.3, (4,)),
}


def prepare(home: AirflowHome) -> None:
    """Make Airflow's database, and let it read the schedules; the API server may then start."""
    home.run("db", "migrate")
    home.reserialize()


def rewrite(home: AirflowHome, text: str) -> None:
    """Write other schedules, and let Airflow read them."""
    home.schedules.write_text(text)
    home.reserialize()


def fill(home: AirflowHome, past: Mapping[str, Past] | None = None) -> None:
    """Remember a month of runs, and what they stored."""
    dice = random.Random(7)  # pictures need no secrets
    now = datetime.now(UTC).replace(microsecond=0)
    with Catalog.open(home.catalog_url) as catalog:
        for schedule_id, each in (PAST if past is None else past).items():
            moments = []
            at = now - each.ago
            while at > now - 29 * _DAY:
                moments.append(at)
                at -= each.every
            chain: list[str] = []
            for moment in reversed(moments):
                if moment.weekday() == _SUNDAY or not each.has_chains:
                    chain = []
                _remember(catalog, schedule_id, each, moment, dice=dice, now=now, chain=chain)


def fill_many(home: AirflowHome) -> None:
    """Remember a few nights of the departments."""
    dice = random.Random(8)
    past = {
        f"{department}-{thing}": Past(
            timedelta(hours=dice.uniform(1, 20)),
            2 * _DAY,
            dice.uniform(0.2, 60),
            dice.uniform(1, 25),
        )
        for department in DEPARTMENTS
        for thing in THINGS
    }
    fill(home, past)


def fail(home: AirflowHome, schedule_id: str, *, ago: timedelta) -> None:
    """Remember a run that failed."""
    at = datetime.now(UTC).replace(microsecond=0) - ago
    with Catalog.open(home.catalog_url) as catalog:
        attempt = begin(catalog, schedule_id, at)
        catalog.executions.finish(attempt, _FAILED, at=at + timedelta(minutes=2))


def prove(home: AirflowHome, schedule_id: str, *, ago: timedelta) -> None:
    """Remember that a set was restored and compared a while ago."""
    at = datetime.now(UTC).replace(microsecond=0) - ago
    with Catalog.open(home.catalog_url) as catalog:
        *_, oldest = catalog.sets.of(schedule_id)
        catalog.verifications.record(
            oldest.set_id,
            schedule_id,
            level=VerificationLevel.RESTORE_TEST,
            outcome=VerificationOutcome.PASSED,
            started_at=at,
            finished_at=at,
        )


def _remember(
    catalog: Catalog,
    schedule_id: str,
    past: Past,
    at: datetime,
    *,
    dice: random.Random,
    now: datetime,
    chain: list[str],
) -> None:
    age = (now - at).days
    attempt = begin(catalog, schedule_id, at)
    took = timedelta(minutes=past.minutes * dice.uniform(0.9, 1.15))
    if age in past.bad_days and dice.random() < 0.6 + (age == 0):
        outcome = _FAILED
    else:
        stored = past.gigabytes * 1e9 * (1 - age * 0.004) * dice.uniform(0.98, 1.02)
        kind = Kind.INCREMENTAL if chain else Kind.FULL
        stored *= _CHANGED * dice.uniform(0.6, 1.6) if chain else 1
        outcome = Outcome(
            status=ExecutionStatus.COMPLETED,
            kind=kind,
            set_id=f"{at:%Y%m%dT%H%M%SZ}-{dice.randrange(16**10):010x}",
            files=dice.randrange(1, 400_000),
            bytes_read=int(stored * 2.1),
            bytes_stored=int(stored),
        )
    catalog.executions.finish(attempt, outcome, at=at + took)
    if outcome.set_id is not None:
        totals = Totals(
            files=outcome.files or 0,
            bytes_read=outcome.bytes_read or 0,
            bytes_stored=outcome.bytes_stored or 0,
        )
        note_set(
            catalog,
            schedule_id,
            outcome.set_id,
            at=at,
            finished_at=at + took,
            totals=totals,
            repository="s3://acme-backups/production",
            kind=outcome.kind or Kind.FULL,
            parent=chain[-1] if chain else None,
            base=chain[0] if chain else None,
        )
        chain.append(outcome.set_id)


_FAILED = Outcome(
    status=ExecutionStatus.FAILED,
    failure=Failure(
        error="s3://acme-backups/production does not answer",
        hint="is the network up? the run can be repeated now",
        failure_class=FailureClass.NETWORK,
    ),
)


def beat(home: AirflowHome, *, dead: str | None = None) -> None:
    """Let Airflow's processes look alive, all but one: there are no others than the API server."""
    now = datetime.now(UTC)
    database = sqlite3.connect(home.folder / "airflow.db", timeout=30)
    with database:
        database.execute("delete from job")
        for kind in ("SchedulerJob", "TriggererJob", "DagProcessorJob"):
            begun, seen = (
                now - timedelta(hours=3),
                now + (timedelta(minutes=-94) if kind == dead else timedelta(hours=2)),
            )
            database.execute(
                "insert into job (state, job_type, start_date, latest_heartbeat, hostname) "
                "values ('running', ?, ?, ?, 'demo')",
                (kind, _text(begun), _text(seen)),
            )
    database.close()


def let_run(home: AirflowHome) -> None:
    """Start a run, and let it look half done."""
    with home.client("admin") as api:
        api.post(f"backup/api/v1/schedules/{LIVE}/run", json={}).raise_for_status()
    now = datetime.now(UTC)
    database = sqlite3.connect(home.folder / "airflow.db", timeout=30)
    with database:
        run_id, dag_id, number = database.execute(
            "select run_id, dag_id, id from dag_run where state = 'queued'"
        ).fetchone()
        begun = _text(now - timedelta(minutes=27))
        database.execute(
            "update dag_run set state = 'running', start_date = ?, queued_at = ? where id = ?",
            (begun, begun, number),
        )
        for task, state in (("window", "success"), ("backup", "running")):
            database.execute(
                "update task_instance set state = ?, start_date = ?, try_number = 1 "
                "where run_id = ? and dag_id = ? and task_id = ?",
                (state, begun, run_id, dag_id, task),
            )
        database.execute(
            "insert into task_state_store (dag_run_id, task_id, map_index, key, dag_id, run_id, value, updated_at)"
            " values (?, 'backup', -1, 'progress', ?, ?, ?, ?)",
            (number, dag_id, run_id, json.dumps(_PROGRESS), _text(now)),
        )
    database.close()
    with Catalog.open(home.catalog_url) as catalog:
        catalog.executions.begin(
            LIVE,
            run_id,
            run_at=now,
            queued_at=now - timedelta(minutes=27),
            at=now - timedelta(minutes=27),
            trigger=Trigger.MANUAL,
            kind=Kind.FULL,
        )


_PROGRESS = {
    "stage": "reading",
    "percent": 38.4,
    "bytes_done": 313_700_000_000,
    "bytes_total": 816_900_000_000,
    "files_done": 148_211,
    "files_total": 391_440,
    "rate": 193_600_000.0,
    "eta": 2598.0,
}


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")


def demo_home(folder: Path, schedules: str = SCHEDULES) -> AirflowHome:
    """Return an Airflow with these schedules, and nothing started."""
    return AirflowHome(folder / "home", schedules=schedules)
