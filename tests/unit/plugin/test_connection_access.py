"""Which connections somebody learns of: a variable of one team is nobody else's."""

from __future__ import annotations

import pytest
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.models.connection import Connection
from airflow.models.team import Team
from sqlalchemy import Table, create_engine
from sqlalchemy.orm import Session

from airflow_backup.plugin.access import Access

ASKED = ["stored", "variable", "_sales___orders"]


@pytest.mark.parametrize(
    ("multi_team", "seen"),
    [("False", set(ASKED)), ("True", {"stored", "variable"})],
)
def test_a_variable_of_a_team_is_no_connection_of_everybody(
    multi_team: str, seen: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__MULTI_TEAM", multi_team)
    engine = create_engine("sqlite://")
    tables = [each.__table__ for each in (Team, Connection)]
    assert all(isinstance(each, Table) for each in tables)
    Connection.metadata.create_all(engine, tables=tables)
    with Session(engine) as session:
        session.add(Connection(conn_id="stored", conn_type="postgres"))
        session.flush()
        user = SimpleAuthManagerUser(username="op", role="OP")
        access = Access(user=user, session=session, manager=SimpleAuthManager())  # type: ignore[no-untyped-call]
        assert access.readable_connections(ASKED, stored={"stored"}) == seen
    engine.dispose()
