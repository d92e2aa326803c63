"""Never is a connection called protected because of how it is written: a schedule must read the very same place."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import ClassVar, Literal

import pytest

from airflow_backup.actions.report.coverage import coverage, with_environment
from airflow_backup.core.connections import Connection, Connections
from airflow_backup.core.errors import ConfigError
from airflow_backup.core.installed import engines
from airflow_backup.schedules.loading.loader import parse
from airflow_backup.schedules.model.base import ConnectionId
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.model.sources import EngineOptions

HEAD = "version: 1\ndefaults: {repository: 'file:///b', preset: daily}\nschedules:\n"


def schedule(source: str) -> list[Schedule]:
    found = parse(f"{HEAD}  - {{id: s, source: {source}}}\n", environ={})
    assert found.problems == []
    return [item.schedule for item in found.schedules]


def protected(source: str, *known: Connection) -> set[str]:
    """Name the connections that a schedule protects."""
    found = coverage(known, schedule(source), {}).found
    assert {each.connection_id for each in found} == {each.id for each in known}
    return {each.connection_id for each in found if each.schedules}


def at(identifier: str, kind: str = "postgres", **facts: object) -> Connection:
    return Connection(**{"id": identifier, "type": kind, "host": "db", **facts})  # type: ignore[arg-type]


def pair(kind: str, first: dict[str, object], second: dict[str, object]) -> list[Connection]:
    return [at("a", kind, **first), at("b", kind, **second)]


A = "{engine: postgres, connection: a}"
DIFFERENT = {
    "no database, another": (A, pair("postgres", {"schema": ""}, {"schema": "crm"})),
    "a slash, another": (A, pair("postgres", {"schema": "/"}, {"schema": "crm"})),
    "a star, another": (A, pair("postgres", {"schema": "*"}, {"schema": "crm"})),
    "a name, below it": (A, pair("postgres", {"schema": "x"}, {"schema": "x/y"})),
    "no database, one called None": (A, pair("postgres", {}, {"schema": "None"})),
    "another port": (A, pair("postgres", {}, {"port": 5433})),
    "another socket": (A, pair("postgres", {"host": "/run/1"}, {"host": "/run/2"})),
    "a socket of one's own": (A, pair("postgres", {"host": "/run/1"}, {"host": "localhost"})),
    "another address": (
        A,
        pair("postgres", {"extra": {"hostaddr": "10.0.0.1"}}, {"extra": {"hostaddr": "10.0.0.2"}}),
    ),
    "another socket of MySQL": (
        "{engine: mysql, connection: a}",
        pair("mysql", {"extra": {"unix_socket": "/1"}}, {"extra": {"unix_socket": "/2"}}),
    ),
    "one Firebird database, copied block by block": (
        "{engine: firebird, connection: a, method: physical}",
        pair("firebird", {"schema": "/srv/a.fdb"}, {"schema": "/srv/b.fdb"}),
    ),
    "a SQLite connection without a file": (
        "{engine: sqlite, connection: a}",
        pair("sqlite", {"host": None}, {"host": "/srv/b.db"}),
    ),
    "a SQLite file that can be none": (
        "{engine: sqlite, connection: a}",
        pair("sqlite", {"host": "/srv/\0"}, {"host": "/srv/b.db"}),
    ),
    "an extra that cannot be read": (A, pair("postgres", {}, {"unread": True})),
}


@pytest.mark.parametrize(("source", "known"), DIFFERENT.values(), ids=DIFFERENT)
def test_what_is_not_the_same_place_protects_nothing(source: str, known: list[Connection]) -> None:
    assert protected(source, *known) == {"a"}


SAME = {
    "no database is the one that the engine takes": (
        A,
        pair("postgres", {}, {"schema": "postgres"}),
    ),
    "an empty one is, too": (A, pair("postgres", {"schema": ""}, {"schema": "postgres"})),
    "usual sockets": (A, pair("postgres", {"host": "/run/postgresql"}, {"host": None})),
    "all of a MySQL server": (
        "{engine: mysql, connection: a}",
        pair("mysql", {}, {"schema": "crm"}),
    ),
    "the port that Firebird has": (
        "{engine: firebird, connection: a}",
        pair("firebird", {"schema": "/srv/a.fdb", "port": 3050}, {"schema": "/srv/a.fdb"}),
    ),
}


@pytest.mark.parametrize(("source", "known"), SAME.values(), ids=SAME)
def test_the_same_place_is_known_however_it_is_written(
    source: str, known: list[Connection]
) -> None:
    assert protected(source, *known) == {"a", "b"}


@pytest.mark.parametrize(
    ("source", "known"),
    [
        ("{engine: postgres, connection: a, database: other}", at("a", schema="shop")),
        ("{engine: postgres, connection: a, database: shop}", at("a")),
        ("{engine: mysql, connection: a, database: shop}", at("a", "mysql")),
        (
            "{engine: firebird, connection: a, database: /x.fdb}",
            at("a", "firebird", schema="/y.fdb"),
        ),
    ],
)
def test_a_schedule_of_another_database_does_not_protect_the_connection_it_names(
    source: str, known: Connection
) -> None:
    assert protected(source, known) == set()


@pytest.mark.parametrize(
    ("source", "is_protected"),
    [
        ("{engine: files, path: /srv/wiki}", True),
        ("{engine: files, path: /}", True),
        ("{engine: files, path: //srv}", True),
        ("{engine: files, path: '/srv/wik*'}", False),
        ("{engine: files, path: '/srv/wiki/*'}", False),
        ("{engine: files, path: /srv, exclude: [wiki]}", False),
        ("{engine: files, path: /srv, exclude: ['/wiki/pages/']}", False),
        ("{engine: files, path: /srv, exclude: ['*.tmp']}", True),
        ("{engine: files, path: /srv, include: ['*.txt']}", False),
        ("{engine: files, path: /srv, include: ['/wiki/']}", True),
        ("{engine: files, path: /srv/wiki/pages, exclude: ['*.tmp'], include: ['*.txt']}", True),
    ],
)
def test_a_folder_that_is_left_out_is_not_protected(source: str, *, is_protected: bool) -> None:
    folder = at("a", "fs", extra={"path": "/srv/wiki/pages"})
    assert protected(source, folder) == ({"a"} if is_protected else set())


@pytest.mark.parametrize("path", ["/srv/\0", "/srv/\ud800", ["/srv"], 7])
def test_a_folder_that_can_be_none_costs_only_itself(path: object) -> None:
    known = [at("a", "fs", extra={"path": path}), at("b", "fs", extra={"path": "/srv/b"})]
    assert protected("{engine: files, path: /srv/b}", *known) == {"b"}
    (shown,) = (
        each.source["path"] for each in coverage(known, [], {}).found if each.connection_id == "a"
    )
    shown.encode()  # an answer can hold it


class ReelOptions(EngineOptions):
    """The options of another package's engine, which needs more than a connection to say what it reads."""

    engine: Literal["reel"]
    connection: ConnectionId
    reel: int
    connection_types: ClassVar[tuple[str, ...]] = ("reel",)

    def places(self, connections: Connections) -> tuple[str, ...]:
        """Name the reel."""
        return (f"reel:{self.reel}",)


