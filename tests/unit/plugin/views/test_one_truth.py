"""Forty situations, each asked at every door: page, API, metrics, `status`, `report`, `monitor` say the same word."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.report.report import report
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import LostSet, SetRow, Verification
from airflow_backup.catalog.run_records import Failure, Outcome
from airflow_backup.catalog.sums import Sums
from airflow_backup.catalog.tables import lost_sets, sets, verifications
from airflow_backup.cli.main import main
from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.ids import dag_id
from airflow_backup.core.words import ExecutionStatus, Trigger
from airflow_backup.plugin.airflow.records import AirflowDag
from airflow_backup.plugin.schemas.schedules import Permissions, State
from airflow_backup.plugin.services import queries
from airflow_backup.plugin.views.metrics import metrics
from airflow_backup.plugin.views.overview import overview
from airflow_backup.plugin.views.rows import Row
from airflow_backup.plugin.views.schedules import ScheduleData, summaries
from airflow_backup.schedules.loading.index import LastGood, compile_index
from airflow_backup.schedules.model.schedule import Schedule
from support.situations import NOW, SITUATIONS, checked

MAY = Permissions(toggle=True, run=True, cancel=True, edit=True)


@dataclass
class World:
    """One schedule in one situation, moved from the table's moment to now."""

    folder: Path
    catalog: Catalog
    shift: timedelta
    given: dict[str, Any]

    @property
    def now(self) -> datetime:
        return NOW + self.shift

    @property
    def schedule(self) -> Schedule:
        verify = {
            "level": "standard" if self.given.get("is_verified", True) else "none",
            "every": self.given.get("verify_every", 1),
        }
        if "restore_test" in self.given:
            verify["restore_test"] = self.given["restore_test"]
        return Schedule.model_validate(
            {
                "id": "wiki",
                "source": {"engine": "files", "path": "/srv/wiki"},
                "repository": "file:///b",
                "preset": "daily",
                "alert_after": "26h",
                "verify": verify,
                "enabled": self.given.get("enabled") is not False,
            }
        )

    def tell(self, rows: list[SetRow | LostSet]) -> None:
        """Put into the catalog what the situation says."""
        first_seen = self.given.get("first_seen", NOW - timedelta(days=60))
        self.catalog.standings.note_seen(["wiki"], at=first_seen + self.shift)
        database = self.catalog.standings._database
        with database.writing() as connection:
            for row in rows:
                table = sets if isinstance(row, SetRow) else lost_sets
                connection.execute(table.insert().values(self._moved(row)))
            last = self.given.get("last_passed", _checked(rows))
            test = self.given.get("last_restore_test")
            found = sorted(filter(None, (last, test)), key=lambda each: each.finished_at)
            for number, each in enumerate(found, 1):
                values = self._moved(each) | {"id": number}
                connection.execute(verifications.insert().values(values))
        for number in range(self.given.get("failures_in_row", 0)):
            self._fail(number)

    def _moved(self, record: SetRow | LostSet | Verification) -> dict[str, Any]:
        names = record._fields if isinstance(record, SetRow) else record.__slots__
        found = {name: getattr(record, name) for name in names}
        return {
            name: value + self.shift if isinstance(value, datetime) else value
            for name, value in found.items()
        }

    def _fail(self, number: int) -> None:
        at = self.now - timedelta(minutes=30 - number)
        attempt = self.catalog.executions.begin(
            "wiki", f"failed-{number}", run_at=at, at=at, trigger=Trigger.SCHEDULE
        )
        failure = Failure(error="x", hint=None, failure_class=FailureClass.UNKNOWN)
        outcome = Outcome(status=ExecutionStatus.FAILED, failure=failure)
        self.catalog.executions.finish(attempt, outcome, at=at)

    def row(self) -> Row:
        """The schedule as the page has it."""
        why = self.given.get("rejected") or self.given.get("outdated")
        state = State.LOADED
        if why is not None:
            state = State.REJECTED if "rejected" in self.given else State.LAST_KNOWN_GOOD
        definition = {} if state is State.REJECTED else self.schedule.definition()
        problems = [] if why is None else [{"file": "s.yaml", "line": 1, "message": why}]
        return Row("wiki", definition, state, "s.yaml", problems=problems)

    def page(self) -> ScheduleData:
        """What the page reads."""
        enabled = self.given.get("enabled", True)
        name = dag_id("wiki")
        dags = {} if enabled is None else {name: AirflowDag(name, not enabled, stale=False)}
        judged = queries.protections_of(self.catalog, [self.row()], dags, now=self.now)
        return ScheduleData(
            now=self.now,
            dags=dags,
            airflow_runs={},
            past={},
            last_good={},
            protections=judged,
        )


