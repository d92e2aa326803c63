"""The wheel, installed where there is neither the checkout nor a development package, brings everything."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from support.airflow_fixture import AirflowHome

pytestmark = [pytest.mark.service, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
ROOMS = {
    "core",
    "schedules",
    "engines",
    "storage",
    "catalog",
    "actions",
    "operators",
    "dags",
    "plugin",
    "cli",
}


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command in a clean environment; return what it prints."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")
    }
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by way of the source distribution as a release is."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder, cwd=ROOT)
    (archive,) = folder.glob("*.tar.gz")
    run("tar", "-xzf", archive, cwd=folder)
    run(
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "-t",
        "wheel",
        "-d",
        folder,
        cwd=folder / archive.name.removesuffix(".tar.gz"),
    )
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a bare environment that has the wheel and what it depends on."""
    folder = tmp_path_factory.mktemp("bare")
    uv = Path(sys.executable).parent / "uv"
    found = folder / "venv" / "bin" / "python"
    run(uv, "venv", "--quiet", "--python", sys.executable, folder / "venv", cwd=folder)
    run(
        uv,
        "pip",
        "install",
        "--quiet",
        "--python",
        found,
        "--require-hashes",
        "-r",
        ROOT / "requirements/run.txt",
        cwd=folder,
    )
    run(uv, "pip", "install", "--quiet", "--python", found, "--no-deps", wheel, cwd=folder)
    return found


def test_the_wheel_holds_every_room_the_page_and_the_migrations(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[1] for name in names if name.count("/") > 1} >= ROOMS
    assert "airflow_backup/plugin/static/main.js" in names
    assert "airflow_backup/py.typed" in names
    migrations = [path.relative_to(ROOT) for path in (ROOT / "catalog/migrations").rglob("*.py")]
    assert {f"airflow_backup/{path}" for path in migrations} <= set(names)
    assert not [
        name
        for name in names
        if {"tests", "node_modules"} & set(name.split("/")) or name.endswith((".ts", ".tsx"))
    ]


def test_the_command_works_without_the_checkout(python: Path, tmp_path: Path) -> None:
    command = python.parent / "airflow-backup"
    assert "validate" in run(command, "--help", cwd=tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "one.txt").write_text("one")
    (tmp_path / "schedules.yaml").write_text(
        f"version: 1\nschedules:\n  - id: data\n    source: {{engine: files, path: {tmp_path}/data}}\n"
        f"    repository: file://{tmp_path}/repository\n    preset: daily\n"
    )
    printed = run(
        command, "run", "data", "--catalog", f"sqlite:///{tmp_path}/catalog.db", cwd=tmp_path
    )
    assert printed.startswith("data: set 2")


def test_airflow_lists_plugin_and_provider_and_serves_the_page(
    python: Path, tmp_path: Path
) -> None:
    with AirflowHome(tmp_path / "airflow", python=python) as airflow:
        airflow.run("db", "migrate")
        assert "airflow_backup" in airflow.run("plugins")
        assert "airflow-backup" in airflow.run("providers", "list")
        airflow.start("api-server")
        with airflow.client("viewer") as client:
            page = client.get("backup/static/main.js")
            assert page.status_code == 200
            assert page.headers["content-type"].startswith(
                ("text/javascript", "application/javascript")
            )
            assert len(page.content) > 10_000
            assert client.get("backup/api/v1/status").status_code == 200
            (app,) = (
                app
                for plugin in client.get("api/v2/plugins").json()["plugins"]
                if plugin["name"] == "airflow_backup"
                for app in plugin["react_apps"]
                if app["destination"] == "nav"
            )
            assert client.get(app["bundle_url"]).content == page.content
