"""The first minutes, as the README and the page on other tools have them: typed in, and true."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from airflow_backup.cli.main import main, parser
from airflow_backup.schedules.loading.loader import parse

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "move-here.md"


def blocks(page: Path, language: str) -> list[str]:
    found = re.findall(
        rf"^( *)```{language}\n(.*?)^\1```$", page.read_text(), re.MULTILINE | re.DOTALL
    )
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


def typed(page: Path) -> list[list[str]]:
    """The commands of a page that are ours, as words."""
    lines = "".join(blocks(page, "console")).replace("\\\n", " ").splitlines()
    found = [line.removeprefix("$ ").rpartition("| ")[2] for line in lines]
    words = [shlex.split(line, comments=True) for line in found]
    return [each[1:] for each in words if each[:1] == ["airflow-backup"]]


def test_the_readme_leads_from_nothing_to_a_file_that_came_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wiki").mkdir()
    (tmp_path / "wiki" / "page.txt").write_text("hello")
    commands = typed(ROOT / "README.md")
    answers = ["files", str(tmp_path / "wiki"), "", "", "sometimes", "daily", ""]
    told = asked(tmp_path, commands[0], answers)
    assert "'sometimes' is neither a preset" in told
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    steps = [each for each in commands if each[0] in ("validate", "next", "run", "restore")]
    assert [each[0] for each in steps] == ["validate", "next", "run", "restore"]
    for words in steps:
        assert main(words) == 0, words
    assert (tmp_path / "restored" / "page.txt").read_text() == "hello"
    assert {each.name for each in (tmp_path / "dags").iterdir()} == {
        *("schedules.yaml", "backup_dags.py", "schedule_errors.py")
    }


def asked(folder: Path, words: list[str], answers: list[str]) -> str:
    """Run a command for a person at a terminal; return what that showed."""
    terminal, ours = pty.openpty()
    os.write(terminal, "".join(f"{each}\n" for each in answers).encode())
    done = subprocess.run(
        [sys.executable, "-m", "airflow_backup.cli.main", *words],
        cwd=folder,
        env={**os.environ, "HOME": str(folder)},
        stdin=ours,
        stderr=ours,
        stdout=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    os.close(ours)
    shown = os.read(terminal, 65536).decode()
    os.close(terminal)
    assert done.returncode == 0, shown
    return shown


def test_who_ends_the_input_gets_nothing_written(tmp_path: Path) -> None:
    terminal, ours = pty.openpty()
    os.write(terminal, b"files\n\x04")
    done = subprocess.run(
        [sys.executable, "-m", "airflow_backup.cli.main", "setup"],
        cwd=tmp_path,
        stdin=ours,
        stderr=ours,
        check=False,
        timeout=60,
    )
    shown = os.read(terminal, 65536).decode()
    assert done.returncode == 1
    assert "no answer; nothing was written" in shown
    assert list(tmp_path.iterdir()) == []


def test_every_command_of_the_page_can_be_typed() -> None:
    commands = typed(PAGE)
    assert len(commands) > 4
    for words in commands:
        assert parser().parse_args(words).run


def test_the_example_of_the_page_is_what_comes_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (crontab,), (wanted,) = blocks(PAGE, "crontab"), blocks(PAGE, "yaml")
    (tmp_path / "crontab").write_text(crontab)
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    assert main(["setup", "--from", str(tmp_path / "crontab"), "--print"]) == 0
    head, _, made = capsys.readouterr().out.partition("version: 1")
    assert f"version: 1{made}" == wanted
    assert "curl was not carried over" in head
    assert parse(wanted).problems == []
    assert len(yaml.safe_load(wanted)["schedules"]) == 2


@pytest.mark.parametrize("place", ["a file", "a variable"])
def test_the_password_of_a_connection_is_asked_for(tmp_path: Path, place: str) -> None:
    file, variable = blocks(PAGE, "bash")
    secret = "s:cr\\et' \"0"
    airflow = 'airflow() { stat -c %a "$3" >&2; cat "$3"; }'
    show = "printenv AIRFLOW_CONN_POSTGRES_DB_EXAMPLE_ORG"
    script = f"{airflow}\n{file}" if place == "a file" else f"{variable}\n{show}"
    done = subprocess.run(
        ["bash", "-ec", script],
        cwd=tmp_path,
        input=f"{secret}\n",
        start_new_session=True,  # no terminal: then Python asks on the standard input
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    found = found["postgres_db_example_org"] if place == "a file" else found
    assert found["password"] == secret
    assert ("600" in done.stderr) == (place == "a file")
    assert list(tmp_path.iterdir()) == []
