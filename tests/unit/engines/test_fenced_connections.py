"""A connection names a file of the worker too: where a schedule is fenced in, so is what its connection names."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from airflow_backup.core.connections import Connection
from airflow_backup.core.errors import Refused
from airflow_backup.engines.firebird.options import FirebirdOptions
from airflow_backup.engines.firebird.program import Database
from airflow_backup.engines.mysql import physical
from airflow_backup.engines.mysql.physical import check_fence
from airflow_backup.engines.protocol import EngineContext


def context(root: Path, **found: Any) -> EngineContext:
    return EngineContext(
        connections=lambda name: Connection(id=name, **found), source_roots=[str(root)]
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "allowed").mkdir()
    (tmp_path / "other.fdb").write_bytes(b"")
    (tmp_path / "allowed" / "link.fdb").symlink_to(tmp_path / "other.fdb")
    (tmp_path / "allowed" / "own.fdb").write_bytes(b"")
    return tmp_path / "allowed"


@pytest.mark.parametrize("name", ["../other.fdb", "link.fdb"])
@pytest.mark.parametrize(("method", "host"), [("logical", None), ("physical", "localhost")])
def test_a_database_that_is_opened_here_lies_within_the_fence(
    root: Path, name: str, method: str, host: str | None
) -> None:
    given = FirebirdOptions.model_validate(
        {"engine": "firebird", "connection": "c", "method": method}
    )
    with pytest.raises(Refused, match="does not lie within"):
        Database.of(given, context(root, host=host, schema=f"{root}/{name}"))
    found = Database.of(given, context(root, host=host, schema=f"{root}/own.fdb"))
    assert found.path == f"{root}/own.fdb"


def test_a_database_of_a_server_lies_where_the_server_says(root: Path) -> None:
    given = FirebirdOptions.model_validate({"engine": "firebird", "connection": "c"})
    assert Database.of(given, context(root, host="db", schema="/srv/x.fdb")).path == "/srv/x.fdb"


@pytest.mark.parametrize(
    ("setting", "value", "is_fine"),
    [
        ("innodb_data_home_dir", "", True),
        ("innodb_data_file_path", "ibdata1:12M:autoextend", True),
        ("innodb_log_group_home_dir", "./", True),
        ("innodb_data_home_dir", "/etc", False),
        ("innodb_undo_directory", "../..", False),
        ("aria_log_dir_path", "/var/log/", False),
        ("innodb_data_file_path", "ibdata1:12M;/etc/shadow:1M", False),
        ("datadir", "/etc/", False),
    ],
)
def test_a_server_leads_its_backup_to_no_file_beyond_the_fence(
    root: Path, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, is_fine: bool
) -> None:
    monkeypatch.setattr(physical, "settings", lambda session, names: {setting: value})
    session = cast(Any, None)
    if is_fine:
        check_fence(f"{root}/", session, context(root))
        return
    with pytest.raises(Refused, match=r"the server's data: .* does not lie within"):
        check_fence(f"{root}/", session, context(root))
    check_fence("/etc", session, EngineContext())
