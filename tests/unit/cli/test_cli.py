"""The command line: what it prints, and what a script can tell from its exit code."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.cli.arguments import catalog_url
from airflow_backup.cli.main import main
from airflow_backup.core.errors import NotFound

FILE = """\
version: 1
defaults: {repository: "file://FOLDER/repository", timezone: Europe/Berlin}
schedules:
  - id: notes
    source: {engine: files, path: FOLDER/notes}
    cron: "30 2 * * *"
    alert_after: 26h
  - id: shop
    source: {engine: sqlite, path: FOLDER/shop.db}
    levels: {full: "0 2 * * sun", incremental: "0 2 * * mon-sat"}
"""


class Shell:
    """Runs commands in a folder with its own schedules and catalog."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capture = folder, capture
        self.errors = ""

    def write(self, text: str) -> None:
        (self.folder / "schedules.yaml").write_text(text.replace("FOLDER", str(self.folder)))

    def __call__(self, *arguments: str) -> tuple[int, str]:
        try:
            code = main(arguments)
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        printed = self.capture.readouterr()
        self.errors = printed.err
        return code, printed.out

    def json(self, *arguments: str) -> Any:
        code, printed = self(*arguments, "--format", "json")
        assert code == 0, self.errors
        return json.loads(printed)


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.delenv("AIRFLOW__BACKUP__SCHEDULES_PATH", raising=False)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("hello")
    made = Shell(tmp_path, capsys)
    made.write(FILE)
    return made


def test_validate_says_that_all_is_well(shell: Shell) -> None:
    assert shell("validate") == (0, "2 schedules, no problems\n")


def test_validate_prints_problems_and_fails(shell: Shell) -> None:
    shell.write(FILE.replace("alert_after", "alert_aftr"))
    code, printed = shell("validate")
    assert code == 1
    assert printed == (
        "schedules.yaml:7:5: schedules.0.alert_aftr: unknown key `alert_aftr`\n"
        "    HINT: did you mean `alert_after`?\n"
        "1 problem: 1 of 2 schedules can run\n"
    )


def test_validate_as_json_and_as_annotations(shell: Shell) -> None:
    shell.write(FILE.replace("26h", "soon"))
    code, printed = shell("validate", "--format", "json")
    (problem,) = json.loads(printed)
    assert code == 1
    assert problem == {
        "file": "schedules.yaml",
        "line": 7,
        "column": 18,
        "path": "schedules.0.alert_after",
        "message": "'soon' is not a duration",
        "hint": "write for example 30s, 5m, 4h, 1h30m or 14d",
    }
    _, printed = shell("validate", "--format", "github")
    assert printed.startswith(
        "::error file=schedules.yaml,line=7,col=18,title=schedules.0.alert_after::"
    )


def test_next_shows_the_coming_runs_in_the_order_of_time(shell: Shell) -> None:
    code, printed = shell("next", "--count", "1", "--after", "2026-03-28T12:00:00+01:00")
    assert code == 0
    assert printed.splitlines() == [
        "WHEN                       SCHEDULE  KIND  STARTS",
        "Sun 2026-03-29 03:00 CEST  notes     full  at once",
        "Sun 2026-03-29 03:00 CEST  shop      full  at once",
    ]
    coming = shell.json("next", "shop", "--count", "2", "--after", "2026-03-28T12:00:00+01:00")
    assert [(run["at"], run["kind"]) for run in coming] == [
        ("2026-03-29T01:00:00Z", "full"),
        ("2026-03-30T00:00:00Z", "incremental"),
    ]


def test_list_shows_right_and_wrong_schedules(shell: Shell) -> None:
    shell.write(FILE.replace("26h", "soon"))
    code, printed = shell("list")
    assert code == 0
    assert printed.splitlines()[1].startswith("shop")
    assert printed.splitlines()[2].split() == [
        "notes",
        "wrong",
        "-",
        "schedules.yaml:4",
        "-",
        "airflow-backup",
        "validate",
    ]
    assert [(item["id"], item["state"]) for item in shell.json("list")] == [
        ("shop", "right"),
        ("notes", "wrong"),
    ]


def test_run_takes_a_backup_that_show_and_status_know(shell: Shell) -> None:
    facts = shell.json("run", "notes", "--note", "by hand")
    assert (facts["status"], facts["files"]) == ("completed", 2)
    assert (shell.folder / "repository/notes/sets" / facts["set_id"] / "manifest.json").is_file()
    shown = shell.json("show", "notes")
    assert [(run["set_id"], run["trigger"]) for run in shown["executions"]] == [
        (facts["set_id"], "command_line")
    ]
    notes, shop = shell.json("status")
    assert (notes["status"], notes["protection"], notes["last_good_set"]) == (
        "completed",
        "good",
        facts["set_id"],
    )
    assert (shop["status"], shop["protection"], shop["needs_attention"]) == (None, "never", False)
    assert shell("status", "--fail-if-stale")[0] == 0


def test_run_verifies_as_the_schedule_says(shell: Shell) -> None:
    facts = shell.json("run", "notes")
    assert [(each["level"], each["outcome"]) for each in facts["verified"]] == [
        ("standard", "passed")
    ]
    assert shell.json("status")[0]["verified"] == "standard"
    assert shell.json("run", "notes", "--no-verify")["verified"] == []
    assert shell.json("status")[0]["verified"] is None
    _, printed = shell("run", "notes")
    assert printed.splitlines()[-1] == "    standard verification: passed"


def test_text_output_reads_well(shell: Shell) -> None:
    _, printed = shell("run", "notes")
    assert printed.startswith("notes: set 2")
    assert "5 B read" in printed
    _, printed = shell("show", "notes")
    assert "engine: files" in printed
    assert "completed" in printed
    _, printed = shell("status")
    assert printed.splitlines()[1].split()[0] == "notes"


