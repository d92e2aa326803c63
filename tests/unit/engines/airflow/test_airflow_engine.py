"""The engine on a small installation of our own making: what it refuses, what it leaves alone, what it says."""

from __future__ import annotations

import base64
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from airflow_backup.actions.backup.result import BackupResult
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import Connection
from airflow_backup.core.errors import (
    BackupError,
    ConfigError,
    FormatError,
    NotFound,
    Refused,
    SourceError,
    VerifyError,
)
from airflow_backup.core.format.state import check_state
from airflow_backup.engines.airflow.engine import AirflowEngine
from airflow_backup.engines.airflow.options import AirflowOptions
from airflow_backup.engines.airflow.state import AirflowState
from airflow_backup.engines.postgres.options import PostgresOptions
from airflow_backup.engines.protocol import EngineContext, SetReader
from airflow_backup.schedules.model.paths import outside
from airflow_backup.schedules.model.schedule import Schedule
from support.stored.sets import PlainJob, chain_of, take

KEY, OTHER = (base64.urlsafe_b64encode(bytes([n]) * 32).decode() for n in (1, 2))
TABLES = """
CREATE TABLE dag_bundle (name, version);
INSERT INTO dag_bundle VALUES ('dags-folder', NULL), ('etl', 'abc123');
CREATE TABLE connection (conn_id, password, extra, is_encrypted, is_extra_encrypted);
CREATE TABLE variable (id, val, is_encrypted);
CREATE TABLE job (latest_heartbeat);
"""
NOW = datetime(2026, 5, 4, 2, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation that the variables of this process name."""
    for name in list(os.environ):
        if name.startswith("AIRFLOW"):
            monkeypatch.delenv(name)
    found = tmp_path / "home"
    (found / "dags").mkdir(parents=True)
    (found / "dags" / "hello.py").write_text("HELLO = 1\n")
    (found / "airflow.cfg").write_text(f"[core]\nfernet_key = {KEY}\nparallelism = 3\n")
    with closing(sqlite3.connect(found / "airflow.db")) as database:
        database.executescript(TABLES)
        token = Fernet(KEY.encode()).encrypt(b"pw").decode()
        database.execute("INSERT INTO connection VALUES ('shop', ?, NULL, 1, 0)", [token])
        database.commit()
    monkeypatch.setenv("AIRFLOW_HOME", str(found))
    return found


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    with Catalog.open("sqlite://") as catalog:
        yield catalog


def job(home: Path, **options: Any) -> PlainJob:
    source = AirflowOptions(engine="airflow", **options)
    return PlainJob(source, f"file://{home.parent}/repository", id="itself")


def context(**facts: Any) -> EngineContext:
    return EngineContext(clock=lambda: NOW, source=AirflowOptions(engine="airflow"), **facts)


def whole(home: Path, catalog: Catalog) -> tuple[BackupResult, SetReader]:
    work = job(home)
    result = take(work, catalog)
    return result, chain_of(work, result)[-1]


def check(source: AirflowOptions | None = None, **facts: Any) -> list[BackupError]:
    return AirflowEngine().check(source or AirflowOptions(engine="airflow"), context(**facts))


def test_bundles_elsewhere_are_named_with_the_version_that_airflow_had(
    home: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = [
        {"name": "dags-folder", "classpath": LOCAL, "kwargs": {}},
        {"name": "etl", "classpath": "git.GitDagBundle", "kwargs": {"git_conn_id": "git"}},
    ]
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps(told))
    _, stored = whole(home, catalog)
    assert stored.manifest.state["elsewhere"] == [
        {"name": "etl", "classpath": "git.GitDagBundle", "version": "abc123"}
    ]


LOCAL = "airflow.dag_processing.bundles.local.LocalDagBundle"


def test_links_and_odd_names_in_a_dag_folder_come_back_and_lead_nowhere(
    home: Path, catalog: Catalog, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("not of the bundle")
    (home / "dags" / "link").symlink_to(tmp_path / "outside")
    odd = os.fsencode(home / "dags") + b"/\xff\n'$(id).py"
    Path(os.fsdecode(odd)).write_bytes(b"odd")
    _, stored = whole(home, catalog)
    AirflowEngine().restore([stored], tmp_path / "back", context())
    back = tmp_path / "back" / "bundles" / "dags-folder"
    assert os.readlink(back / "link") == str(tmp_path / "outside")
    assert Path(os.fsdecode(os.fsencode(back) + b"/\xff\n'$(id).py")).read_bytes() == b"odd"


@pytest.mark.parametrize("above", [False, True])
def test_a_bundle_that_holds_airflows_own_folder_has_no_key_and_no_torn_database_in_it(
    above: bool, home: Path, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mono").mkdir()
    own = home.rename(tmp_path / "mono" / "[air] #1!*")
    monkeypatch.setenv("AIRFLOW_HOME", str(own))
    (tmp_path / "link").symlink_to(own.parent if above else own)
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(tmp_path / "link"))
    (own / "logs").mkdir()
    (own / "dags" / "logs").mkdir()
    for name in (
        "logs/x.log",
        "dags/logs/kept.py",
        "webserver_config.py",
        "airflow.db-wal",
        "airflow.cfg.py",
    ):
        (own / name).write_text("")
    (own / "simple_auth_manager_passwords.json.generated").write_text('{"admin": "canary"}')
    _, stored = whole(tmp_path / "mono", catalog)
    AirflowEngine().restore([stored], tmp_path / "back", context())
    back = tmp_path / "back" / "bundles" / "dags-folder" / (own.name if above else "")
    files = sorted(str(each.relative_to(back)) for each in back.rglob("*") if each.is_file())
    assert files == ["airflow.cfg.py", "dags/hello.py", "dags/logs/kept.py"]


def test_a_set_does_not_say_that_it_needs_no_key_where_something_is_encrypted(
    home: Path, catalog: Catalog
) -> None:
    (home / "airflow.cfg").write_text("[core]\nfernet_key =\n")
    with pytest.raises(SourceError, match="fernet_key is empty here, and 1 secrets"):
        whole(home, catalog)
    assert [each for each in check() if "is empty here" in str(each)]


def test_what_is_not_wanted_may_be_damaged(home: Path, catalog: Catalog, tmp_path: Path) -> None:
    _, stored = whole(home, catalog)
    next((tmp_path / "repository").rglob("airflow.cfg.*")).write_bytes(b"damaged")
    AirflowEngine().restore([stored], tmp_path / "back", context(), only=["database"])
    assert (tmp_path / "back" / "database" / "airflow.db").exists()
    with pytest.raises(VerifyError):
        AirflowEngine().restore([stored], tmp_path / "all", context())


def test_a_text_that_is_no_utf_8_is_an_error_with_words(home: Path) -> None:
    with closing(sqlite3.connect(home / "airflow.db")) as database:
        database.execute("INSERT INTO variable VALUES (1, CAST(x'ff41' AS TEXT), 1)")
        database.commit()
    assert [each for each in check() if "Could not decode to UTF-8" in str(each)]


def test_a_version_of_any_length_makes_a_set_that_is_read(
    home: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = [{"name": "etl", "classpath": "git.GitDagBundle"}]
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps(told))
    with closing(sqlite3.connect(home / "airflow.db")) as database:
        database.execute("UPDATE dag_bundle SET version = ?", ["v" * 2000])
        database.commit()
    _, stored = whole(home, catalog)
    assert stored.manifest.state["elsewhere"][0]["version"] == "v" * 1000


def test_a_missing_or_empty_bundle_is_no_backup(home: Path) -> None:
    (home / "dags" / "hello.py").unlink()
    assert [str(each) for each in check() if "there is nothing in" in str(each)]
    (home / "dags").rmdir()
    assert [each for each in check() if isinstance(each, SourceError)]


def test_a_database_that_is_not_airflows_is_no_backup(home: Path) -> None:
    with closing(sqlite3.connect(home / "airflow.db")) as database:
        database.execute("DROP TABLE dag_bundle")
    (problem,) = check()
    assert "not that of an Airflow 3" in str(problem)


HIDDEN = "airflow-db-not-allowed:///"


@pytest.mark.parametrize(
    ("beat", "accepted"),
    [
        (NOW - timedelta(minutes=1), True),
        (NOW - timedelta(minutes=11), False),
        (NOW - timedelta(days=300), False),
        (None, False),
    ],
)
def test_where_the_address_is_hidden_only_a_living_database_is_taken(
    beat: datetime | None, accepted: bool, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(home / "airflow.db")) as database:
        text = None if beat is None else f"{beat:%Y-%m-%d %H:%M:%S.%f}"
        database.execute("INSERT INTO job VALUES (?)", [text])
        database.commit()
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", HIDDEN)
    problems = check()
    assert (problems == []) is accepted, problems
    if not accepted:
        assert "connection: airflow_db" in (problems[0].hint or "")


@pytest.mark.parametrize(
    "address",
    [
        "postgresql+psycopg2://air:canary@db/airflow",
        "mysql://air:canary@db/airflow",
        "sqlite:///relative.db",
        "sqlite://",
        "canary",
    ],
)
def test_the_address_of_a_server_is_asked_for_and_never_shown(
    address: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", address)
    (problem,) = check()
    assert isinstance(problem, ConfigError)
    assert "connection: airflow_db" in str(problem)
    assert "canary" not in str(problem)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Connection("db", type="postgres", host="h"), "names no database"),
        (Connection("db", type="mysql", host="h"), "names no database"),
        (Connection("db", type="http", host="h"), "must be postgres, mysql or sqlite"),
        (Connection("db", type="sqlite", host="relative"), "does not name a database file"),
    ],
)
def test_a_connection_that_is_not_to_one_database_is_refused(
    found: Connection, said: str, home: Path
) -> None:
    source = AirflowOptions(engine="airflow", connection="db")
    problems = check(source, connections=lambda _: found)
    assert said in str(problems[0])


def test_what_is_read_has_the_names_that_the_engines_of_its_parts_give_it(home: Path) -> None:
    found = Connection("db", type="postgres", host="h", schema="airflow")
    itself = AirflowOptions(engine="airflow", connection="db").places(lambda _: found)
    dump = PostgresOptions(engine="postgres", connection="db").places(lambda _: found)
    assert set(dump) < set(itself)
    assert [place for place in itself if place.endswith(f"{home}/airflow.cfg")]


def test_a_set_that_is_larger_than_any_of_ours_is_not_read_into_memory(
    home: Path, catalog: Catalog
) -> None:
    _, stored = whole(home, catalog)
    for stream in ("airflow.cfg", "packages.txt"):
        huge = Changed(stored)
        pieces = [
            each.model_copy(update={"raw_size": 2**40}) if each.stream == stream else each
            for each in stored.manifest.pieces
        ]
        huge.manifest = huge.manifest.model_copy(update={"pieces": tuple(pieces)})
        with pytest.raises(VerifyError, match=f"{stream} of set"):
            AirflowEngine().check_format(huge)


def test_a_schedule_behind_the_fence_reads_only_what_lies_within_the_roots(
    home: Path, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x.py").write_text("")
    assert check(source_roots=[str(home)]) == []
    assert isinstance(check(source_roots=[])[0], Refused)
    (refused,) = check(source_roots=[f"{home}/dags", f"{home}/airflow.db"])
    assert str(refused).startswith("the configuration")
    with monkeypatch.context() as patch:
        patch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(elsewhere))
        assert [each for each in check(source_roots=[str(home)]) if isinstance(each, Refused)]
    (home / "dags" / "hello.py").unlink()
    (home / "dags").rmdir()
    (home / "dags").symlink_to(elsewhere)
    assert [each for each in check(source_roots=[str(home)]) if isinstance(each, Refused)]
    (home / "airflow.db").rename(elsewhere / "airflow.db")
    (home / "airflow.db").symlink_to(elsewhere / "airflow.db")
    assert [each for each in check(source_roots=[str(home)]) if "the database" in str(each)]


def test_a_definition_on_the_page_is_refused_where_the_configuration_may_not_be_read(
    home: Path,
) -> None:
    facts = {"id": "x", "source": {"engine": "airflow"}, "preset": "daily"}
    schedule = Schedule.model_validate(facts | {"repository": "s3://b/x"})

    def judged(*roots: str) -> list[str]:
        found = outside(schedule, source_roots=roots, repository_roots=["/"])
        return [each.path for each in found]

    assert judged() == judged(str(home / "dags")) == [str(home / "airflow.cfg")]
    assert judged(str(home)) == []


def test_a_key_that_is_not_known_is_told_in_the_set(home: Path, catalog: Catalog) -> None:
    (home / "airflow.cfg").write_text("[core]\nfernet_key_cmd = false\n")
    _, stored = whole(home, catalog)
    assert "the Fernet key is not known here" in stored.manifest.warnings[0]
    assert stored.manifest.state["fernet"]["known"] == "unknown"


def test_the_key_may_be_changed_while_the_set_is_taken(
    home: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rotate(*given: Any, **more: Any) -> Any:
        report = before(*given, **more)
        with closing(sqlite3.connect(home / "airflow.db")) as database:
            token = Fernet(OTHER.encode()).encrypt(b"pw").decode()
            database.execute("UPDATE connection SET password = ?", [token])
            database.commit()
        return report

    from airflow_backup.engines.sqlite.engine import SqliteEngine

    before = SqliteEngine.dump
    monkeypatch.setattr(SqliteEngine, "dump", rotate)
    with pytest.raises(SourceError, match="decrypts none"):
        whole(home, catalog)


def test_parts_are_restored_by_their_names(home: Path, catalog: Catalog, tmp_path: Path) -> None:
    (home / "plugins").mkdir()
    (home / "plugins" / "p.py").write_text("")
    (home / "dags" / "other.py").write_text("")
    _, stored = whole(home, catalog)
    engine = AirflowEngine()

    def restored(*only: str) -> list[str]:
        target = tmp_path / f"only-{len(list(tmp_path.iterdir()))}"
        engine.check_parts([stored], only, context())
        engine.restore([stored], target, context(), only=only)
        found = (each for each in target.rglob("*") if each.is_file())
        return sorted(str(each.relative_to(target)) for each in found)

    assert restored("airflow.cfg") == ["airflow.cfg"]
    assert restored("plugins/", "database") == ["database/airflow.db", "plugins/p.py"]
    assert restored("bundles/dags-folder/hello.py") == ["bundles/dags-folder/hello.py"]
    assert len(restored("bundles")) == 2
    for wrong in ("gone", "bundles/gone", "bundles/dags-folder/gone.py", "../x", "data"):
        with pytest.raises(NotFound):
            engine.check_parts([stored], [wrong], context())


PLANTED: dict[str, dict[str, Any]] = {
    "two engines": {"database": {"postgres": {"method": "logical"}}},
    "physical": {"database": {"sqlite": None, "postgres": {"method": "physical"}}},
    "a way out": {"folders": [{"name": "../x"}]},
    "hidden": {"folders": [{"name": ".ssh"}]},
    "absolute": {"folders": [{"name": "/etc"}]},
    "two of one name": {"folders": [{}, {}]},
    "another use": {"folders": [{"use": "database"}]},
    "no fingerprints": {"fernet": {"known": "keys", "fingerprints": []}},
    "a number": {"home": 7},
}


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_a_planted_state_is_refused(planted: dict[str, Any], home: Path, catalog: Catalog) -> None:
    _, stored = whole(home, catalog)
    state = json.loads(json.dumps(stored.manifest.state))
    for key, change in planted.items():
        if key == "folders":
            state[key] = [{**state[key][0], **each} for each in change]
        else:
            state[key] = {**state[key], **change} if isinstance(change, dict) else change
    with pytest.raises(VerifyError):
        check_state(stored.manifest.model_copy(update={"state": state}), AirflowState)


class Changed:
    """A set with another manifest, and streams that may be empty."""

    def __init__(self, stored: SetReader, *, empty: str = "", **state: Any) -> None:
        told = {**stored.manifest.state, **state}
        self.manifest = stored.manifest.model_copy(update={"state": told})
        self._stored, self._empty = stored, empty

    def blocks(self, stream: str, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        if stream != self._empty:
            yield from self._stored.blocks(stream, begin, end)


def test_a_part_of_another_layout_is_refused(home: Path, catalog: Catalog) -> None:
    _, stored = whole(home, catalog)
    database = {**stored.manifest.state["database"], "layout": "2"}
    with pytest.raises(FormatError, match="layout '2' of the sqlite engine"):
        AirflowEngine().check_format(Changed(stored, database=database))


def test_each_stream_that_is_empty_is_found(home: Path, catalog: Catalog, tmp_path: Path) -> None:
    _, stored = whole(home, catalog)
    engine = AirflowEngine()
    for stream in set(stored.manifest.streams) - {"database.sqlite", "pages.table"}:
        with pytest.raises(VerifyError):
            engine.decode([Changed(stored, empty=stream)], context(scratch=tmp_path))
    with pytest.raises(VerifyError):  # a file of no bytes is a database without tables
        engine.check_structure([Changed(stored, empty="database.sqlite")])
    assert engine.decode([Changed(stored, empty="database.sqlite")], context()).counts == {}


def test_what_is_damaged_is_named_by_its_place(home: Path, catalog: Catalog) -> None:
    _, stored = whole(home, catalog)
    engine = AirflowEngine()
    found = {name: engine.concerned(stored, name, 0, 10_000) for name in stored.manifest.streams}
    assert found["airflow.cfg"] == ["airflow.cfg"]
    assert found["database.sqlite"] == ["database"]
    assert "bundles/dags-folder/hello.py" in found["folder-1.files.tar"]


def test_an_sqlite_database_is_not_loaded_into_a_server(home: Path, catalog: Catalog) -> None:
    _, stored = whole(home, catalog)
    with pytest.raises(ConfigError, match="into a folder"):
        AirflowEngine().load([stored], context(), connection="db")


def test_the_key_here_is_looked_for_where_the_schedule_says(
    home: Path, catalog: Catalog, tmp_path: Path
) -> None:
    _, stored = whole(home, catalog)
    other = tmp_path / "other"
    other.mkdir()
    (other / "airflow.cfg").write_text(f"[core]\nfernet_key = {OTHER}\n")
    engine = AirflowEngine()
    given = replace(context(), source=AirflowOptions(engine="airflow", home=str(other)))
    (word,) = engine.restore([stored], tmp_path / "back", given).warnings
    assert "is not the one of the set" in word
    assert list(engine.restore([stored], tmp_path / "again", context()).warnings) == []
    assert "is the one of the set" in engine.decode([stored], context()).checks[-1]
