"""What a replica says of itself, in the words of MariaDB and of MySQL."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_backup.engines.mysql.client import replica

OF_MARIADB = {
    "Master_Host": "db1",
    "Master_Port": 3306,
    "Slave_IO_Running": "Yes",
    "Slave_SQL_Running": "Yes",
    "Seconds_Behind_Master": 0,
}
OF_MYSQL = {
    "Source_Host": "db1",
    "Source_Port": 3306,
    "Replica_IO_Running": "Yes",
    "Replica_SQL_Running": "Yes",
    "Seconds_Behind_Source": 0,
}
FOLLOWS_NOT = "the server is a replica of db1:3306 and does not follow it now: changes are not"


@pytest.mark.parametrize(
    ("row", "change", "told"),
    [
        (OF_MARIADB, {}, None),
        (OF_MYSQL, {}, None),
        (OF_MARIADB, {"Seconds_Behind_Master": 899}, None),
        (
            OF_MARIADB,
            {"Seconds_Behind_Master": 900},
            "the server is a replica of db1:3306, and 15 minutes behind it",
        ),
        (
            OF_MYSQL,
            {"Seconds_Behind_Source": 7200},
            "the server is a replica of db1:3306, and 120 minutes behind it",
        ),
        (
            OF_MARIADB,
            {"Slave_SQL_Running": "No", "Seconds_Behind_Master": None},
            f"{FOLLOWS_NOT} applied",
        ),
        (
            OF_MYSQL,
            {"Replica_IO_Running": "Connecting", "Seconds_Behind_Source": None},
            f"{FOLLOWS_NOT} received",
        ),
    ],
)
def test_who_is_behind_says_so(
    row: dict[str, Any], change: dict[str, Any], told: str | None
) -> None:
    assert replica._told_of({**row, **change}) == told
