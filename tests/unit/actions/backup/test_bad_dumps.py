"""A dump that is empty, cut, without its end, or with fewer rows is a failed backup, and nothing is pruned after it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.backup.backup import backup
from airflow_backup.actions.maintain.prune import prune
from airflow_backup.actions.verify.verify import Verifier, worst
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import from_environment
from airflow_backup.core.errors import BackupError, VerifyError
from airflow_backup.core.words import ExecutionStatus, Kind, VerificationLevel, VerificationOutcome
from airflow_backup.dags.factory import build
from airflow_backup.engines.protocol import (
    DumpReport,
    EngineContext,
    RestoreReport,
    SetReader,
    Sink,
    VerificationReport,
)
from airflow_backup.engines.registry import Registry
from airflow_backup.schedules.model.base import Model
from airflow_backup.schedules.model.schedule import Schedule
from support.stored.sets import START, Clock, run_number

TRAILER = b"-- dump completed\n"
BAD: dict[str, bytes | None] = {"text": None}


class TextEngine:
    """A dump as a careless tool writes it: lines, and a trailer, if all goes well."""

    name, version = "files", "1"
    kinds = frozenset({Kind.FULL})

    def check(self, source: Model, context: EngineContext) -> list[BackupError]:
        return []

    def dump(
        self,
        source: Model,
        context: EngineContext,
        *,
        kind: Kind,
        parent: SetReader | None,
        sink: Sink,
    ) -> DumpReport:
        text = BAD["text"]
        assert text is not None
        with sink.stream("dump.sql") as stream:
            stream.write(text)
        return DumpReport(
            consistent_at=context.clock(), files=1, bytes_read=len(text), counts={"orders": 3}
        )

    def restore(
        self, chain: Sequence[SetReader], target: Path, *_: Any, **__: Any
    ) -> RestoreReport:
        raise NotImplementedError

    def check_format(self, stored: SetReader) -> Sequence[str]:
        if not b"".join(stored.blocks("dump.sql")).endswith(TRAILER):
            raise VerifyError("the dump has no trailer", hint="was it cut?")
        return ["trailer"]

    def decode(self, chain: Sequence[SetReader], context: EngineContext) -> VerificationReport:
        self.check_format(chain[-1])
        rows = b"".join(chain[-1].blocks("dump.sql")).count(b"INSERT")
        return VerificationReport(counts={"orders": rows})


def engines() -> Registry:
    """A registry that gives the careless engine under a name that a schedule may write."""

    class Only(Registry):
        def get(self, name: str) -> Any:
            return TextEngine()

    return Only()


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    with Catalog.open("sqlite://") as catalog:
        yield catalog


WHOLE = b"INSERT\n" * 3 + TRAILER
CASES = {
    "empty": (b"", VerificationLevel.STANDARD, "no trailer"),
    "cut": (WHOLE[:-3], VerificationLevel.STANDARD, "no trailer"),
    "without its end": (b"INSERT\n" * 3, VerificationLevel.STANDARD, "no trailer"),
    "fewer rows": (b"INSERT\n" + TRAILER, VerificationLevel.FULL, "'orders' has 1 rows"),
}


@pytest.mark.parametrize(("text", "level", "reason"), CASES.values(), ids=CASES)
def test_a_bad_dump_is_found_and_the_good_set_before_it_stays(
    tmp_path: Path, catalog: Catalog, text: bytes, level: VerificationLevel, reason: str
) -> None:
    schedule = Schedule.model_validate(
        {
            "id": "orders",
            "source": {"engine": "files", "path": "/srv"},
            "repository": f"file://{tmp_path}/repository",
            "preset": "daily",
            "retention": {"last": 1},
        }
    )

    def verified(number: int) -> Any:
        result = backup(
            schedule,
            run_number(number),
            catalog=catalog,
            connections=from_environment,
            clock=Clock(run_number(number).at),
            engines=engines(),
        )
        looked = Verifier(
            schedule,
            catalog=catalog,
            connections=from_environment,
            clock=Clock(),
            engines=engines(),
        ).verify(result.set_id, level)
        return result, worst(looked)

    BAD["text"] = WHOLE
    good, fine = verified(1)
    assert fine is None
    BAD["text"] = text
    bad, found = verified(2)
    assert found is not None
    assert found.outcome is VerificationOutcome.FAILED
    assert reason in (found.reason or "")
    history = catalog.executions.history("orders")
    assert [each.status for each in history] == [
        ExecutionStatus.FAILED,
        ExecutionStatus.COMPLETED,
    ]
    tasks = build(schedule).get_task("prune")
    assert (tasks.trigger_rule, tasks.upstream_task_ids) == (
        "none_failed_min_one_success",
        {"backup", "verify"},
    )
    # And were it run by hand: what was proven stays, whatever `last: 1` says.
    left = prune(
        schedule,
        catalog=catalog,
        connections=from_environment,
        clock=lambda: START + timedelta(days=3),
        actor="anna",
    )
    assert left.removed == []
    assert {row.set_id for row in catalog.sets.of("orders")} == {good.set_id, bad.set_id}


def test_a_verification_that_is_killed_says_nothing_about_the_set(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "large").write_bytes(os.urandom(80_000_000))
    file = tmp_path / "schedules.yaml"
    file.write_text(
        f"version: 1\nschedules:\n  - {{id: wiki, source: {{engine: files, path: {tmp_path}/source}},"
        f" repository: file://{tmp_path}/repository, preset: daily}}\n"
    )
    program = [sys.executable, "-m", "airflow_backup.cli.main"]
    more = ["--schedules", str(file), "--catalog", f"sqlite:///{tmp_path}/catalog.db"]
    subprocess.run([*program, "run", "wiki", *more], check=True, capture_output=True)
    child = subprocess.Popen(
        [*program, "verify", "wiki", "--level", "restore-test", *more], stdout=subprocess.DEVNULL
    )
    time.sleep(1.2)
    child.send_signal(signal.SIGKILL)
    child.wait()
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        (row,) = catalog.sets.of("wiki")
        assert row.state == "good"
        assert row.verified_outcome is not VerificationOutcome.FAILED
    subprocess.run([*program, "verify", "wiki", *more], check=True, capture_output=True)
