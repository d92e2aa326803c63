"""The wheel, installed where there is neither the checkout nor a development package, brings everything."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest

from support.airflow.home import AirflowHome
from support.stored.wheel import installed, run, said

pytestmark = [pytest.mark.service, pytest.mark.slow(minutes=3)]

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


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a bare environment that has the wheel, Airflow and what both depend on."""
    return installed(wheel, "run.txt", tmp_path_factory.mktemp("bare"))


@pytest.fixture(scope="module")
def client(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has the wheel and what it depends on: no Airflow."""
    return installed(wheel, "client.txt", tmp_path_factory.mktemp("client"))


def test_the_wheel_holds_every_room_the_page_and_the_migrations(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[1] for name in names if name.count("/") > 1} >= ROOMS
    assert "airflow_backup/plugin/static/main.js" in names
    assert "airflow_backup/py.typed" in names
    assert "airflow_backup/docs/how-to/troubleshooting.md" in names
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
    assert run(command, "help", "space", cwd=tmp_path).startswith("# no room is left\n")


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


def schedules_of(folder: Path) -> Path:
    """Write a folder to back up, and the schedule that does; return the schedules file."""
    (folder / "data").mkdir()
    (folder / "data" / "one.txt").write_text("one")
    (folder / "schedules.yaml").write_text(
        f"version: 1\nschedules:\n  - id: data\n    source: {{engine: files, path: {folder}/data}}\n"
        f"    repository: file://{folder}/repository\n    preset: daily\n    retention: {{last: 7}}\n"
    )
    return folder / "schedules.yaml"


def test_without_airflow_what_depends_on_it_is_not_installed_and_the_rest_is_small(
    client: Path,
) -> None:
    packages = client.parents[1] / "lib" / f"python{version_of(client)}" / "site-packages"
    names = {path.name.partition("-")[0] for path in packages.glob("*.dist-info")}
    assert "airflow_backup" in names
    assert not {name for name in names if name.startswith("apache_airflow")}
    assert not names & {"fastapi", "starlette", "pendulum", "cron_descriptor"}
    kept = sum(
        -(-path.lstat().st_size // 4096) * 4096  # as du counts, on most file systems
        for path in packages.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    )
    assert kept < 95 * 2**20


def version_of(python: Path) -> str:
    """Return 3.12 of the Python that runs an environment."""
    return run(
        python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])", cwd=python.parent
    ).strip()


def test_without_airflow_every_command_works_that_needs_none(client: Path, tmp_path: Path) -> None:
    schedules_of(tmp_path)
    catalog = {"AIRFLOW_BACKUP_CATALOG": f"sqlite:///{tmp_path}/catalog.db"}

    def shell(*words: str) -> str:
        return run(client.parent / "airflow-backup", *words, cwd=tmp_path, environment=catalog)

    run("git", "init", "--quiet", cwd=tmp_path)
    run("git", "add", "schedules.yaml", cwd=tmp_path)
    run("git", *("-c", "user.name=a", "-c", "user.email=a@b"), "commit", "-qm", "one", cwd=tmp_path)
    assert "1 schedule, no problems" in shell("validate")
    assert "data" in shell("next")
    (tmp_path / "schedules.yaml").write_text(
        (tmp_path / "schedules.yaml").read_text().replace("daily", "hourly")
    )
    assert shell("diff", "HEAD").startswith("~ data: changed")
    assert json.loads(shell("schema"))["title"]
    assert "data" in shell("list")
    assert shell("run", "data").startswith("data: set 2")
    assert "good" in shell("status")
    assert "passed" in shell("verify", "data", "--level", "full")
    for words in (
        ("show", "data"),
        ("monitor",),
        ("report",),
        ("prune", "data"),
        ("sync",),
        ("export", "data"),
        ("coverage", "--no-airflow"),
        ("setup", "--files", "/srv", "--print"),
        ("notify",),
    ):
        shell(*words)
    shell("restore", "data", "--to", f"{tmp_path}/back")
    assert (tmp_path / "back" / "one.txt").read_text() == "one"


def test_without_airflow_what_needs_it_says_what_to_install(client: Path, tmp_path: Path) -> None:
    schedules_of(tmp_path)
    (tmp_path / "dags.py").write_text(
        "from airflow_backup.dags import generate\ngenerate(globals())\n"
    )
    wanted = (
        "cannot work: Airflow is not installed here\nHINT: pip install 'airflow-backup[airflow]'"
    )
    for command in (
        (client.parent / "airflow-backup", "validate", "--dags"),
        (client, "dags.py"),
        (client, "-c", "from airflow_backup.api import BackupOperator"),
    ):
        code, printed = said(*command, cwd=tmp_path)
        assert code == 1
        assert wanted in printed
    code, printed = said(client.parent / "airflow-backup", "validate", "--dags", cwd=tmp_path)
    assert "Traceback" not in printed


def test_an_airflow_that_is_too_old_goes_on_without_us_and_says_why(
    python: Path, tmp_path: Path
) -> None:
    # Whether we work is asked of the installed version alone; everything else is the real Airflow.
    old = tmp_path / "old" / "apache_airflow_core-3.1.8.dist-info"
    old.mkdir(parents=True)
    (old / "METADATA").write_text(
        "Metadata-Version: 2.4\nName: apache-airflow-core\nVersion: 3.1.8\n"
    )
    why = r"works with Airflow 3 from 3\.3 on, and this is Airflow 3\.1\.8"
    environment = {"PYTHONPATH": str(old.parent)}
    with AirflowHome(tmp_path / "airflow", python=python, environment=environment) as airflow:
        airflow.start("api-server", "dag-processor")
        with airflow.client("admin") as admin:
            (plugin,) = (
                plugin
                for plugin in admin.get("api/v2/plugins").json()["plugins"]
                if plugin["name"] == "airflow_backup"
            )
            assert not plugin["react_apps"]
            assert not plugin["fastapi_apps"]
            assert not plugin["timetables"]
            errors = airflow.wait_for(
                lambda: (
                    admin.get("api/v2/importErrors").json()["import_errors"][1:]
                    and admin.get("api/v2/importErrors").json()["import_errors"]
                ),
                what="both files among the import errors",
            )
        assert all(re.search(why, error["stack_trace"]) for error in errors)
        log = (airflow.folder / "api-server.log").read_text()
        assert re.search(f"no page, no API and no DAGs of airflow-backup: .*{why}", log)
        assert "Traceback" not in log
        assert re.search(rf"Off\. .*{why}", airflow.run("providers", "list", "-o", "json"))
