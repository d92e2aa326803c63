"""What may be written about a database, and which kinds can be taken of it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from airflow_backup.core.words import Kind
from airflow_backup.engines.mysql.options import MysqlOptions
from airflow_backup.engines.postgres.options import PostgresOptions
from airflow_backup.schedules.model.schedule import Schedule

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a dump with WAL": ({"wal": "slot"}, "`wal` needs `method: physical`"),
    "jobs without a folder": ({"jobs": 4}, "`jobs` needs `format: directory`"),
    "a cluster in directory format": (
        {"method": "physical", "format": "directory"},
        "`format` and `jobs` belong to `method: logical`",
    ),
    "an archive that is not named": (
        {"method": "physical", "wal": "archive"},
        "`wal: archive` and `archive`, its folder, go together",
    ),
    "a slot that is not used": ({"method": "physical", "slot": "mine"}, "`slot` needs `wal: slot`"),
}


@pytest.mark.parametrize(("options", "problem"), WRONG.values(), ids=WRONG)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        PostgresOptions(engine="postgres", connection="pg", **options)


def test_a_data_folder_has_no_single_database() -> None:
    with pytest.raises(ValidationError, match="copies all databases; leave `database` out"):
        MysqlOptions(engine="mysql", connection="my", method="physical", database="shop")


def schedule(source: dict[str, Any], **when: Any) -> Schedule:
    return Schedule.model_validate(
        {"id": "orders", "source": source, "repository": "file:///var/backups", **when}
    )


def test_a_kind_that_the_source_does_not_have_is_refused_when_the_file_is_read() -> None:
    source: dict[str, Any] = {"engine": "postgres", "connection": "pg"}
    levels = {"full": "0 2 * * sun", "archive_log": "*/15 * * * *"}
    with pytest.raises(ValidationError, match="no archive_log set can be taken of this source"):
        schedule(source, levels=levels)
    with pytest.raises(ValidationError, match="no incremental set can be taken of this source"):
        schedule(source, cron="0 2 * * *", kind="incremental")
    rolled = schedule(source | {"method": "physical", "wal": "slot"}, levels=levels)
    assert set(rolled.crons()) == {Kind.FULL, Kind.ARCHIVE_LOG}
    assert schedule({"engine": "mysql", "connection": "my"}, levels=levels)
