"""
What a message leads to is there: topics of `airflow-backup help`, the page of messages, and the pages' own examples.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from airflow_backup.cli.main import parser
from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.installed.topics import readable, topics
from airflow_backup.schedules.loading.loader import parse

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
ROOMS = (
    "actions",
    "catalog",
    "cli",
    "core",
    "dags",
    "engines",
    "operators",
    "plugin",
    "schedules",
    "storage",
)
NAMED = re.compile(r"airflow-backup help ([a-z][a-z_-]*)")


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("failure", FailureClass)
def test_every_class_of_failures_has_a_topic(failure: FailureClass) -> None:
    topic = topics()[str(failure)]
    assert topic.text.startswith(f"# {topic.title}\n\n")
    assert "\n## " not in topic.text


def test_every_topic_that_a_message_names_is_there() -> None:
    named = {
        (path.relative_to(ROOT).as_posix(), name)
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        for name in NAMED.findall(path.read_text(encoding="utf-8"))
    }
    assert len(named) >= 2
    assert [each for each in sorted(named) if each[1] not in topics()] == []
    code = "".join(
        path.read_text(encoding="utf-8") for room in ROOMS for path in (ROOT / room).rglob("*.py")
    )
    assert not re.search(r'hint=f?"[^"]*docs/', code), (
        "a hint names a topic, not a file that only a checkout has"
    )


def test_every_topic_that_a_page_names_is_there() -> None:
    known = topics()
    shown = {name: readable(topic.text) for name, topic in known.items()}
    assert [
        (name, to) for name, text in shown.items() for to in NAMED.findall(text) if to not in known
    ] == []


def test_short_names_are_those_of_one_page_each() -> None:
    pages = [
        page.stem for folder in ("", "how-to", "reference") for page in (DOCS / folder).glob("*.md")
    ]
    assert len(pages) == len(set(pages))
    assert not {*pages} & {str(failure) for failure in FailureClass}


def test_the_wheel_gets_the_pages_that_help_shows() -> None:
    code = "import json, pathlib, hatch_build; print(json.dumps(hatch_build.pages_of_help(pathlib.Path.cwd())))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    placed: dict[str, str] = yaml.safe_load(done.stdout)
    names = {Path(to).stem for to in placed.values()}
    assert {to.split("/")[:2] == ["airflow_backup", "docs"] for to in placed.values()} == {True}
    assert names == {name for name in topics() if name not in set(FailureClass)}


def test_the_page_of_messages_is_what_the_code_says() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/list_messages.py", "--check"], cwd=ROOT, check=False
    )
    assert done.returncode == 0, "run scripts/list_messages.py"
    page = (DOCS / "reference" / "messages.md").read_text()
    assert (
        "| `only … bytes are free in '…', and the copy needs …` |" in page
        or page.count("\n| `") > 150
    )


@pytest.mark.parametrize("text", blocks(DOCS / "how-to" / "patterns.md", "yaml"))
def test_a_pattern_is_valid(text: str) -> None:
    loaded = parse(text)
    assert loaded.problems == []
    assert loaded.schedules


def test_what_pages_say_of_keys_is_valid() -> None:
    said = r"`((?:limits|throttle|retention|verify|compression|objectives): \{[^`]*\})`"
    for page in (DOCS / "how-to").glob("*.md"):
        for text in re.findall(said, page.read_text()):
            schedule = f"{{id: a, source: {{engine: files, path: /a}}, repository: 'file:///b', preset: daily, {text}}}"
            assert parse(f"version: 1\nschedules: [{schedule}]\n").problems == [], (
                f"{page.name}: {text}"
            )


def test_the_tutorial_runs_as_it_stands(tmp_path: Path) -> None:
    typed = "".join(
        re.sub(r"^\$ ", "", text, flags=re.MULTILINE)
        for text in blocks(DOCS / "tutorial.md", "console")
    )
    assert all(
        line.startswith("$ ")
        for text in blocks(DOCS / "tutorial.md", "console")
        for line in text.splitlines()
    )
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", typed],
        cwd=tmp_path,
        env={
            "HOME": str(tmp_path),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "tour" / "wiki" / "soup.md").read_text() == "the recipe\nmore salt\n"
    assert "2 sets added" in done.stdout
    assert "wiki      good" in done.stdout


COMMANDS = re.compile(r"^\$ (?:.*\| )?airflow-backup (.*?)(?:  +#.*| > .*)?$", re.MULTILINE)


@pytest.mark.parametrize("name", ["retention", "uninstall", "troubleshooting"])
def test_every_command_of_a_page_can_be_typed(name: str) -> None:
    import shlex

    text = (DOCS / "how-to" / f"{name}.md").read_text()
    lines = [*COMMANDS.findall(text), *re.findall(r"`airflow-backup ([^`…]+)`", text)]
    assert lines
    for line in lines:
        arguments = parser().parse_args(
            shlex.split(line.strip().replace("TIME", "2026-11-21T02:00Z"))
        )
        assert arguments.run
