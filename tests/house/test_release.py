"""
What makes a release: workflows that run what they are told, a version that agrees with its tag, links that lead
somewhere.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from airflow_backup.plugin.provider_info import get_provider_info

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
BY_TAG = {"github/codeql-action"}
"""Actions that are not named by a commit: what looks for holes must know the newest."""


def module(path: Path) -> ModuleType:
    """Import a script by its path, whatever its name ends in."""
    loader = SourceFileLoader(path.stem.replace("-", "_"), str(path))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    found = importlib.util.module_from_spec(spec)
    loader.exec_module(found)
    return found


def steps(workflow: Path) -> list[dict[str, Any]]:
    """Return every step of every job."""
    jobs = yaml.safe_load(workflow.read_text())["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_an_action_is_named_by_its_commit_and_says_its_version(workflow: Path) -> None:
    used = re.findall(r"uses: (\S+?)@(\S+)(.*)$", workflow.read_text(), re.MULTILINE)
    assert used
    for name, version, comment in used:
        if not name.startswith(tuple(BY_TAG)):
            assert re.fullmatch(r"[0-9a-f]{40}", version), name
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), name


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_read_and_what_it_may_besides_is_said_for_one_job(workflow: Path) -> None:
    found = yaml.safe_load(workflow.read_text())
    assert found["permissions"] == {"contents": "read"}
    for job in found["jobs"].values():
        assert job["timeout-minutes"] <= 120
        for step in job["steps"]:
            if "checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_script_that_a_workflow_runs_is_there(workflow: Path) -> None:
    lines = "\n".join(step.get("run", "") for step in steps(workflow))
    for path in re.findall(r"(?<![\w/.-])((?:scripts|tests|requirements)/[\w./]+)", lines):
        assert (ROOT / path).exists(), path
    assert "${{" not in lines, "an expression in a script is somebody's text; give it by `env`"


def test_dependencies_that_are_watched_lie_where_it_says() -> None:
    for update in yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())["updates"]:
        for folder in update.get("directories", [update.get("directory")]):
            assert (ROOT / folder.strip("/")).is_dir()


BACKWARDS = ("ipyp", "detsohnohtyp", "sjmpn")
"""What registries are called; backwards, for this file names none, too."""
HOSTS = re.compile(
    rf"\b(?:{'|'.join(each[::-1] for each in BACKWARDS)})\.(?:org|com)", re.IGNORECASE
)


def test_no_file_names_the_host_of_a_registry() -> None:
    done = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip("not a git checkout")
    for name in done.stdout.splitlines():
        path = ROOT / name
        if path.is_file() and path.suffix in {
            ".md",
            ".yml",
            ".yaml",
            ".toml",
            ".txt",
            ".json",
            ".py",
            "",
        }:
            assert not HOSTS.search(path.read_text(encoding="utf-8", errors="replace")), name


def test_links_of_the_readme_lead_to_files_from_the_page_of_the_package() -> None:
    hook = module(ROOT / "hatch_build.py")
    text = hook.with_addresses((ROOT / "README.md").read_text(), "https://example.org/us", "v9.9.9")
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    assert [each for each in targets if not each.startswith(("https://", "#"))] == []
    ours = re.findall(r"\]\(https://example\.org/us/(?:blob|raw)/v9\.9\.9/([^)#]+)", text)
    assert len(ours) > 30
    assert [each for each in ours if not (ROOT / each).exists()] == []


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small project with what a release needs, in a repository of its own."""
    for name in (
        "CHANGELOG.md",
        "pyproject.toml",
        "changelog.d/template.md",
        "src/airflow_backup/__init__.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    (tmp_path / "changelog.d" / "a.added.md").write_text("Something *new of the test*.\n")
    for command in (
        ["init", "-q", "-b", "main"],
        ["config", "user.name", "t"],
        ["config", "user.email", "t@example.org"],
        ["add", "."],
        ["commit", "-qm", "first"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def test_a_release_agrees_with_its_tag_and_says_what_is_new(project: Path) -> None:
    release = module(ROOT / "scripts" / "release")
    assert any(
        "changelog.d/ still has a.added.md" in each
        for each in release.disagreements(project, "v9.1.0")
    )
    release.make(project, "9.1.0")
    assert release.disagreements(project, "v9.1.0") == []
    assert release.disagreements(project, "v9.1.1") == [
        "the tag is v9.1.1, and src/airflow_backup/__init__.py says 9.1.0"
    ]
    assert "Something *new of the test*." in release.notes(project, "9.1.0")
    tagged = subprocess.run(
        ["git", "describe"], cwd=project, capture_output=True, text=True, check=True
    )
    assert tagged.stdout.strip() == "v9.1.0"


@pytest.mark.parametrize(
    ("version", "message"), [("v9", "is no version"), ("9.1.0", "the work tree has changes")]
)
def test_a_release_is_refused_where_it_cannot_be(project: Path, version: str, message: str) -> None:
    (project / "left").write_text("")
    with pytest.raises(SystemExit, match=message):
        module(ROOT / "scripts" / "release").make(project, version)


def test_the_image_installs_what_it_says() -> None:
    text = (ROOT / "deploy" / "Dockerfile").read_text()
    (install,) = re.findall(r"^RUN (name=.*(?:\n &&.*)*)", text, re.MULTILINE)
    told = (
        install.replace("pip install", "printf '%s\\n'")
        .replace("airflow-backup --version", "true")
        .replace("\\\n", " ")
    )
    for asked, wanted in (("airflow-backup", ""), ("airflow-backup==0.2.0", "==0.2.0")):
        done = subprocess.run(
            ["bash", "-euc", told],
            env={"AIRFLOW_BACKUP": asked, "EXTRAS": "airflow,mysql", "AIRFLOW_VERSION": "3.3.2"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.splitlines()[1:] == [
            f"airflow-backup[airflow,mysql]{wanted}",
            "apache-airflow==3.3.2",
        ]
    extras = re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    (default,) = re.findall(r"^ARG EXTRAS=(.*)$", text, re.MULTILINE)
    assert set(default.split(",")) <= set(extras)


def test_values_of_the_chart_name_options_that_there_are() -> None:
    values = yaml.safe_load((ROOT / "deploy" / "values.yaml").read_text())
    options = {
        f"AIRFLOW__BACKUP__{name.upper()}"
        for name in get_provider_info()["config"]["backup"]["options"]
    }
    named = {each["name"] for each in values["env"] if each["name"].startswith("AIRFLOW__BACKUP__")}
    assert named
    assert named <= options
    connection = next(
        each["value"] for each in values["env"] if each["name"].endswith("CATALOG_CONN_ID")
    )
    assert f"AIRFLOW_CONN_{connection.upper()}" in {each["envName"] for each in values["secret"]}


def test_what_a_release_is_made_with_runs_on_a_bare_python() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", ROOT / "scripts/release", "--check", "v0"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "the tag is v0" in done.stderr