def test_status_fails_when_a_schedule_needs_attention(shell: Shell) -> None:
    assert shell("status", "--fail-if-stale")[0] == 0, "nothing is late on the first day"
    shell("run", "shop")
    code, printed = shell("status", "--fail-if-stale")
    assert code == 1
    assert "nothing was stored yet; the last run failed: " in printed


def test_status_says_of_a_wrong_schedule_that_nothing_runs(shell: Shell) -> None:
    shell("run", "notes")
    shell.write(FILE.replace("26h", "soon"))
    code, printed = shell("status", "--fail-if-stale")
    assert code == 1
    assert "rejected, and nothing runs: " in printed
    (wrong,) = (each for each in shell.json("status") if each["schedule"] == "notes")
    assert (wrong["protection"], wrong["needs_attention"]) == ("broken", True)


def test_a_failed_run_says_why_and_is_remembered(shell: Shell) -> None:
    code, _ = shell("run", "shop")
    assert code == 1
    assert shell.errors.startswith("airflow-backup: ")
    assert str(shell.folder / "shop.db") in shell.errors
    assert "HINT: " in shell.errors
    (execution,) = shell.json("show", "shop")["executions"]
    assert execution["status"] == "failed"
    assert not (shell.folder / "shop.db").exists()


def test_a_repository_that_cannot_be_written_is_named(shell: Shell) -> None:
    (shell.folder / "repository").write_text("in the way")
    code, _ = shell("run", "notes")
    assert code == 1
    assert str(shell.folder / "repository") in shell.errors
    assert (shell.folder / "repository").read_text() == "in the way"


WRONG = {
    "no such schedule": (("show", "note"), 3, "no schedule 'note'\nHINT: did you mean `notes`?"),
    "no such file": (("validate", "elsewhere.yaml"), 3, "no schedules file at elsewhere.yaml"),
    "no such command": (("valdate",), 2, "no command"),
    "bad count": (("next", "--count", "0"), 2, "0 is not between 1 and 1000"),
    "bad moment": (("next", "--after", "soon"), 2, "'soon' is not a moment"),
    "a catalog in no folder": (
        ("status", "--catalog", "sqlite:////nowhere/at/all.db"),
        1,
        "catalog",
    ),
}


@pytest.mark.parametrize(("arguments", "code", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_and_told_apart(
    shell: Shell, arguments: tuple[str, ...], code: int, message: str
) -> None:
    assert shell(*arguments)[0] == code
    assert message in shell.errors


def test_a_wrong_schedule_is_not_run(shell: Shell) -> None:
    shell.write(FILE.replace("26h", "soon"))
    assert shell("run", "notes")[0] == 1
    assert "schedule 'notes' is wrong\nschedules.yaml:7:18" in shell.errors
    assert not (shell.folder / "repository").exists()


def test_a_sqlite_database_is_read_without_being_made(shell: Shell) -> None:
    with sqlite3.connect(shell.folder / "shop.db") as shop:
        shop.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    shop.close()
    assert shell.json("run", "shop", "--kind", "full")["status"] == "completed"


def test_validate_proves_that_every_schedule_becomes_a_dag(shell: Shell) -> None:
    assert shell("validate", "--dags") == (0, "2 schedules, no problems\n")


def test_validate_names_a_schedule_without_a_dag(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "airflow_backup.cli.built_dags._built", lambda path: ["backup__notes", "backup__x"]
    )
    code, printed = shell("validate", "--dags")
    assert code == 1
    assert "schedules.yaml:8:1: schedules.shop: there is no DAG backup__shop" in printed
    assert "the DAG backup__x belongs to no schedule" in printed


def test_a_first_run_makes_the_place_of_the_catalog_and_a_look_does_not(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = shell.folder / "not" / "yet"
    monkeypatch.setenv("AIRFLOW_HOME", str(home))
    assert shell("status")[0] == 1
    assert f"HINT: mkdir -p {home}" in shell.errors
    assert not home.exists()
    assert shell("run", "notes")[0] == 0
    assert shell("status")[0] == 0


def test_the_catalog_is_the_one_that_airflow_uses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    assert catalog_url() == f"sqlite:///{tmp_path}/airflow_backup.db"
    (tmp_path / "airflow.cfg").write_text("[backup]\ncatalog_conn_id = backup_catalog\n")
    with pytest.raises(NotFound, match="Airflow's connection 'backup_catalog', which is not known"):
        catalog_url()
    monkeypatch.setenv("AIRFLOW_CONN_BACKUP_CATALOG", "postgres://me:s%40crit@db:5433/catalog")
    assert catalog_url() == "postgresql+psycopg://me:s%40crit@db:5433/catalog"
    assert catalog_url("sqlite:////other.db") == "sqlite:////other.db"
    monkeypatch.setenv("AIRFLOW__BACKUP__CATALOG_CONN_ID", "other")
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", f"sqlite:///{tmp_path}/x.db")
    assert catalog_url().endswith("x.db")


def test_validate_names_what_other_machines_do_not_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    file = tmp_path / "schedules.yaml"
    file.write_text(
        "version: 1\nschedules:\n"
        "  - {id: a, source: {engine: files, path: /srv}, repository: 'file:///b', preset: daily}\n"
    )
    assert main(["validate", str(file)]) == 0
    assert "machine" not in capsys.readouterr().out
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    assert main(["validate", str(file)]) == 0
    printed = capsys.readouterr().out
    assert (
        "schedules.yaml:3:1: schedules.a: the repository of a is a folder of whichever" in printed
    )
    assert "the catalog is a SQLite file, and CeleryExecutor sends tasks" in printed
