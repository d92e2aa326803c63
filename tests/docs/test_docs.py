"""The documentation is true: its examples run, its pages are those the code makes, nothing is left out."""

from __future__ import annotations

import filecmp
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from airflow_backup.actions.backup.backup import Run, backup
from airflow_backup.catalog import Catalog
from airflow_backup.cli import exit_codes
from airflow_backup.cli.main import parser
from airflow_backup.core.connections import from_environment
from airflow_backup.plugin.provider_info import get_provider_info
from airflow_backup.schedules.loading.loader import parse
from airflow_backup.schedules.model.policies import Levels, Retention, Retry, Verify
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.model.windows import Window
from airflow_backup.schedules.schema.json_schema import json_schema
from airflow_backup.schedules.schema.reference import markdown

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in one language, without their indentation."""
    found = re.findall(
        rf"^( *)```{language}\n(.*?)^\1```$", page.read_text(), re.MULTILINE | re.DOTALL
    )
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


def test_the_schedules_of_the_readme_are_valid() -> None:
    (text,) = blocks(ROOT / "README.md", "yaml")
    loaded = parse(text)
    assert loaded.problems == []
    assert [item.schedule.id for item in loaded.schedules] == ["wiki", "shop"]


@pytest.mark.parametrize("name", ["schedules.md", "schedules.schema.json"])
def test_the_reference_is_what_the_model_says(name: str) -> None:
    made = (
        markdown()
        if name.endswith(".md")
        else json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    )
    assert (DOCS / "reference" / name).read_text() == made, "run scripts/reference"


MODELS: tuple[type[BaseModel], ...] = (Schedule, Retry, Retention, Verify, Levels, Window)
KEYS = [(model, key) for model in MODELS for key in model.model_fields]


@pytest.mark.parametrize(
    ("model", "key"), KEYS, ids=[f"{model.__name__}.{key}" for model, key in KEYS]
)
def test_every_key_of_the_schedules_file_says_what_it_is(model: type[BaseModel], key: str) -> None:
    name = model.model_fields[key].alias or key
    assert json_schema()["$defs"][model.__name__]["properties"][name]["description"]
    assert f"| `{name}` |" in (DOCS / "reference" / "schedules.md").read_text()


def test_every_part_of_the_schedules_file_has_a_section() -> None:
    page = (DOCS / "reference" / "schedules.md").read_text()
    sections = {
        re.sub(r"[^\w-]", "", line.lower().replace(" ", "-"))
        for line in re.findall(r"^## (.*)$", page, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= sections


def test_every_command_and_exit_code_is_documented() -> None:
    page = (DOCS / "reference" / "commands.md").read_text()
    (commands,) = (action for action in parser()._actions if getattr(action, "choices", None))
    assert isinstance(commands.choices, dict)
    for command in commands.choices:
        assert f"`airflow-backup {command}" in page
    codes: dict[str, Any] = {
        name: code for name, code in vars(exit_codes).items() if name.isupper()
    }
    for code in codes.values():
        assert f"\n| {code} |" in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.skipif(shutil.which("zstd") is None, reason="needs zstd")
def test_a_set_is_restored_by_hand_as_documented(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "a.txt").write_text("hello\n" * 1000)
    (source / "deep" / "link").symlink_to("a.txt")
    with sqlite3.connect(tmp_path / "bank.db") as bank:
        bank.execute("CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER)")
        bank.executemany("INSERT INTO accounts (balance) VALUES (?)", ((1000,) for _ in range(500)))
    bank.close()
    store(tmp_path, "documents", {"engine": "files", "path": str(source)})
    store(tmp_path, "bank", {"engine": "sqlite", "path": str(tmp_path / "bank.db")})

    script = "set -euo pipefail\n" + "\n".join(
        blocks(DOCS / "how-to" / "restore-by-hand.md", "bash")
    )
    places = {"REPOSITORY": str(tmp_path / "repository"), "TARGET": str(target)}
    done = subprocess.run(
        ["bash", "-c", script], env=os.environ | places, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("all pieces are as they were written")
    compared = filecmp.dircmp(source, target)
    assert (compared.left_only, compared.right_only) == ([], ["bank.db"])
    assert (target / "deep" / "link").readlink() == Path("a.txt")
    assert (target / "deep" / "a.txt").stat().st_mtime_ns == (
        source / "deep" / "a.txt"
    ).stat().st_mtime_ns
    restored = sqlite3.connect(target / "bank.db")
    assert restored.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert restored.execute("SELECT count(*), sum(balance) FROM accounts").fetchall() == [
        (500, 500_000)
    ]
    restored.close()


def store(folder: Path, identifier: str, source: dict[str, str]) -> None:
    """Take one backup into the test's own repository."""
    schedule = Schedule.model_validate(
        {
            "id": identifier,
            "source": source,
            "repository": f"file://{folder}/repository",
            "preset": "daily",
        }
    )
    now = datetime.now(UTC)
    with Catalog.open(f"sqlite:///{folder}/catalog.db") as catalog:
        backup(
            schedule,
            Run("r1", now),
            catalog=catalog,
            connections=from_environment,
            clock=lambda: now,
        )


def git(folder: Path, *arguments: str) -> None:
    """Run git in a temporary repository."""
    identity = [
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@example.org",
        "-c",
        "init.defaultBranch=main",
    ]
    subprocess.run(
        ["git", *identity, "-C", str(folder), *arguments], check=True, capture_output=True
    )


def test_the_workflow_of_the_documentation_works_in_a_temporary_repository(tmp_path: Path) -> None:
    workflow = next(
        found
        for found in map(yaml.safe_load, blocks(DOCS / "how-to" / "ci.md", "yaml"))
        if isinstance(found, dict) and "jobs" in found
    )
    steps = {
        step["name"]: step["run"]
        for step in workflow["jobs"]["schedules"]["steps"]
        if "name" in step
    }
    before = blocks(ROOT / "README.md", "yaml")[0]
    (tmp_path / "dags").mkdir()
    file = tmp_path / "dags" / "schedules.yaml"
    file.write_text(before)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    git(tmp_path, "update-ref", "refs/remotes/origin/main", "HEAD")

    def run(step: str) -> subprocess.CompletedProcess[str]:
        script = steps[step].replace(
            "airflow-backup ", f"{sys.executable} -m airflow_backup.cli.main "
        )
        places = {"GITHUB_BASE_REF": "main", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            cwd=tmp_path,
            env=os.environ | places,
            capture_output=True,
            text=True,
            check=False,
        )

    assert run("validate").returncode == 0
    file.write_text(before.replace("preset: hourly", "every: 30m"))
    changed = run("show what changes")
    assert changed.returncode == 0, changed.stderr
    assert changed.stdout.startswith("~ shop: changed\n")
    assert (tmp_path / "summary.md").read_text() == changed.stdout
    file.write_text(before.replace("preset: hourly", "presett: hourly"))
    refused = run("validate")
    assert refused.returncode == 1
    assert refused.stdout.startswith("::error file=dags/schedules.yaml,line=")
    assert run("show what changes").returncode == 1


def test_every_option_is_documented() -> None:
    page = (DOCS / "reference" / "configuration.md").read_text()
    for option in get_provider_info()["config"]["backup"]["options"]:
        assert f"| `{option}` |" in page
