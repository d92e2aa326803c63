"""A company's backups for pictures: an API server over a month of history, one run under way, one schedule broken."""

from __future__ import annotations

import json
import random
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.run_records import Failure, Outcome
from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.format.manifest import Totals
from airflow_backup.core.words import ExecutionStatus, Kind, Trigger
from support.servers.airflow_fixture import AirflowHome
from support.stored.stored_sets import note_set

SCHEDULES = """\
version: 1
defaults:
  timezone: Europe/Berlin
  repository: s3://acme-backups/production
  connection: aws_backup
  alert_after: 26h
windows:
  nightly: {days: [mon-sun], from: "22:00", to: "06:00"}
schedules:
  - id: orders
    description: Orders database of the shop
    group: databases
    tags: [prod]
    source: {engine: sqlite, path: /srv/shop/orders.db}
    levels: {full: "0 2 * * sun", incremental: "0 2 * * mon-sat"}
    window: nightly
  - id: customers
    description: Customer records
    group: databases
    tags: [prod, gdpr]
    source: {engine: sqlite, path: /srv/crm/customers.db}
    cron: "30 1 * * *"
    window: nightly
  - id: ledger
    description: General ledger, kept for ten years
    group: databases
    tags: [prod, finance]
    source: {engine: sqlite, path: /srv/erp/ledger.db}
    every: 4h
    alert_after: 9h
  - id: wiki
    description: Company wiki with its attachments
    group: files
    tags: [docs]
    source: {engine: files, path: /srv/wiki}
    cron: "15 3 * * *"
  - id: mail-archive
    description: Mail of the last seven years
    group: files
    tags: [prod]
    source: {engine: files, path: /srv/mail}
    levels: {full: "0 23 * * sat", incremental: "0 23 * * sun-fri"}
    window: nightly
  - id: home
    description: Home folders of the staff
    group: files
    tags: [office]
    source: {engine: files, path: /home}
    cron: "45 22 * * *"
    window: nightly
  - id: media
    description: Product photos and videos
    group: files
    tags: [shop]
    source: {engine: files, path: /srv/media}
    cron: "0 4 * * *"
  - id: metrics
    description: Dashboards and their data
    group: databases
    tags: [ops]
    source: {engine: sqlite, path: /var/lib/grafana/grafana.db}
    preset: hourly
    alert_after: 3h
  - id: sandbox
    description: Playground of the data team
    tags: [dev]
    source: {engine: files, path: /srv/sandbox}
    preset: daily
    enabled: false
  - id: gitlab
    description: Git repositories
    group: files
    tags: [prod]
    source: {engine: files, path: /var/opt/gitlab}
    crn: "0 1 * * *"
"""

LIVE = "media"


@dataclass(frozen=True)
class Past:
    """How the runs of one schedule went: when the last was, how often, how much, how long."""

    ago: timedelta
    every: timedelta
    gigabytes: float
    minutes: float
    bad_days: tuple[int, ...] = ()


_DAY = timedelta(days=1)
PAST = {
    "orders": Past(timedelta(hours=5, minutes=41), _DAY, 48.2, 11, (17,)),
    "customers": Past(timedelta(hours=6, minutes=12), _DAY, 6.4, 2.2),
    "ledger": Past(timedelta(hours=1, minutes=44), timedelta(hours=4), 12.7, 3.1, (9,)),
    "wiki": Past(timedelta(hours=4, minutes=27), _DAY, 3.9, 1.4, (0,)),
    "mail-archive": Past(timedelta(hours=8, minutes=43), _DAY, 212.0, 47, (22, 23)),
    "home": Past(timedelta(hours=8, minutes=58), _DAY, 96.5, 24),
    "media": Past(timedelta(hours=24, minutes=2), _DAY, 389.0, 71),
    "metrics": Past(timedelta(minutes=44), timedelta(hours=1), 0.31, 0.3, (4,)),
}


def prepare(home: AirflowHome) -> None:
    """Fill the catalog and Airflow's database; the API server may then start."""
    home.run("db", "migrate")
    home.reserialize()
    with Catalog.open(home.catalog_url) as catalog:
        _fill(catalog)


def _fill(catalog: Catalog) -> None:
    dice = random.Random(7)  # pictures need no secrets
    now = datetime.now(UTC).replace(microsecond=0)
    for schedule_id, past in PAST.items():
        at = now - past.ago
        while at > now - 29 * _DAY:
            _remember(catalog, schedule_id, past, at, dice=dice, now=now)
            at -= past.every


def _remember(
    catalog: Catalog,
    schedule_id: str,
    past: Past,
    at: datetime,
    *,
    dice: random.Random,
    now: datetime,
) -> None:
    age = (now - at).days
    attempt = catalog.executions.begin(
        schedule_id,
        f"scheduled__{at.isoformat()}",
        run_at=at,
        queued_at=at,
        at=at,
        trigger=Trigger.SCHEDULE,
        kind=Kind.FULL,
    )
    took = timedelta(minutes=past.minutes * dice.uniform(0.9, 1.15))
    if age in past.bad_days and dice.random() < 0.6 + (age == 0):
        outcome = Outcome(
            status=ExecutionStatus.FAILED,
            failure=Failure(
                error="s3://acme-backups/production does not answer",
                hint="is the network up? the run can be repeated now",
                failure_class=FailureClass.NETWORK,
            ),
        )
    else:
        stored = past.gigabytes * 1e9 * (1 - age * 0.004) * dice.uniform(0.98, 1.02)
        outcome = Outcome(
            status=ExecutionStatus.COMPLETED,
            kind=Kind.FULL,
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
        )


def set_scene(home: AirflowHome) -> None:
    """Let Airflow look alive, and the run that was started look half done; there are no other processes."""
    now = datetime.now(UTC)
    database = sqlite3.connect(home.folder / "airflow.db", timeout=30)
    with database:
        for kind in ("SchedulerJob", "TriggererJob", "DagProcessorJob"):
            database.execute(
                "insert into job (state, job_type, start_date, latest_heartbeat, hostname) "
                "values ('running', ?, ?, ?, 'demo')",
                (kind, _text(now), _text(now + timedelta(hours=1))),
            )
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


def demo_home(folder: Path) -> AirflowHome:
    """Return an Airflow with these schedules, and nothing started."""
    return AirflowHome(folder / "home", schedules=SCHEDULES)