class ReelEngine:
    """That engine, as far as it is asked here."""

    options = ReelOptions


def test_an_engine_that_cannot_say_what_it_reads_protects_what_it_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    point = EntryPoint("reel", f"{__name__}:ReelEngine", engines.ENTRY_POINT_GROUP)
    monkeypatch.setattr(engines, "points", lambda: [point])
    monkeypatch.setattr(EntryPoint, "load", lambda self: ReelEngine)
    source = "{engine: reel, connection: a, reel: 3}"
    assert protected(source, at("a", "reel"), at("b", "reel")) == {"a"}


def test_a_variable_hides_stored_connections_however_their_letters_are_written() -> None:
    stored = [at("Orders", host="old"), at("orders", host="older"), at("crm", host="crm")]
    environ = {"AIRFLOW_CONN_ORDERS": "postgres://new/x"}
    found = with_environment(stored, ["ORDERS"], environ=environ)
    assert {each.id: each.host for each in found} == {
        "Orders": "new",
        "orders": "new",
        "ORDERS": "new",
        "crm": "crm",
    }


def test_a_variable_that_cannot_be_read_still_hides_the_stored_connection() -> None:
    told: list[ConfigError] = []
    environ = {"AIRFLOW_CONN_ORDERS": "{not json"}
    assert with_environment([at("orders")], [], environ=environ, unreadable=told.append) == []
    assert len(told) == 1


def test_a_share_is_never_rounded_up() -> None:
    known = [at(f"c{number}", schema=f"d{number}") for number in range(2000)]
    text = "".join(
        f"  - {{id: s{number}, source: {{engine: postgres, connection: c{number}}}}}\n"
        for number in range(1999)
    )
    found = coverage(known, [item.schedule for item in parse(HEAD + text).schedules], {})
    assert (found.count("unprotected"), found.percent_shown) == (1, 99.9)
