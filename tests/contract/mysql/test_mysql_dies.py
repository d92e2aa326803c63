"""A MariaDB server that dies while it is read: no set, an error that says so, and the next run takes one."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_backup.core.errors import BackupError
from contract.mysql.test_mysql import OPTIONS, Keeper
from support.servers.mariadb import BANK, MariaDB, mariadb, require

pytestmark = pytest.mark.service


@pytest.fixture
def server() -> Iterator[MariaDB]:
    require()
    with mariadb(options=OPTIONS) as running:
        running.query(BANK)
        running.query(
            "CREATE TABLE kept AS SELECT seq AS n, repeat('x', 500) AS x FROM seq_1_to_200000",
            "bank",
        )
        yield running


def _take_again_and_again(keeper: Keeper) -> None:
    for _ in range(20):
        keeper.take()
        for found in keeper.folder.rglob("manifest.json"):
            found.unlink()


@pytest.mark.parametrize("delay", [0.15, 0.6, 1.1])
@pytest.mark.parametrize("method", ["logical", "physical"])
def test_a_server_that_dies_in_the_middle_leaves_no_set(
    server: MariaDB, tmp_path: Path, method: str, delay: float
) -> None:
    pid = int((server.folder / "pid").read_text())
    killer = threading.Timer(delay, os.kill, args=(pid, signal.SIGKILL))
    killer.start()
    with pytest.raises(BackupError):
        _take_again_and_again(Keeper(tmp_path, server, method=method))
    killer.join()
    assert not list(tmp_path.rglob("manifest.json"))
