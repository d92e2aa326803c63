"""A look that a person asked for: only with a ticket, within the fence, and answered to that person alone."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import Ticket
from airflow_backup.core.errors import Refused
from airflow_backup.dags import generate
from airflow_backup.operators import asked as asked_module
from airflow_backup.operators.asked import MOST, AskedOperator
from airflow_backup.operators.backup import BackupOperator
from airflow_backup.schedules.model.schedule import Schedule

FILE = """\
version: 1
schedules:
  - id: mine
    source: {engine: files, path: FOLDER/data}
    repository: file://FOLDER/repository
    preset: daily
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Airflow's home, with a schedule that has a set."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "a.txt").write_text("hello")
    (tmp_path / "data" / "deep" / "b.pdf").write_text("12")
    (tmp_path / "data" / os.fsdecode(b"caf\xe9")).write_text("x")
    (tmp_path / "schedules.yaml").write_text(FILE.replace("FOLDER", str(tmp_path)))
    generate({"__file__": str(tmp_path / "backup_dags.py")})
    return tmp_path


def definition(home: Path, **more: Any) -> dict[str, Any]:
    return {
        "id": "typed",
        "source": {"engine": "files", "path": f"{home}/data"},
        "repository": f"file://{home}/repository",
        "preset": "daily",
    } | more


def stored(home: Path) -> str:
    given = definition(home, id="mine")
    task = BackupOperator.of(Schedule.model_validate(given), task_id="backup")
    return str(task.execute(context("backup"))["set_id"])


def context(run_id: str) -> Any:
    run = SimpleNamespace(
        run_id=run_id, run_type="manual", logical_date=None, run_after=datetime.now(UTC), conf={}
    )
    return {"dag_run": run, "ti": SimpleNamespace(try_number=1)}


def catalog_of(home: Path) -> Catalog:
    return Catalog.open(f"sqlite:///{home}/airflow_backup.db")


def ask(home: Path, *, schedule: str = "mine", run_id: str = "r1", **request: Any) -> Ticket:
    """Ask, as the API does; let the run answer; return what the person sees."""
    request |= {"place": "backup_ask"}
    with catalog_of(home) as catalog:
        catalog.tickets.issue(run_id, "ask", schedule, request, person="ann", at=datetime.now(UTC))
    AskedOperator(task_id="ask").execute(context(run_id))
    with catalog_of(home) as catalog:
        found = catalog.tickets.asked_by("ann", run_id, now=datetime.now(UTC))
        assert catalog.tickets.asked_by("bob", run_id, now=datetime.now(UTC)) is None
    assert found is not None
    return found


def answer(ticket: Ticket) -> dict[str, Any]:
    assert ticket.answer is not None
    return dict(ticket.answer)


def test_what_is_in_a_set(home: Path) -> None:
    set_id = stored(home)
    found = answer(ask(home, what="contents", set_id=set_id, folder="", find=None))["found"]
    entries = {each["name"]: each for each in found["entries"]}
    assert (found["set_id"], found["total"]) == (set_id, 3)
    assert entries["a.txt"] | {"modified": None} == {
        "path": "a.txt",
        "name": "a.txt",
        "kind": "file",
        "size": 5,
        "files": None,
        "modified": None,
        "rows": None,
        "restorable": True,
    }
    assert (entries["deep"]["size"], entries["deep"]["files"]) == (2, 1)
    assert not entries[r"caf\udce9"]["restorable"]  # it cannot be sent back as it is
    found = answer(ask(home, run_id="r2", what="contents", set_id=set_id, folder="", find="*.pdf"))[
        "found"
    ]
    assert [each["path"] for each in found["entries"]] == ["deep/b.pdf"]


def test_what_is_wrong_is_the_answer_and_the_task_ends_well(home: Path) -> None:
    set_id = stored(home)
    told = answer(ask(home, what="contents", set_id=set_id, folder="nope", find=None))
    assert told["problem"]["message"] == "there is no 'nope' in the set"
    (home / "repository").rename(home / "elsewhere")
    told = answer(ask(home, run_id="r2", what="contents", set_id=set_id, folder="", find=None))
    assert "repository" in told["problem"]["message"]


