"""A run that is paused, cancelled, or takes too long: what its engine is at does not matter."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.backup import control as control_module
from airflow_backup.actions.backup.backup import BackupResult, Run, backup
from airflow_backup.actions.backup.control import Control, Limits
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import from_environment
from airflow_backup.core.errors import BackupError, Cancelled, CatalogError, TooLong, WorkerStopped
from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.process import running
from airflow_backup.core.process.commands import run
from airflow_backup.core.progress import CONFIRMING
from airflow_backup.core.words import ExecutionStatus
from airflow_backup.engines.command.options import CommandOptions
from airflow_backup.engines.files.options import FilesOptions
from support.stored.sets import PlainJob

AT = datetime(2026, 11, 28, tzinfo=UTC)
RUN = Run("run-1", AT)


STILL = ("T", "D")
"""Stopped; or a shell that waits for its child, which was stopped before it became another program."""


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        yield catalog


@pytest.fixture
def silent(tmp_path: Path) -> PlainJob:
    """A program that says nothing for ten minutes, and notes its number."""
    script = f"echo $$ > {tmp_path}/number; sleep 600"
    return PlainJob(_command(script), f"file://{tmp_path}/repository")


def control_of(
    catalog: Catalog, *, max_duration: timedelta | None = None, max_pause: timedelta | None = None
) -> Control:
    return Control(
        limits=Limits(max_duration=max_duration, max_pause=max_pause),
        clock=now,
        orders=lambda: catalog.orders.last("wiki", RUN.id),
        interval=0.05,
    )


def take(job: PlainJob, catalog: Catalog, control: Control) -> BackupResult:
    return backup(
        job,
        RUN,
        catalog=catalog,
        connections=from_environment,
        clock=now,
        control=control,
        allowed_commands=["/bin/sh"],
    )


def program(tmp_path: Path) -> int:
    """Wait until the program runs; return its number."""
    file = tmp_path / "number"
    wait_for(lambda: file.exists() and file.read_text().strip() != "")
    return int(file.read_text())


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_gone(number: int) -> bool:
    return not Path(f"/proc/{number}").exists()


def in_background(act: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    return thread


def test_a_cancelled_run_names_who_and_why_and_its_program_is_gone(
    silent: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    def cancel() -> None:
        program(tmp_path)
        catalog.orders.add("wiki", RUN.id, "cancel", by="ann", at=now(), reason="too slow")

    in_background(cancel)
    begun = time.monotonic()
    with pytest.raises(Cancelled, match=r"^cancelled by ann: too slow$"):
        take(silent, catalog, control_of(catalog))
    assert time.monotonic() - begun < 30
    assert is_gone(program(tmp_path))
    found = catalog.executions.get("wiki", RUN.id)
    assert found is not None
    assert (found.status, found.reason, found.failure_class) == (
        ExecutionStatus.CANCELLED,
        "cancelled by ann: too slow",
        FailureClass.CANCELLED,
    )
    assert not list(tmp_path.glob("repository/**/manifest.json"))


def test_a_cancel_of_an_earlier_attempt_does_not_count_again(
    catalog: Catalog, tmp_path: Path
) -> None:
    catalog.orders.add("wiki", RUN.id, "cancel", by="ann", at=now())
    job = PlainJob(_files(tmp_path), f"file://{tmp_path}/repository")
    result = take(job, catalog, control_of(catalog))
    assert result.status is ExecutionStatus.COMPLETED


def test_a_worker_that_ends_a_cancelled_run_says_who_cancelled_it(
    silent: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    control = control_of(catalog)
    control._interval = 600  # nobody looks before the worker is told

    def cancel() -> None:
        program(tmp_path)
        catalog.orders.add("wiki", RUN.id, "cancel", by="ann", at=now())
        control.stop(WorkerStopped("the worker was asked to end the run"))

    in_background(cancel)
    with pytest.raises(Cancelled, match=r"^cancelled by ann$"):
        take(silent, catalog, control)


def test_a_silent_program_takes_no_longer_than_max_duration(
    silent: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    with pytest.raises(TooLong, match=r"^longer than max_duration 1 second\n"):
        take(silent, catalog, control_of(catalog, max_duration=timedelta(seconds=1)))
    assert is_gone(program(tmp_path))
    found = catalog.executions.get("wiki", RUN.id)
    assert found is not None
    assert (found.status, found.failure_class) == (ExecutionStatus.FAILED, FailureClass.TIME)
    assert not FailureClass.TIME.retryable


def test_a_paused_program_stands_still_and_the_pause_counts_for_nothing(
    catalog: Catalog, tmp_path: Path
) -> None:
    script = f"echo $$ > {tmp_path}/number; for i in $(seq 40); do echo line $i; sleep 0.05; done"
    job = PlainJob(_command(script), f"file://{tmp_path}/repository")
    control = control_of(catalog, max_duration=timedelta(minutes=1))
    seen: list[str] = []

    def pause() -> None:
        number = program(tmp_path)
        catalog.orders.add("wiki", RUN.id, "pause", by="ann", at=now())
        wait_for(lambda: control._is_paused and _state(number) in STILL)
        control._paused_at -= 3600  # as if it had stood there for an hour
        control._begun -= 3600
        time.sleep(0.5)
        seen.append(_state(number))
        catalog.orders.add("wiki", RUN.id, "resume", by="ann", at=now())

    pausing = in_background(pause)
    result = take(job, catalog, control)
    pausing.join()
    assert result.status is ExecutionStatus.COMPLETED
    assert seen[0] in STILL
    assert control._paused_for > 3600


def test_a_run_that_was_paused_for_too_long_goes_on(catalog: Catalog, tmp_path: Path) -> None:
    soon = now() + timedelta(minutes=1)  # so that none of it has passed yet
    catalog.orders.add("wiki", RUN.id, "pause", by="ann", at=soon)
    job = PlainJob(_files(tmp_path), f"file://{tmp_path}/repository")
    shown: list[dict[str, Any]] = []
    control = control_of(catalog, max_pause=timedelta(seconds=1))
    control._publish = shown.append
    control._paused_for = 0.0
    control.reporter.interval = 0
    big = tmp_path / "source/big"
    big.write_bytes(os.urandom(1 << 20))
    begun = time.monotonic()

    def slow(progress: Any) -> None:
        if time.monotonic() - begun < 0.5:
            time.sleep(0.3)  # so that the pause is seen before the end

    control._listener = slow
    result = take(job, catalog, control)
    assert result.status is ExecutionStatus.COMPLETED
    assert control._paused_for >= 1.0
    assert "paused" in [each["stage"] for each in shown]


@pytest.mark.parametrize("error", [CatalogError("away"), OSError("no answer"), ValueError("odd")])
def test_a_run_goes_on_although_nobody_can_be_told_of_it(
    catalog: Catalog, tmp_path: Path, error: Exception
) -> None:
    def fail(*given: Any) -> Any:
        raise error

    control = Control(
        limits=Limits(),
        clock=now,
        orders=fail if isinstance(error, BackupError) else lambda: None,
        publish=fail,
        interval=0.01,
    )
    job = PlainJob(_files(tmp_path), f"file://{tmp_path}/repository")
    assert take(job, catalog, control).status is ExecutionStatus.COMPLETED


def test_a_read_that_does_not_come_back_is_interrupted(
    monkeypatch: pytest.MonkeyPatch, catalog: Catalog
) -> None:
    monkeypatch.setattr(control_module, "PATIENCE", 0.2)
    control = control_of(catalog, max_duration=timedelta(seconds=0.1))
    reader, writer = os.pipe()
    begun = time.monotonic()
    with pytest.raises(BaseException) as caught, control:  # noqa: PT011, PT012
        control.reporter.begin("reading")
        os.read(reader, 1)
    os.close(reader)
    os.close(writer)
    assert isinstance(control.why(caught.value), TooLong)
    assert time.monotonic() - begun < 30


def test_what_publishes_a_set_is_never_interrupted(
    monkeypatch: pytest.MonkeyPatch, catalog: Catalog
) -> None:
    monkeypatch.setattr(control_module, "PATIENCE", 0.0)
    control = control_of(catalog, max_duration=timedelta(seconds=0))
    control.reporter.now = replace(control.reporter.now, stage=CONFIRMING)
    with control:
        time.sleep(0.5)
        control.reporter.finish()
    assert isinstance(control.stopped, TooLong)


def _command(script: str) -> CommandOptions:
    given = {"engine": "command", "workflow": {"command": ["/bin/sh", "-c", script]}}
    return CommandOptions.model_validate(given)


def _files(tmp_path: Path) -> FilesOptions:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/a").write_text("hello")
    return FilesOptions(engine="files", path=str(tmp_path / "source"))


def _state(number: int) -> str:
    return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_catalog_or_airflow_that_does_not_answer_stops_no_clock(
    catalog: Catalog, tmp_path: Path, silent: PlainJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_module, "LEAVE", 0.1)
    never = threading.Event()

    def hang(*given: Any) -> Any:
        never.wait()

    control = Control(
        limits=Limits(max_duration=timedelta(seconds=1)),
        clock=now,
        publish=hang,
        keep=hang,
        interval=0.05,
    )
    begun = time.monotonic()
    with pytest.raises(TooLong):
        take(silent, catalog, control)
    assert time.monotonic() - begun < 30
    never.set()


def test_a_pause_is_heard_while_airflow_does_not_answer(catalog: Catalog, tmp_path: Path) -> None:
    never = threading.Event()
    control = control_of(catalog)

    def hang(shown: dict[str, Any]) -> None:
        never.wait()

    control._publish = hang
    with control:
        time.sleep(0.3)  # so that it hangs
        catalog.orders.add("wiki", RUN.id, "pause", by="ann", at=now())
        wait_for(lambda: control._is_paused)
        never.set()


def test_what_cleans_up_after_a_stop_is_not_ended_too(catalog: Catalog, tmp_path: Path) -> None:
    control = control_of(catalog, max_duration=timedelta(seconds=0))
    with control:
        wait_for(lambda: control.stopped is not None)
        run(["/bin/sh", "-c", f"sleep 1; echo done > {tmp_path}/unlocked"])
    assert (tmp_path / "unlocked").exists()


def test_a_worker_that_stops_says_nothing_of_a_cancel_that_ended_an_earlier_attempt(
    catalog: Catalog,
) -> None:
    catalog.orders.add("wiki", RUN.id, "cancel", by="ann", at=now() - timedelta(hours=1))
    control = control_of(catalog)
    with control:
        control.stop(WorkerStopped("the worker was asked to end the run"))
    assert isinstance(control.why(OSError()), WorkerStopped)


def test_a_cancel_that_comes_while_an_attempt_begins_is_not_lost(catalog: Catalog) -> None:
    catalog.orders.add("wiki", RUN.id, "cancel", by="ann", at=now())
    control = control_of(catalog)
    with control:
        control.stop(WorkerStopped("the worker was asked to end the run"))
    assert isinstance(control.why(OSError()), Cancelled)


def test_a_pause_that_was_over_before_a_retry_does_not_begin_again(catalog: Catalog) -> None:
    long_ago = now() - timedelta(hours=5)
    catalog.orders.add("wiki", RUN.id, "pause", by="ann", at=long_ago)
    control = control_of(catalog, max_pause=timedelta(hours=4))
    with control:
        time.sleep(0.5)
        assert not control._is_paused
        catalog.orders.add("wiki", RUN.id, "pause", by="ann", at=long_ago)  # a clock that is wrong
        wait_for(lambda: control._is_paused)


def test_a_pause_that_cannot_be_made_is_tried_again(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [OSError(24, "too many open files")] * 3

    def pause_all() -> None:
        if failures:
            raise failures.pop()

    monkeypatch.setattr(running, "pause_all", pause_all)
    catalog.orders.add("wiki", RUN.id, "pause", by="ann", at=now())
    control = control_of(catalog)
    with control:
        wait_for(lambda: control._is_paused)
    assert not failures
