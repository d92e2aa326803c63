"""A release after this one upgrades the catalog while processes of both are at work: nothing fails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import text

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.database import Database
from airflow_backup.catalog.migrate import HEAD, VERSION_TABLE, WORKS_FROM
from airflow_backup.core.words import ExecutionStatus
from support.servers.postgres import PASSWORD, USER, postgres, programs

pytestmark = pytest.mark.service

SOURCE = Path(__file__).parents[2] / "src" / "airflow_backup"
NEXT = f"{int(HEAD) + 1:04}"
RUNS, PROCESSES = 3, 10

_TOMORROW = f'''"""What a release to come adds."""

import sqlalchemy as sa
from alembic import op

revision = "{NEXT}"
down_revision = "{HEAD}"


def upgrade() -> None:
    op.add_column("executions", sa.Column("of_tomorrow", sa.String(20)))
    op.add_column("sets", sa.Column("of_tomorrow", sa.Integer(), server_default="7", nullable=False))
    op.create_table("of_tomorrow", sa.Column("id", sa.Integer(), primary_key=True))
    op.create_index("ix_executions_of_tomorrow", "executions", ["of_tomorrow"])
'''

_WORK = """
import sys, time
from pathlib import Path
from airflow_backup.cli.main import main

name, gate, runs = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
(gate / f"{name}.ready").touch()
for number in range(runs):
    code = main(["run", name, "--schedules", sys.argv[4]])
    if code:
        sys.exit(code)
    (gate / f"{name}.{number}").touch()
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/catalog.db"
        return
    if programs() is None and not os.environ.get("CI"):
        pytest.skip("PostgreSQL is not installed")
    with ExitStack() as servers:
        server = servers.enter_context(postgres())
        yield f"postgresql+psycopg://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{server.port}/postgres"


def release_to_come(folder: Path) -> Path:
    """Make a package that is this one with a migration more; return the folder to import it from."""
    package = folder / "airflow_backup"
    shutil.copytree(SOURCE, package, ignore=shutil.ignore_patterns("__pycache__", "static"))
    migrate = package / "catalog" / "migrate.py"
    told = migrate.read_text()
    assert f'HEAD = "{HEAD}"\n' in told
    migrate.write_text(told.replace(f'HEAD = "{HEAD}"\n', f'HEAD = "{NEXT}"\n'))
    (package / "catalog/migrations/versions" / f"v{NEXT}_of_tomorrow.py").write_text(_TOMORROW)
    return folder


class Releases:
    """Starts programs of this release, and of the one to come."""

    def __init__(self, folder: Path, url: str) -> None:
        self.to_come = release_to_come(folder / "next")
        self.environment = {**os.environ, "AIRFLOW_BACKUP_CATALOG": url, "HOME": str(folder)}

    def start(self, *arguments: str, is_next: bool) -> subprocess.Popen[str]:
        own = {"PYTHONPATH": str(self.to_come)} if is_next else {}
        return subprocess.Popen(
            [sys.executable, *arguments],
            env={**self.environment, **own},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def shell(self, *arguments: str, is_next: bool) -> str:
        program = self.start("-m", "airflow_backup.cli.main", *arguments, is_next=is_next)
        said, _ = program.communicate(timeout=120)
        assert program.returncode == 0, said
        return said


@pytest.mark.timeout(600)
def test_old_and_new_code_work_while_the_catalog_is_upgraded(tmp_path: Path, url: str) -> None:
    names = [f"{which}-{number}" for which in ("old", "new") for number in range(PROCESSES)]
    for name in names:
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "file").write_text(name)
    (tmp_path / "b").mkdir()
    schedules = tmp_path / "schedules.yaml"
    schedules.write_text(
        json.dumps(
            {
                "version": 1,
                "defaults": {"repository": f"file://{tmp_path}/b", "preset": "daily"},
                "schedules": [
                    {
                        "id": name,
                        "source": {"engine": "files", "path": str(tmp_path / "data" / name)},
                    }
                    for name in names
                ],
            }
        )
    )
    Catalog.open(url).close()
    releases = Releases(tmp_path, url)
    gate = tmp_path / "gate"
    gate.mkdir()

    def at_work(which: str) -> list[subprocess.Popen[str]]:
        return [
            releases.start(
                *("-c", _WORK, name, str(gate), str(RUNS), str(schedules)), is_next=which == "new"
            )
            for name in names
            if name.startswith(which)
        ]

    old = at_work("old")
    deadline = time.monotonic() + 120
    while not list(gate.glob("old-*.0")):  # old ones are in the middle of it
        assert time.monotonic() < deadline
        time.sleep(0.05)
        assert all(each.poll() in (None, 0) for each in old), [each.communicate() for each in old]
    said = releases.shell("db", "upgrade", "--no-copy", is_next=True)
    assert f"done  {NEXT}  What a release to come adds." in said
    programs_of_both = old + at_work("new")
    told = [each.communicate(timeout=300)[0] for each in programs_of_both]
    assert [each.returncode for each in programs_of_both] == [0] * (2 * PROCESSES), "\n".join(
        said for said, each in zip(told, programs_of_both, strict=True) if each.returncode
    )
    assert "works with it" in releases.shell("db", "check", is_next=False)
    assert "up to date" in releases.shell("db", "check", is_next=True)
    with Catalog.open(url) as catalog:
        for name in names:
            runs = catalog.executions.history(name)
            assert [run.status for run in runs] == [ExecutionStatus.COMPLETED] * RUNS
    database = Database(url)
    with database.reading() as connection:
        kept = connection.execute(text(f"SELECT version_num, works_from FROM {VERSION_TABLE}"))
        assert kept.all() == [(NEXT, WORKS_FROM)]
    database.close()
    releases.shell("verify", "--all", "--schedules", str(schedules), is_next=False)


def test_a_change_of_a_table_in_use_waits_and_holds_nobody_up(tmp_path: Path) -> None:
    if programs() is None and not os.environ.get("CI"):
        pytest.skip("PostgreSQL is not installed")
    with postgres() as server:
        url = f"postgresql+psycopg://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{server.port}/postgres"
        Catalog.open(url).close()
        releases = Releases(tmp_path, url)
        busy = Database(url)
        with busy.reading() as reader:
            reader.execute(text("SELECT count(*) FROM executions"))  # and it stays open
            upgrade = releases.start("-m", "airflow_backup.cli.main", "db", "upgrade", is_next=True)
            with pytest.raises(subprocess.TimeoutExpired):
                upgrade.communicate(timeout=12)
            with Catalog.open(url) as catalog:  # others are served meanwhile, if not at once
                assert catalog.executions.history("none") == []
        said, _ = upgrade.communicate(timeout=60)
        assert upgrade.returncode == 0, said
        busy.close()