def test_a_fault_of_ours_is_told_without_its_words(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: Any, **more: Any) -> None:
        raise ZeroDivisionError("row 7 of clients says s3cret")

    monkeypatch.setattr(asked_module, "dry_run", fail)
    with pytest.raises(ZeroDivisionError):
        ask(home, what="dry_run")
    with catalog_of(home) as catalog:
        found = catalog.tickets.asked_by("ann", "r1", now=datetime.now(UTC))
    assert found is not None
    assert answer(found)["problem"]["message"] == "the look failed with a ZeroDivisionError"


def test_an_answer_is_never_large(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(MOST + 5):
        (home / "data" / f"f{number}").touch()
    set_id = stored(home)
    found = answer(ask(home, what="contents", set_id=set_id, folder="", find=None))["found"]
    assert (len(found["entries"]), found["total"]) == (MOST, MOST + 8)
    monkeypatch.setattr(asked_module, "MOST_BYTES", 100)
    found = answer(ask(home, run_id="r2", what="contents", set_id=set_id, folder="", find=None))
    assert 0 < len(found["found"]["entries"]) < 10


def test_what_a_run_would_do_of_what_is_saved_and_of_what_is_typed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = answer(ask(home, what="dry_run", kind="full"))["found"]
    assert (found["files"], found["bytes_read"], found["problems"]) == (3, 8, [])
    monkeypatch.setenv("AIRFLOW__BACKUP__SOURCE_ROOTS", str(home))
    monkeypatch.setenv("AIRFLOW__BACKUP__REPOSITORY_ROOTS", str(home))
    typed = ask(home, run_id="r2", schedule="typed", what="dry_run", definition=definition(home))
    assert answer(typed)["found"]["bytes_read"] == 8
    missing = definition(home, source={"engine": "files", "path": f"{home}/nope"})
    typed = ask(home, run_id="r3", schedule="typed", what="dry_run", definition=missing)
    (problem,) = answer(typed)["found"]["problems"]
    assert problem["message"] == f"cannot read '{home}/nope': no such file or directory"
    assert not (home / "repository").exists()


@pytest.mark.parametrize("part", ["source", "repository", "link"])
def test_what_is_typed_is_looked_at_within_the_fence_alone(
    home: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "open").mkdir()
    (home / "open" / "link").symlink_to(home / "data")
    monkeypatch.setenv("AIRFLOW__BACKUP__SOURCE_ROOTS", f"{home}/open")
    monkeypatch.setenv("AIRFLOW__BACKUP__REPOSITORY_ROOTS", f"{home}/open")
    paths = {"source": f"{home}/open", "repository": f"{home}/open/repository"}
    if part == "link":
        paths["source"] = f"{home}/open/link"
    else:
        paths[part] = f"{home}/data"
    typed = definition(
        home,
        source={"engine": "files", "path": paths["source"]},
        repository=f"file://{paths['repository']}",
    )
    told = answer(ask(home, schedule="typed", what="dry_run", definition=typed))
    assert "problem" in told
    assert "a.txt" not in str(told)


def test_without_a_ticket_nothing_is_looked_at(home: Path) -> None:
    given = context("r1")
    given["dag_run"].conf = {"what": "dry_run", "definition": definition(home)}
    with pytest.raises(Refused, match="nobody was allowed to start this look"):
        AskedOperator(task_id="ask").execute(given)
    ask(home, what="dry_run", run_id="r2")
    with pytest.raises(Refused, match="carried out already"):
        AskedOperator(task_id="ask").execute(context("r2"))
    with catalog_of(home) as catalog:
        request = {"set_id": None, "target": "copy"}
        catalog.tickets.issue("r3", "restore", "mine", request, person="ann", at=datetime.now(UTC))
    with pytest.raises(Refused, match="it has no ticket"):
        AskedOperator(task_id="ask").execute(context("r3"))


def test_an_answer_is_kept_for_a_day(home: Path) -> None:
    ask(home, what="dry_run")
    later = datetime.now(UTC) + timedelta(days=2)
    with catalog_of(home) as catalog:
        assert catalog.tickets.asked_by("ann", "r1", now=later) is None
        catalog.tickets.issue("r2", "ask", "mine", {}, person="ann", at=later)
        assert catalog.tickets.asked_by("ann", "r1", now=datetime.now(UTC)) is None
