"""
The history of all schedules: every run once, in one order, whatever the page, the filter and what Airflow alone
knows.
"""

from __future__ import annotations

import base64
import csv
import io
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from airflow.models.dagrun import DagRun
from pydantic import ValidationError
from sqlalchemy.orm import Session

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.run_records import Failure, Outcome
from airflow_backup.core.errors import Refused
from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.ids import dag_id
from airflow_backup.core.words import ExecutionStatus, Kind, Trigger
from airflow_backup.plugin.airflow import changes, reads
from airflow_backup.plugin.airflow.records import AirflowTask
from airflow_backup.plugin.schemas.requests import RunRequest
from airflow_backup.plugin.schemas.runs import RunSummary
from airflow_backup.plugin.services import run_history, verbs
from airflow_backup.plugin.views.run_filters import RunChoice, RunFilters, cursor_of, place_of
from airflow_backup.plugin.views.run_table import COLUMNS, as_csv
from airflow_backup.schedules.loading.index import compile_index

if TYPE_CHECKING:
    from airflow_backup.plugin.access import Access
    from airflow_backup.plugin.views.rows import Row

START = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
NAMES = ("crm", "orders", "wiki")
STATUSES = list(ExecutionStatus)


class Reader:
    """Somebody who may read all schedules but one."""

    hidden = "secret"

    def __init__(self, session: Session) -> None:
        self.session = session

    def readable(self, names: Any, *, existing: object = None) -> set[str]:
        return {name for name in names if name != self.hidden}

    def has_just_made(self, made: object, *, existing: object = None) -> bool:
        return False


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    file = tmp_path / "schedules.yaml"
    lines = "".join(
        f"  - {{id: {name}, group: {'web' if name == 'wiki' else 'databases'}, cron: '0 2 * * *', "
        "source: {engine: files, path: /srv}}\n"
        for name in (*NAMES, Reader.hidden)
    )
    file.write_text(f"version: 1\ndefaults: {{repository: 'file:///b'}}\nschedules:\n{lines}")
    index = compile_index(file)
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        catalog.deployed.replace(index.origin, index.entries.values())
        yield catalog


class World:
    """Runs at random, of which it knows itself what the history has to say."""

    def __init__(self, seed: int, catalog: Catalog, session: Session) -> None:
        self._random = random.Random(seed)
        self._catalog, self._session = catalog, session
        self.expected: dict[tuple[str, str], tuple[datetime, ExecutionStatus]] = {}
        for n in range(40):
            self._add(f"r{n:02}")
        session.commit()

    def _add(self, run_id: str) -> None:
        name = self._random.choice((*NAMES, Reader.hidden))
        # Few different moments: what is due together came into being together.
        since = START + timedelta(hours=self._random.randrange(12))
        how = self._random.choice(
            (
                "done",
                "done",
                "done",
                "failed",
                "died",
                "forgotten",
                "never began",
                "waits",
                "unseen",
            )
        )
        late = timedelta(minutes=self._random.choice((0, 0, 7, -7)))
        state = {"done": "success", "waits": "queued", "unseen": "failed"}.get(how, "failed")
        if how != "forgotten":
            self._session.add(airflow_run(name, run_id, since + late, state))
        if how in ("done", "failed", "died", "forgotten"):
            self._note(name, run_id, since, how)
        else:
            since += late
        status = {"done": "completed", "forgotten": "completed", "waits": "pending"}.get(
            how, "failed"
        )
        if name != Reader.hidden:
            self.expected[name, run_id] = (since, ExecutionStatus(status))

    def _note(self, name: str, run_id: str, since: datetime, how: str) -> None:
        attempt = self._catalog.executions.begin(
            name, run_id, run_at=since, queued_at=since, at=since, trigger=Trigger.SCHEDULE,
            kind=Kind.FULL,
        )  # fmt: skip
        if how == "failed":
            failure = Failure(error="x", hint="y", failure_class=FailureClass.SPACE)
            outcome = Outcome(status=ExecutionStatus.FAILED, failure=failure)
        else:
            outcome = Outcome(status=ExecutionStatus.COMPLETED)
        if how != "died":
            self._catalog.executions.finish(attempt, outcome, at=since + timedelta(seconds=5))

    def wanted(self, *statuses: ExecutionStatus) -> list[tuple[str, str]]:
        """Return what the history has to say, the newest first."""
        chosen = [
            (since, *key)
            for key, (since, status) in self.expected.items()
            if not statuses or status in statuses
        ]
        return [(name, run_id) for _, name, run_id in sorted(chosen, reverse=True)]


def airflow_run(name: str, run_id: str, at: datetime, state: str) -> DagRun:
    run = DagRun(
        dag_id=dag_id(name), run_id=run_id, run_type="scheduled", run_after=at, queued_at=at
    )
    run._state = state
    return run


def read(catalog: Catalog, session: Session, **filters: Any) -> list[RunSummary]:
    """Read page after page to the end."""
    found: list[RunSummary] = []
    cursor = None
    for _ in range(400):
        asked = RunFilters(cursor=cursor, **filters)
        page = run_history.run_page(catalog, session, Reader(session), asked)  # type: ignore[arg-type]
        assert len(page.runs) <= asked.limit
        found += page.runs
        cursor = page.next_cursor
        if cursor is None:
            return found
    raise AssertionError("the history has no end")


