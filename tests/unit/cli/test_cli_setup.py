"""`airflow-backup setup`: what other tools say becomes schedules that are right, run, and hold no password."""

from __future__ import annotations

import io
import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_backup.cli.main import main
from support.foreign import CANARY, copied

EXAMPLES = {
    "crontab": ["crontab"],
    "borgmatic": ["borgmatic.yaml"],
    "restic": ["restic.sh", "restic.cron"],
    "pgbackrest": ["pgbackrest.conf", "pgbackrest.cron"],
    "airflow": ["connections.json"],
    "airflow as YAML": ["connections.yaml"],
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with data in it, of a person who is nobody special."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    monkeypatch.setenv("TZ", "Europe/Berlin")
    monkeypatch.delenv("AIRFLOW__BACKUP__SCHEDULES_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    for name in ("wiki/cache/x", "wiki/a.txt", "wiki/b.tmp", "wiki/c.bak", "wiki/deep/cache/y"):
        write(tmp_path / name)
    for name in (
        "my docs/d.txt",
        "my docs/drafts/e",
        "my docs/deep/drafts/f",
        "my docs/left-out/g",
    ):
        write(tmp_path / name)
    for name in ("logs/app.log", "logs/app/deep.log", "logs/other.log", "old copies/x.dump"):
        write(tmp_path / name)
    (tmp_path / "left-out.txt").write_text("# what is not needed\nleft-out/\n\n")
    with sqlite3.connect(tmp_path / "shop.db") as shop:
        shop.execute("CREATE TABLE orders (n INTEGER)")
        shop.executemany("INSERT INTO orders VALUES (?)", ((n,) for n in range(500)))
    shop.close()
    return tmp_path


def write(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"this is {path.name}")


def take_over(home: Path, *names: str, options: tuple[str, ...] = ()) -> dict[str, Any]:
    """Copy the files of another tool into the home folder, read them, and return the schedules by id."""
    filled = {"HOST": "127.0.0.1", "PORT": "5432", "USER": "keeper"}
    copied("borgmatic-common.yaml", home)
    words = [word for name in names for word in ("--from", str(copied(name, home, **filled)))]
    assert main(["setup", *words, "--to", "made", *options]) == 0
    return schedules(home)


def schedules(home: Path) -> dict[str, Any]:
    found = yaml.safe_load((home / "made" / "schedules.yaml").read_text())
    return {each["id"]: each for each in found["schedules"]}


def stored(folder: Path) -> list[str]:
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


def run_and_restore(home: Path, identifier: str) -> Path:
    where = ["--schedules", str(home / "made" / "schedules.yaml")]
    assert main(["run", identifier, *where]) == 0
    assert main(["restore", identifier, "--to", f"back-{identifier}", *where]) == 0
    return home / f"back-{identifier}"


@pytest.mark.parametrize("names", EXAMPLES.values(), ids=EXAMPLES)
def test_what_is_made_is_right_has_comments_and_holds_no_password(
    home: Path, names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert take_over(home, *names)
    told = capsys.readouterr()
    made = (home / "made" / "schedules.yaml").read_text()
    for text in (told.out, told.err, made):
        assert CANARY not in text
    assert "not carried over" in made.lower() or "were not copied" in made
    assert made.count("#") > 5
    assert main(["validate", str(home / "made" / "schedules.yaml")]) == 0
    assert capsys.readouterr().out.endswith("no problems\n")
    assert "generate(globals())" in (home / "made" / "backup_dags.py").read_text()
    assert "report_errors(globals())" in (home / "made" / "schedule_errors.py").read_text()


def test_a_crontab_is_taken_over_line_by_line(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = take_over(home, "crontab")
    told = capsys.readouterr().out
    assert {name: (each.get("cron"), each.get("preset")) for name, each in found.items()} == {
        "bank": ("30 2 * * *", None),
        "wiki": ("0 0 * * 0", None),
        "my-docs": ("15 4 * * sun,wed", None),
        "shop": ("5 1 * * 1-5", None),
        "crm": ("0 3 * * *", None),
        "web-shop": ("0 3 * * *", None),
        "wiki-2": ("10 3 * * 6", None),
        "bank-2": (None, "daily"),
        "db2": ("0 6 1 */3 *", None),
    }
    assert found["wiki"]["source"] == {
        "engine": "files",
        "path": str(home / "wiki"),
        "exclude": ["**/wiki/cache", "*.tmp", "/cache"],
    }
    assert found["my-docs"]["source"]["exclude"] == ["/drafts", "node_modules/"]
    assert found["web-shop"]["source"]["database"] == "web shop"
    assert found["db2"]["jitter"] == "30m"
    # only what find removes: the others are kept for ever, as they were
    assert [name for name, each in found.items() if "retention" in each] == ["bank"]
    assert found["bank"]["retention"] == {"within": "15d"}
    for line, words in {
        18: "starts check-raid.sh",
        19: "@reboot",
        20: "the minute '61' is not possible",
        21: "this line cannot be read",
    }.items():
        assert any(f"crontab, line {line}: " in each and words in each for each in told.split("\n"))
    assert "curl was not carried over" in told
    assert "crontab, line 4: MAILTO is not carried over" in told
    assert "it@example.org" not in told
    assert "timezone: Europe/Vienna" in (home / "made" / "schedules.yaml").read_text()


def test_the_folders_and_databases_of_a_crontab_come_back(home: Path) -> None:
    take_over(home, "crontab")
    assert stored(run_and_restore(home, "wiki")) == ["a.txt", "c.bak", "deep/cache/y"]
    back = run_and_restore(home, "my-docs")
    assert stored(back) == ["d.txt", "deep/drafts/f", "left-out/g"]
    assert (back / "d.txt").read_text() == (home / "my docs" / "d.txt").read_text()
    assert orders(run_and_restore(home, "shop") / "shop.db") == orders(home / "shop.db")


def orders(path: Path) -> list[Any]:
    opened = sqlite3.connect(path)
    try:
        return opened.execute("SELECT n FROM orders ORDER BY n").fetchall()
    finally:
        opened.close()


def test_borgmatic_is_taken_over_with_what_it_includes(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = take_over(home, "borgmatic.yaml")
    told = capsys.readouterr().out
    assert list(found) == [
        *("wiki", "my-docs", "logs", "no-such-folder-of-mine"),
        *("bank", "postgres", "crm", "shop"),
    ]
    assert all(
        each["retention"] == {"monthly": 6, "daily": 7, "weekly": 4} for each in found.values()
    )
    assert found["bank"]["source"]["connection"] == found["postgres"]["source"]["connection"]
    for what in (
        *("keep_13weekly", "before_backup, commands", "healthchecks, ntfy", "mongodb_databases"),
        *("exclude_caches, one_file_system", "several repositories", "borg encrypts"),
        *("repository is not adopted", "when it runs was not said", "regular expressions"),
    ):
        assert what in told, what
    assert stored(run_and_restore(home, "wiki")) == ["a.txt"]
    assert stored(run_and_restore(home, "my-docs")) == ["d.txt", "left-out/g"]
    assert stored(run_and_restore(home, "logs")) == ["app.log", "app/deep.log"]
    assert orders(run_and_restore(home, "shop") / "shop.db") == orders(home / "shop.db")


def test_a_script_with_restic_runs_when_a_crontab_starts_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = take_over(home, "restic.sh", "restic.cron")
    told = capsys.readouterr().out
    assert list(found) == ["wiki", "my-docs", "logs", "bank", "one", "two"]
    assert {each["cron"] for each in found.values()} == {"17 3 * * *"}
    assert found["wiki"]["retention"] == {"last": 3, "daily": 14, "weekly": 8, "within": "30d10h"}
    assert "retention" not in found["bank"]
    for what in (
        *("/no/such/list", "--one-file-system", "--keep-tag", "--iexclude", "curl", "mail"),
        *("restic saves what another program writes", "another file is read there"),
    ):
        assert what in told, what
    assert stored(run_and_restore(home, "wiki")) == ["a.txt", "c.bak", "deep/cache/y"]
    assert "left-out/g" not in stored(run_and_restore(home, "my-docs"))


def test_pgbackrest_becomes_physical_sets_with_its_levels(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = take_over(home, "pgbackrest.conf", "pgbackrest.cron")
    told = capsys.readouterr().out
    assert found["bank"]["source"]["method"] == "physical"
    assert found["bank"]["levels"] == {
        "full": "30 06 * * 0",
        "differential": "30 06 * * 1-6",
        "incremental": "0 */4 * * *",
    }
    assert found["bank"]["retention"] == {"min_chains": 2, "max_age": "1d"}
    assert found["history"]["retention"] == {"within": "30d"}
    assert "--conn-host /var/run/postgresql" in told
    for what in (
        "archives WAL",
        "passphrase was not copied",
        "backup-standby",
        "only pg1",
        "several",
    ):
        assert what in told, what


def test_the_connections_of_an_airflow_become_schedules(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = take_over(home, "connections.json", options=("--when", "weekly", "--keep", "last: 4"))
    told = capsys.readouterr().out
    assert {name: each["source"].get("connection") for name, each in found.items()} == {
        "bank_db": "bank_db",
        "crm-old": "CRM (old)",
        "crm-old-2": "crm-old",
        "shop": "shop",
        "wiki": None,
        "s-2fa": "2fa",
        "mull": "müll",
    }
    assert all(each["preset"] == "weekly" for each in found.values())
    assert all(each["retention"] == {"last": 4} for each in found.values())
    assert "s3 (aws), web (https), slack (slackwebhook)" in told
    assert "inbox (names no folder)" in told
    assert "'half' cannot be read" in told
    assert "b.tmp" in stored(run_and_restore(home, "wiki"))


def test_a_sqlite_connection_runs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_SHOP", json.dumps({"conn_type": "sqlite", "host": str(home / "shop.db")})
    )
    take_over(home, "connections.yaml")
    assert orders(run_and_restore(home, "shop") / "shop.db") == orders(home / "shop.db")


@pytest.mark.parametrize(
    "there", ["schedules.yaml", "backup_dags.py", "schedule_errors.py", "schedules"]
)
@pytest.mark.parametrize("how", ["file", "dead link"])
def test_nothing_is_written_over_nor_beside_what_is_there(
    home: Path, there: str, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "made").mkdir()
    if how == "file":
        (home / "made" / there).write_text("mine")
    else:
        (home / "made" / there).symlink_to("nowhere")
    assert main(["setup", "--files", "wiki", "--to", "made"]) == 1
    assert [each.name for each in (home / "made").iterdir()] == [there]
    told = capsys.readouterr().err
    assert f"there is already {there}" in told
    assert "--to another folder; or --print" in told
    assert main(["setup", "--files", "wiki", "--to", "made", "--print"]) == 0
    assert "path: " in capsys.readouterr().out


def test_a_folder_that_may_not_be_written_keeps_nothing_half(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from airflow_backup.schedules.setup import writing

    monkeypatch.setattr(writing, "DAG_FILES", {"no/such/folder.py": "x"})
    assert main(["setup", "--files", "wiki", "--to", "made"]) == 1
    assert list((home / "made").iterdir()) == []
    assert "cannot write into made: no such file" in capsys.readouterr().err


def test_without_a_terminal_and_without_options_it_says_what_to_write(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert main(["setup"]) == 2
    assert "HINT: --files PATH" in capsys.readouterr().err
    assert not (home / "schedules.yaml").exists()


def test_options_are_enough_for_a_script(home: Path) -> None:
    words = ["setup", "--files", "wiki", "--sqlite", "shop.db", "--postgres", "bank_db/bank"]
    words += ["--repository", "vault", "--when", "@daily", "--keep", "within: 2d", "--to", "made"]
    assert main([*words, "--timezone", "Asia/Tokyo"]) == 0
    found = schedules(home)
    assert found["shop"]["source"] == {"engine": "sqlite", "path": str(home / "shop.db")}
    assert found["bank"]["source"] == {
        "engine": "postgres",
        "connection": "bank_db",
        "database": "bank",
    }
    assert all(each["cron"] == "0 0 * * *" for each in found.values())
    text = (home / "made" / "schedules.yaml").read_text()
    assert f"repository: file://{home}/vault" in text
    assert "timezone: Asia/Tokyo" in text


def test_a_repository_inside_the_source_is_left_out(home: Path) -> None:
    assert main(["setup", "--files", ".", "--to", "made", "--repository", "my [old] sets"]) == 0
    (found,) = schedules(home).values()
    assert found["source"]["exclude"] == ["/my \\[old] sets/"]
    run_and_restore(home, found["id"])
    back = run_and_restore_again(home, found["id"])
    assert not any(each.startswith("my [old] sets") for each in stored(back))


def run_and_restore_again(home: Path, identifier: str) -> Path:
    where = ["--schedules", str(home / "made" / "schedules.yaml")]
    assert main(["restore", identifier, "--to", "again", *where]) == 0
    return home / "again"


@pytest.mark.parametrize(
    ("words", "problem"),
    {
        "no such time": (["--when", "sometimes"], "'sometimes' is neither a preset"),
        "no such rule": (["--keep", "dayly: 7"], "did you mean `daily`"),
        "no rules": (["--keep", "{"], "does not say how long"),
        "no such zone": (["--timezone", "Mars/Base"], "'Mars/Base' is not a timezone"),
        "no such storage": (["--repository", "ftp://x/y"], "no storage 'ftp'"),
        "a password": (["--repository", "s3://me:pw@x/y"], "credentials belong into"),
    }.values(),
)
def test_a_wrong_answer_is_named_and_nothing_is_written(
    home: Path, words: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["setup", "--files", "wiki", "--to", "made", *words]) == 1
    assert problem in capsys.readouterr().err
    assert not (home / "made").exists()


def test_the_standard_input_is_read_and_the_file_printed(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = io.TextIOWrapper(io.BytesIO(b"5 4 * * * tar czf /x/etc.tgz /etc\r\n"))
    monkeypatch.setattr(sys, "stdin", given)
    assert main(["setup", "--from", "-", "--print"]) == 0
    told = capsys.readouterr()
    assert yaml.safe_load(told.out)["schedules"][0]["cron"] == "5 4 * * *"
    assert "its old copies in /x stay" in told.err
    assert list(home.glob("*.yaml")) == []


def test_init_where_nothing_is_yet_points_here_and_makes_nothing(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(home.iterdir())
    assert main(["init"]) == 3
    assert "the first one is written by airflow-backup setup" in capsys.readouterr().err
    assert [each for each in home.iterdir() if each not in before] in ([], [home / "airflow"])
    assert main(["setup", "--files", "wiki", "--repository", "vault", "--to", "."]) == 0
    assert main(["init"]) == 0
    assert f"file://{home}/vault: made" in capsys.readouterr().out
