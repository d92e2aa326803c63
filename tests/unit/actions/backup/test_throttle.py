"""A backup keeps to the rates of its `throttle`, stands back for others, and is cancelled while it waits."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from airflow_backup.actions.backup.backup import backup
from airflow_backup.actions.backup.control import Control, Limits
from airflow_backup.actions.backup.limits import throttle
from airflow_backup.actions.backup.limits.throttle import standing_back
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import from_environment
from airflow_backup.core.errors import Cancelled, ConfigError
from airflow_backup.core.words import ExecutionStatus
from airflow_backup.engines.command.options import CommandOptions
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.postgres.engine import PostgresEngine
from airflow_backup.engines.postgres.options import PostgresOptions
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.engines.restic.engine import ResticEngine
from airflow_backup.engines.restic.options import ResticOptions
from airflow_backup.schedules.loading.loader import load
from airflow_backup.schedules.model.limits import Rates, Throttle
from support.stored.sets import PlainJob, run_number, take

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        yield catalog


def job_of(tmp_path: Path, **given: object) -> PlainJob:
    source = tmp_path / "source"
    source.mkdir(exist_ok=True)
    (source / "file").write_bytes(os.urandom(3_000_000))
    return PlainJob(
        FilesOptions(engine="files", path=str(source)),
        f"file://{tmp_path}/repository",
        throttle=Throttle.model_validate(given),
    )


@pytest.mark.parametrize("which", ["upload", "read"])
def test_a_run_takes_at_least_as_long_as_its_rate_says(
    catalog: Catalog, tmp_path: Path, which: str
) -> None:
    job = job_of(tmp_path, **{which: "2MB"})
    began = time.monotonic()
    result = take(job, catalog)
    assert time.monotonic() - began > 1.4  # three million bytes at two million a second
    assert result.bytes_read == 3_000_000


def test_at_an_hour_without_limit_it_is_as_fast_as_it_can(catalog: Catalog, tmp_path: Path) -> None:
    unlimited = {"days": ["mon-sun"], "upload": "unlimited", "read": "unlimited"}
    job = job_of(tmp_path, upload="1kB", read="1kB", times=[unlimited])
    assert take(job, catalog).bytes_read == 3_000_000  # and not after fifty minutes


@pytest.mark.parametrize("which", ["upload", "read"])
def test_a_run_that_waits_for_its_rate_is_cancelled_at_once(
    catalog: Catalog, tmp_path: Path, which: str
) -> None:
    job = job_of(tmp_path, **{which: "1kB"})
    control = Control(limits=Limits(), clock=lambda: MONDAY, interval=0.05)
    threading.Timer(0.5, control.stop, args=(Cancelled("cancelled by admin"),)).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        backup(
            job,
            run_number(1),
            catalog=catalog,
            connections=from_environment,
            control=control,
            clock=lambda: MONDAY,
        )
    assert time.monotonic() - began < 30  # and not after fifty minutes: it takes a second or two
    assert not list(tmp_path.rglob("manifest.json"))


def test_programs_and_threads_stand_back(catalog: Catalog, tmp_path: Path) -> None:
    program = tmp_path / "program"
    told = tmp_path / "told.txt"
    program.write_text(f"#!/bin/sh\nnice > {told}\nionice >> {told}\n")
    program.chmod(0o755)
    workflow = {"command": [str(program)]}
    job = PlainJob(
        CommandOptions.model_validate(
            {"engine": "command", "workflow": workflow, "output": [str(told)]}
        ),
        f"file://{tmp_path}/repository",
        throttle=Throttle(nice=7, io_class="idle"),
    )
    before = os.getpriority(os.PRIO_PROCESS, 0)
    niced = max(before, 7)
    result = take(job, catalog)
    assert told.read_text() == f"{niced}\nidle\n"
    assert result.status is ExecutionStatus.COMPLETED
    assert os.getpriority(os.PRIO_PROCESS, 0) in (before, niced)  # who is not root stays there


def io_class() -> str:
    return subprocess.run(["ionice"], capture_output=True, text=True, check=True).stdout.strip()


def test_io_class_low_is_the_last_of_best_effort() -> None:
    before = io_class()
    with standing_back(Throttle(io_class="low")):
        assert io_class() == "best-effort: prio 7"
        with standing_back(Throttle(io_class="idle")):
            assert io_class() == "idle"
        assert io_class() == "best-effort: prio 7"
    assert io_class() == before


def test_what_ionice_tells_in_another_language_is_set_again_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, real = tmp_path / "ionice", shutil.which("ionice")
    program.write_text(
        f'#!/bin/sh\n[ "$LC_ALL" = C ] && exec {real} "$@"\n{real} "$@" | sed \'s/: prio /: Rang /\'\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    with standing_back(Throttle(io_class="low")):
        with standing_back(Throttle(io_class="idle")):
            pass
        assert os.environ["LC_ALL"] == "de_DE.UTF-8"
        assert io_class() == "best-effort: Rang 7"


def test_who_stands_back_further_already_is_not_brought_forward() -> None:
    program = (
        "import os; os.nice(max(0, 12 - os.nice(0)))\n"
        "from airflow_backup.actions.backup.limits.throttle import standing_back\n"
        "from airflow_backup.schedules.model.limits import Throttle\n"
        "with standing_back(Throttle(nice=5)): print(os.nice(0))\n"
        "with standing_back(Throttle(nice=15)): print(os.nice(0))\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    ours = os.getpriority(os.PRIO_PROCESS, 0)  # the tests themselves may stand back already
    assert told.stdout.split() == [str(max(12, ours)), str(max(15, ours))]


def test_a_set_that_is_stored_does_not_fail_because_its_io_class_stays(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_of(tmp_path, io_class="low")

    def no_room(told: str) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        set_again(told)

    set_again = throttle._set_io_again
    monkeypatch.setattr(throttle, "_set_io_again", no_room)
    assert take(job, catalog).status is ExecutionStatus.COMPLETED


def test_the_first_time_that_holds_counts_and_days_end_at_midnight_of_the_zone() -> None:
    rates = Throttle.model_validate(
        {
            "upload": "20MB",
            "times": [
                {"preset": "business_hours", "upload": "5MB"},
                {"from": "08:00", "to": "20:00", "upload": "10MB", "read": "1MB"},
                {"days": ["sat-sun"], "upload": "unlimited"},
            ],
        }
    )

    def at(text: str) -> Rates:
        return rates.rates_at(datetime.fromisoformat(text), timezone="Europe/Berlin")

    assert at("2026-11-23T09:30:00+01:00") == (5_000_000, 1_000_000)
    assert at("2026-11-23T08:30:00+01:00") == (10_000_000, 1_000_000)
    assert at("2026-11-23T03:00:00+01:00") == (20_000_000, None)
    assert at("2026-11-28T03:00:00+01:00") == (None, None)
    assert at("2026-11-27T23:30:00+00:00") == (None, None)  # Saturday in Berlin


@pytest.mark.parametrize(
    "wrong",
    [
        {"upload": 0},
        {"upload": 20},
        {"read": "999B"},
        {"upload": "fast"},
        {"nice": -5},
        {"nice": 20},
        {"io_class": "realtime"},
        {"times": [{"from": "08:00", "to": "18:00"}]},
        {"times": [{"upload": "1MB"}]},
        {"download": "1MB"},
    ],
)
def test_a_throttle_that_means_nothing_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Throttle.model_validate(wrong)


def test_engines_that_cannot_keep_to_a_rate_of_reading_say_so(tmp_path: Path) -> None:
    context = EngineContext(reading_is_limited=True)
    restic = ResticOptions(
        engine="restic", path=str(tmp_path), restic_repository="/r", connection="r"
    )
    folder = PostgresOptions(engine="postgres", connection="none", format="directory")
    for problems in (
        ResticEngine().check(restic, context),
        PostgresEngine().check(folder, context),
    ):
        assert any(isinstance(each, ConfigError) and "read" in each.message for each in problems)


def test_what_the_defaults_say_is_joined_with_what_the_schedule_says(tmp_path: Path) -> None:
    file = tmp_path / "schedules.yaml"
    file.write_text(
        "version: 1\n"
        "defaults: {throttle: {upload: 20MB, nice: 10}}\n"
        "schedules:\n"
        "  - {id: wiki, source: {engine: files, path: /srv}, repository: 'file:///b', preset: daily,"
        " throttle: {read: 50MB}}\n"
    )
    found = load(file).by_id()["wiki"]
    assert (found.throttle.upload, found.throttle.read, found.throttle.nice) == (
        20_000_000,
        50_000_000,
        10,
    )