def keys(runs: list[RunSummary]) -> list[tuple[str, str]]:
    return [(run.schedule_id, run.run_id) for run in runs]


@pytest.mark.parametrize("seed", range(5))
def test_every_run_is_there_once_and_in_order(
    seed: int, catalog: Catalog, session: Session
) -> None:
    world = World(seed, catalog, session)
    for limit in (1, 4, 200):
        runs = read(catalog, session, limit=limit)
        assert keys(runs) == world.wanted(), limit
        assert {(run.schedule_id, run.run_id): run.status for run in runs} == {
            key: status for key, (_, status) in world.expected.items()
        }


@pytest.mark.parametrize("seed", range(3))
def test_a_filter_keeps_what_it_says_and_loses_nothing(
    seed: int, catalog: Catalog, session: Session
) -> None:
    world = World(seed, catalog, session)
    chosen = [ExecutionStatus.FAILED], [ExecutionStatus.PENDING], [ExecutionStatus.COMPLETED]
    for statuses in (*chosen, [ExecutionStatus.FAILED, ExecutionStatus.COMPLETED]):
        for limit in (1, 200):
            runs = read(catalog, session, limit=limit, status=statuses)
            assert keys(runs) == world.wanted(*statuses), (statuses, limit)
    wiki = [key for key in world.wanted() if key[0] == "wiki"]
    for narrowed in ({"group": "web"}, {"schedule": "wiki"}, {"q": "WIKI"}):
        assert keys(read(catalog, session, limit=3, **narrowed)) == wiki
    after, before = START + timedelta(hours=3), START + timedelta(hours=8)
    within = [key for key in world.wanted() if after <= world.expected[key][0] < before]
    assert keys(read(catalog, session, limit=4, after=after, before=before)) == within


def test_a_schedule_that_may_not_be_read_has_no_runs(catalog: Catalog, session: Session) -> None:
    World(1, catalog, session)
    assert keys(read(catalog, session, schedule=Reader.hidden)) == []


