"""Which connections no schedule protects: by id, by what both read, by exception, and never by a disabled schedule."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import EntryPoint
from typing import ClassVar, Literal

import pytest

from airflow_backup.actions.report.coverage import Coverage, coverage, mentioned, with_environment
from airflow_backup.core.connections import Connection
from airflow_backup.core.errors import ConfigError
from airflow_backup.core.installed import engines
from airflow_backup.schedules.loading.loader import parse
from airflow_backup.schedules.model.base import ConnectionId
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.model.sources import EngineOptions

HEAD = "version: 1\ndefaults: {repository: 'file:///b', preset: daily}\nschedules:\n"


def schedules(*sources: str) -> list[Schedule]:
    """Return a schedule ``s0``, ``s1`` ... for each source."""
    text = "".join(
        f"  - {{id: s{index}, source: {source}}}\n" for index, source in enumerate(sources)
    )
    found = parse(HEAD + text, environ={})
    assert found.problems == []
    return [item.schedule for item in found.schedules]


def database(identifier: str = "orders", *, host: str = "db", schema: str = "shop") -> Connection:
    return Connection(id=identifier, type="postgres", host=host, schema=schema)


def protectors(found: Coverage) -> dict[str, Sequence[str]]:
    return {each.connection_id: each.schedules for each in found.found}


CASES = {
    "the same id": ("{engine: postgres, connection: orders}", True),
    "another name of the same database": ("{engine: postgres, connection: copy}", True),
    "another database of the server": ("{engine: postgres, connection: other}", False),
    "the whole cluster of the server": (
        "{engine: postgres, connection: other, method: physical}",
        True,
    ),
    "another server": ("{engine: postgres, connection: elsewhere}", False),
    "a connection that nobody knows": ("{engine: postgres, connection: gone}", False),
    "restic's own repository": (
        "{engine: restic, connection: orders, restic_repository: /b, path: /srv}",
        False,
    ),
}


@pytest.mark.parametrize(("source", "is_protected"), CASES.values(), ids=CASES)
def test_a_database_is_protected_by_what_reads_it(source: str, *, is_protected: bool) -> None:
    known = [
        database(),
        database("copy", host="DB."),
        database("other", schema="postgres"),
        database("elsewhere", host="db2"),
    ]
    found = coverage(known, schedules(source), {})
    assert protectors(found)["orders"] == (("s0",) if is_protected else ())


def test_a_file_and_a_folder_are_protected_by_their_paths() -> None:
    known = [
        Connection(id="shop", type="sqlite", host="/srv/shop.db"),
        Connection(id="within", type="fs", extra={"path": "/srv/wiki/pages"}),
        Connection(id="beside", type="fs", extra={"path": "/srv/wikipedia"}),
        Connection(id="nowhere", type="fs"),
    ]
    found = coverage(
        known,
        schedules("{engine: sqlite, path: /srv/shop.db}", "{engine: files, path: /srv/wiki}"),
        {},
    )
    assert protectors(found) == {
        "beside": (),
        "nowhere": (),
        "shop": ("s0",),
        "within": ("s1",),
    }


def test_files_beside_a_database_do_not_protect_it() -> None:
    found = coverage(
        [Connection(id="shop", type="sqlite", host="/srv/shop.db")],
        schedules("{engine: files, path: /srv}"),
        {},
    )
    assert protectors(found) == {"shop": ()}


def test_exceptions_do_not_count_and_those_that_say_nothing_true_are_named() -> None:
    known = [database(), database("crm", host="crm"), database("lone", host="lone")]
    found = coverage(
        known,
        schedules("{engine: postgres, connection: orders}"),
        {"crm": "the hoster does it", "orders": "a mistake", "gone": "long ago"},
    )
    assert [(each.connection_id, each.state) for each in found.found] == [
        ("crm", "exception"),
        ("lone", "unprotected"),
        ("orders", "protected"),
    ]
    assert found.percent == 50
    assert found.unknown == ("gone",)


def test_what_no_engine_can_back_up_does_not_count() -> None:
    found = coverage([Connection(id="web", type="http"), Connection(id="s3", type="aws")], [], {})
    assert found == Coverage((), ())
    assert found.percent == 100


class TapeOptions(EngineOptions):
    """The options of an engine of another package."""

    engine: Literal["tape"]
    connection: ConnectionId
    connection_types: ClassVar[tuple[str, ...]] = ("tape",)


class TapeEngine:
    """An engine of another package, as far as it is asked here."""

    options = TapeOptions


def test_an_engine_of_another_package_says_which_connections_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    point = EntryPoint("tape", f"{__name__}:TapeEngine", engines.ENTRY_POINT_GROUP)
    monkeypatch.setattr(engines, "points", lambda: [point])
    monkeypatch.setattr(EntryPoint, "load", lambda self: TapeEngine)
    (found,) = coverage([Connection(id="reel", type="tape")], [], {}).found
    assert (found.engine, found.state) == ("tape", "unprotected")


def test_variables_win_and_take_the_letters_of_what_is_known() -> None:
    environ = {
        "AIRFLOW_CONN_ORDERS": "postgres://elsewhere/x",
        "AIRFLOW_CONN_CRM": '{"conn_type": "mysql"}',
        "AIRFLOW_CONN_NEW": "sqlite:///x",
    }
    found = with_environment([database("Orders")], ["CRM"], environ=environ)
    assert {each.id: each.host for each in found} == {
        "Orders": "elsewhere",
        "CRM": None,
        "new": None,
    }


def test_a_variable_that_cannot_be_read_is_never_left_out_in_silence() -> None:
    environ = {"AIRFLOW_CONN_BAD": "{not json"}
    with pytest.raises(ConfigError, match="connection 'bad' cannot be read"):
        with_environment([], [], environ=environ)
    told: list[ConfigError] = []
    assert with_environment([], [], environ=environ, unreadable=told.append) == []
    assert len(told) == 1


def test_what_schedules_and_exceptions_name_is_mentioned() -> None:
    found = schedules("{engine: postgres, connection: orders}", "{engine: files, path: /srv}")
    assert mentioned(found, ["crm"]) == ["orders", "crm"]


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("{connection: crm}", "1: unprotected.0.reason: `reason` is missing"),
        ("{connection: crm, reason: ' '}", "unprotected.0.reason:"),
        ("{connection: crm, reason: x, until: y}", "unprotected.0.until: unknown key `until`"),
        ("crm", "unprotected.0:"),
    ],
)
def test_an_exception_that_is_wrong_is_shown_where_it_stands(written: str, problem: str) -> None:
    found = parse(f"version: 1\nunprotected:\n  - {written}\nschedules: []\n", environ={})
    assert found.exempt == []
    (told,) = found.problems
    assert told.line == 3
    assert problem.partition(": ")[2] in str(told)


def test_exceptions_are_a_list_in_which_each_connection_stands_once() -> None:
    twice = "[{connection: crm, reason: a}, {connection: crm, reason: b}]"
    found = parse(f"version: 1\nunprotected: {twice}\n", environ={})
    assert [each.unprotected.reason for each in found.exempt] == ["a"]
    assert "connection `crm` stands twice" in str(found.problems[0])
    found = parse("version: 1\nunprotected: {crm: a}\n", environ={})
    assert "`unprotected` is not a list" in str(found.problems[0])