def _checked(rows: list[SetRow | LostSet]) -> Verification | None:
    return checked(timedelta(hours=10)) if rows else None


@pytest.fixture(params=SITUATIONS, ids=list(SITUATIONS))
def situation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, bool, World]]:
    word, attention, rows, more = SITUATIONS[request.param]
    shift = datetime.now(UTC) - NOW
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        world = World(tmp_path, catalog, shift, more)
        world.tell(rows)
        yield word, attention, world


def test_every_door_says_the_same_word(
    situation: tuple[str, bool, World], capsys: pytest.CaptureFixture[str]
) -> None:
    word, attention, world = situation
    data = world.page()
    shown = summaries([world.row()], data, permissions={"wiki": MAY})
    assert (shown[0].protection.state, shown[0].protection.needs_attention) == (word, attention)
    status = overview(shown, [], [], now=world.now)
    assert (status.protection[shown[0].protection.state], status.troubled) == (1, int(attention))

    text = metrics(shown, data.protections, {"wiki": Sums()}, [], now=world.now)
    assert re.findall(r'protection_state\{.*state="(\w+)"\} 1\n', text) == [word]
    assert f'airflow_backup_protected{{schedule="wiki",group=""}} {int(word == "good")}\n' in text
    late = re.findall(r"airflow_backup_seconds_until_late\{.*\} (-?[\d.]+)\n", text)
    assert (float(late[0]) < 0) == (shown[0].protection.late_at < world.now)

    (judged,) = report([world.schedule], world.catalog, now=world.now, protections=data.protections)
    assert (judged.protection, judged.why) == (word, shown[0].protection.reason)

    if shown[0].protection.late_at == world.now:
        return  # the shell has a clock of its own, and it is a moment later
    told = in_the_shell(world, capsys)
    assert (told["protection"], told["needs_attention"]) == (word, attention)
    seen = by_the_monitor(world, capsys)
    assert (seen["protection"], seen["needs_attention"]) == (word, attention)
    assert seen["reason"] == told["reason"]


def in_the_shell(world: World, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Ask `status`, which knows the file and the catalog and no Airflow."""
    plain = world.schedule.model_dump(mode="json", exclude_defaults=True)
    wrong = world.given.get("rejected") or world.given.get("outdated")
    if "outdated" in world.given:
        deploy(world)
    if wrong is not None:
        plain |= {"crn": "0 2 * * *"}
    path = world.folder / "schedules.yaml"
    path.write_text(json.dumps({"version": 1, "schedules": [plain]}))
    code = main(
        [
            *("status", "--schedules", str(path), "--format", "json", "--fail-if-stale"),
            *("--catalog", f"sqlite:///{world.folder}/catalog.db"),
        ]
    )
    (told,) = json.loads(capsys.readouterr().out)
    assert code == int(told["needs_attention"])
    found: dict[str, Any] = told
    return found


def by_the_monitor(world: World, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Ask `monitor` with the same file; it tells what is not safe as an event, and in its exit code."""
    code = main(
        [
            *("monitor", "--schedules", str(world.folder / "schedules.yaml"), "--format", "json"),
            *("--catalog", f"sqlite:///{world.folder}/catalog.db"),
        ]
    )
    found = json.loads(capsys.readouterr().out)
    (seen,) = found["schedules"]
    is_silent = (
        found["airflow"] is not None
    )  # a run that was due has not begun, whatever else is so
    assert code == int(seen["needs_attention"] or is_silent)
    stale = [event for event in world.catalog.events.after(0) if event.action == "stale"]
    told = [event.detail["state"] for event in stale if event.subject == "wiki"]
    is_told = seen["needs_attention"] and seen["protection"] != "good"
    if seen["protection"] == "never" and datetime.fromisoformat(seen["late_at"]) > world.now:
        is_told = False  # the runs that failed told it
    assert told == ([seen["protection"]] if is_told else [])
    result: dict[str, Any] = seen
    return result


def deploy(world: World) -> None:
    """Note that the version before the wrong one runs on."""
    path = world.folder / "schedules.yaml"
    plain = world.schedule.model_dump(mode="json", exclude_defaults=True)
    path.write_text(json.dumps({"version": 1, "schedules": [plain | {"crn": "0 2 * * *"}]}))
    found = compile_index(path, known=LastGood({"wiki": world.schedule.definition()}, {}))
    assert found.entries["wiki"].state == "last_known_good"
    world.catalog.deployed.replace(str(path), found.entries.values())