def test_many_runs_that_only_airflow_knows_are_all_shown(
    catalog: Catalog, session: Session
) -> None:
    for n in range(25):
        session.add(airflow_run("wiki", f"f{n:02}", START + timedelta(minutes=n // 3), "failed"))
    session.commit()
    runs = read(catalog, session, limit=4)
    assert sorted(run.run_id for run in runs) == [f"f{n:02}" for n in range(25)]


def exported(catalog: Catalog, session: Session, **choice: Any) -> list[RunSummary]:
    """Export, answer after answer, to the end."""
    found: list[RunSummary] = []
    cursor = None
    for _ in range(400):
        asked = RunChoice(cursor=cursor, **choice)
        runs, cursor = run_history.run_export(catalog, session, Reader(session), asked)  # type: ignore[arg-type]
        assert len(runs) <= run_history.MOST
        found += runs
        if cursor is None:
            return found
    raise AssertionError("the export has no end")


@pytest.mark.parametrize(("most", "looks"), [(10_000, 100), (10, 100), (3, 100), (10_000, 1)])
def test_a_long_export_says_where_to_go_on_and_loses_nothing(
    most: int, looks: int, catalog: Catalog, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(3, catalog, session)
    monkeypatch.setattr(run_history, "AT_ONCE", 4)
    monkeypatch.setattr(run_history, "MOST", most)
    monkeypatch.setattr(run_history, "_LOOKS", looks)
    assert keys(exported(catalog, session)) == world.wanted()
    failed = [ExecutionStatus.FAILED]
    assert keys(exported(catalog, session, status=failed)) == world.wanted(*failed)


def test_what_runs_is_found_without_reading_all_that_failed(
    catalog: Catalog, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(60):
        at = START + timedelta(minutes=n)
        begun = catalog.executions.begin(
            "wiki", f"r{n:02}", run_at=at, at=at, trigger=Trigger.SCHEDULE
        )
        if n == 1:  # between two attempts, as the catalog has it
            session.add(airflow_run("wiki", "r01", at, "running"))
        if n:
            failure = Failure(error="x", hint="y", failure_class=FailureClass.SPACE)
            outcome = Outcome(status=ExecutionStatus.FAILED, failure=failure)
            catalog.executions.finish(begun, outcome, at=at)
    session.add(airflow_run("wiki", "r00", START, "success"))
    session.commit()
    tasks = {"r00": AirflowTask("skipped", 1), "r01": AirflowTask("up_for_retry", 1)}
    monkeypatch.setattr(
        reads,
        "_tasks",
        lambda session, keys: {key: {"backup": tasks[key[1]]} for key in keys if key[1] in tasks},
    )
    looks: list[int] = []
    look = run_history._Reader.look

    def counted(self: Any, **given: Any) -> Any:
        looks.append(1)
        return look(self, **given)

    monkeypatch.setattr(run_history._Reader, "look", counted)
    monkeypatch.setattr(run_history, "AT_ONCE", 4)
    open_ones = [each for each in STATUSES if not each.is_final]
    assert keys(exported(catalog, session, status=open_ones)) == [("wiki", "r01")]
    assert len(looks) == 1
    skipped = exported(catalog, session, status=[ExecutionStatus.SKIPPED])
    assert keys(skipped) == [("wiki", "r00")], "skipped in Airflow, and open in the catalog"


class Caller:
    """Somebody who starts runs, by a name that others may have too."""

    def __init__(self, number: str) -> None:
        self.user = SimpleNamespace(get_name=lambda: "ann", get_id=lambda: number)


def start(
    catalog: Catalog, session: Session, key: str, *, by: str = "1", note: str | None = None
) -> str:
    """Ask for a run; a new one is what `trigger_dag` would make."""
    row = cast("Row", SimpleNamespace(id="wiki"))
    return verbs.run(
        catalog, session, cast("Access", Caller(by)), row, RunRequest(note=note),
        now=START, from_page=False, key=key,
    )  # fmt: skip


def test_one_key_starts_one_run_whoever_is_late(
    catalog: Catalog, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []

    def trigger(session: Session, dag: str, *, run_id: str, conf: Any, **_: Any) -> DagRun:
        started.append(run_id)
        run = airflow_run("wiki", run_id, START, "success")
        run.conf = conf
        session.add(run)
        return run

    monkeypatch.setattr(changes, "_trigger", trigger)
    monkeypatch.setattr(verbs, "_check_runnable", lambda session, row: None)
    monkeypatch.setattr(DagRun, "note", None)
    first = start(catalog, session, "k", note="a")
    assert start(catalog, session, "k", note="a") == first
    with pytest.raises(Refused, match="another request"):
        start(catalog, session, "k", note="b")
    assert start(catalog, session, "k", by="2", note="b") != first, "another person of that name"
    # at the same moment: the second looked before the first had begun
    monkeypatch.setattr(verbs, "_was_started", lambda *_: False)
    assert start(catalog, session, "k", note="a") == first
    with pytest.raises(Refused, match="another request"):
        start(catalog, session, "k", note="b")
    monkeypatch.undo()
    # after `airflow db clean`
    session.query(DagRun).delete()
    session.commit()
    at = START
    catalog.executions.begin("wiki", first, run_at=at, at=at, trigger=Trigger.MANUAL, note="a")
    assert start(catalog, session, "k", note="a") == first
    with pytest.raises(Refused, match="another request"):
        start(catalog, session, "k", note="b")
    assert len(started) == 2


def test_a_table_begins_no_formula(catalog: Catalog, session: Session) -> None:
    World(2, catalog, session)
    (run, *_) = read(catalog, session)
    notes = ["=cmd|' /C calc'!A0", "+1", "@x", 'two\nlines, and "quotes"', "-"]
    written = as_csv(run.model_copy(update={"note": note, "bytes_read": 0}) for note in notes)
    lines = list(csv.DictReader(io.StringIO(written)))
    assert [line["note"] for line in lines] == [
        "'=cmd|' /C calc'!A0", "'+1", "'@x", "two\nlines, and \"quotes\"", "'-",
    ]  # fmt: skip
    assert tuple(lines[0]) == COLUMNS
    assert {line["bytes_read"] for line in lines} == {"0"}
    assert datetime.fromisoformat(lines[0]["since"]) == run.since


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    "text",
    ["=1", "+1", "-1", "@x", " =1", "\t=1", "\r=1", "\n=1", "\ufeff=1", "＝1", "a;=1;b", "a; =1",
     "a\t=1", "a\n=1\nb", "a\r\n@x", 'a";=1', "a;\n;=1"],
)  # fmt: skip
def test_no_cell_begins_a_formula_whatever_a_spreadsheet_divides_at(
    text: str, separator: str, catalog: Catalog, session: Session
) -> None:
    at = START
    catalog.executions.begin("wiki", "r", run_at=at, at=at, trigger=Trigger.MANUAL)
    (run,) = read(catalog, session)
    written = as_csv([run.model_copy(update={"note": text, "error": text, "reason": text})])
    for line in csv.reader(io.StringIO(written, newline=""), delimiter=separator):
        for cell in line:
            assert not cell.lstrip(" \t\r\n\0\ufeff").startswith(tuple("=+-@＝＋－＠")), (
                cell,
                line,
            )
    (only,) = csv.DictReader(io.StringIO(written, newline=""))
    assert only["note"].replace("'", "") == text


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "é",
        "A" * 999,
        cursor_of((START, "wiki", "a\0b")),
        base64.b64encode(b'["2026-11-29","a"]').decode(),
        "W10",
        "e30",
    ],
)
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(ValidationError, match="this is no cursor"):
        RunFilters(cursor=cursor)


@pytest.mark.parametrize("run_id", ["manual__1", "scheduled__2026-11-29T02:00:00+00:00", "ü/ ?&#"])
def test_a_cursor_stands_in_an_address(run_id: str) -> None:
    place = (START, "wiki", run_id)
    written = cursor_of(place)
    assert place_of(written) == place
    assert written.replace("-", "").replace("_", "").isalnum()
