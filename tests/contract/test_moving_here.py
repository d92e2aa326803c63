"""What was taken over from other tools really saves a server, and comes back equal."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from airflow_backup.cli.main import main
from support.foreign import CANARY, copied
from support.servers.postgres import PASSWORD, USER, Postgres

pytestmark = pytest.mark.service


@pytest.fixture
def home(tmp_path: Path, bank: Postgres, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, and the connections that `setup` asks for, made as it says."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wiki").mkdir()
    given = {
        "conn_type": "postgres",
        "host": "127.0.0.1",
        "port": bank.port,
        "login": USER,
        "password": PASSWORD,
    }
    for name in ("POSTGRES_LOCAL", "BANK_DB"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps({**given, "schema": "bank"}))
    return tmp_path


def take_over(home: Path, bank: Postgres, *names: str) -> str:
    copied("borgmatic-common.yaml", home)
    filled = {"HOST": "127.0.0.1", "PORT": str(bank.port), "USER": USER}
    words = [word for name in names for word in ("--from", str(copied(name, home, **filled)))]
    assert main(["setup", *words, "--repository", "sets"]) == 0
    assert main(["validate", "schedules.yaml"]) == 0
    text = (home / "schedules.yaml").read_text()
    assert CANARY not in text
    return text


def contents(bank: Postgres, database: str) -> list[str]:
    return [
        bank.query(database, f"SELECT count(*), sum(hashtext(t::text)::bigint) FROM {table} t")
        for table in ("pgbench_accounts", "pgbench_branches", '"Odd name"."T"')
    ]


@pytest.mark.parametrize(
    "name", ["crontab", "borgmatic.yaml", "connections.json", "connections.yaml"]
)
def test_a_dump_of_a_schedule_that_was_taken_over_comes_back_equal(
    home: Path, bank: Postgres, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    take_over(home, bank, name)
    identifier = "bank_db" if name.startswith("connections") else "bank"
    copy = f"copy_{name.partition('.')[2] or name}"
    assert main(["run", identifier]) == 0
    assert main(["restore", identifier, "--to", f"connection:bank_db/{copy}"]) == 0
    assert contents(bank, copy) == contents(bank, "bank")
    bank.query("postgres", f"DROP DATABASE {copy}")
    assert PASSWORD not in capsys.readouterr().out


def test_a_stanza_of_pgbackrest_becomes_a_data_folder_that_is_whole(
    home: Path, bank: Postgres
) -> None:
    take_over(home, bank, "pgbackrest.conf", "pgbackrest.cron")
    assert main(["run", "bank", "--kind", "full"]) == 0
    assert main(["restore", "bank", "--to", "data"]) == 0
    check = [str(bank.programs / "pg_controldata"), str(home / "data")]
    told = subprocess.run(
        check, capture_output=True, text=True, check=True, env=os.environ | {"LC_ALL": "C"}
    )
    here = bank.query("postgres", "SELECT system_identifier FROM pg_control_system()")
    assert here in told.stdout
