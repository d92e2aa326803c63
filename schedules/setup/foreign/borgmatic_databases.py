"""The databases of borgmatic's configuration."""

from __future__ import annotations

from typing import Any

from airflow_backup.schedules.setup.draft import Draft, NeededConnection
from airflow_backup.schedules.setup.foreign.programs.notes import LOGIN_NOTE
from airflow_backup.schedules.setup.foreign.programs.postgres import ALL_DATABASES
from airflow_backup.schedules.setup.names import listed

ENGINES = {
    "postgresql_databases": "postgres",
    "mariadb_databases": "mysql",
    "mysql_databases": "mysql",
    "sqlite_databases": "sqlite",
}
UNKNOWN = ("mongodb_databases",)
_HANDLED = {
    *("name", "hostname", "port", "username", "password", "path", "label", "format", "compression"),
    *("restore_hostname", "restore_port", "restore_username", "restore_password", "restore_path"),
    *("skip_names", "container", "restore_container"),
}
_SSL = {
    "ssl_mode": "sslmode",
    "ssl_cert": "sslcert",
    "ssl_key": "sslkey",
    "ssl_root_cert": "sslrootcert",
}


def database(engine: str, given: Any, origin: str) -> Draft:
    """Make a schedule of one entry; ValueError for what is none."""
    if not isinstance(given, dict) or not isinstance(given.get("name"), (str, int)):
        raise ValueError("it has no name")
    name = str(given["name"])
    if "${" in name or name.startswith("{credential"):
        raise ValueError("only a variable of its environment can tell its name")
    left = sorted(str(key) for key in given if key not in _HANDLED and key not in _SSL)
    notes = [f"its options that were not carried over: {listed(left)}"] if left else []
    if engine == "sqlite":
        return _sqlite(name, given, origin, notes)
    if given.get("container"):
        notes.append(
            "borgmatic reached it inside a container; here the worker must reach it by host and port"
        )
    notes.append(LOGIN_NOTE)
    return _server(engine, name, given, origin, notes)


def _sqlite(name: str, given: dict[str, Any], origin: str, notes: list[str]) -> Draft:
    path = given.get("path")
    if not isinstance(path, str) or not path.startswith("/") or "${" in path:
        raise ValueError("it has no absolute path")
    return Draft(name, {"engine": "sqlite", "path": path}, origin, notes=tuple(notes))


def _server(engine: str, name: str, given: dict[str, Any], origin: str, notes: list[str]) -> Draft:
    extra = {}
    if engine == "postgres":
        extra = {ours: str(given[theirs]) for theirs, ours in _SSL.items() if given.get(theirs)}
    elif _SSL.keys() & given.keys():
        notes.append("its certificates belong into the extra of the connection")
    host, port = _text(given, "hostname"), _text(given, "port")
    connection = NeededConnection(engine, host, port, _text(given, "username"), extra)
    source: dict[str, Any] = {"engine": engine}
    if name != "all":
        source["database"] = name
    elif engine == "postgres":
        source["method"] = "physical"
        notes.append(ALL_DATABASES)
    if given.get("skip_names"):
        notes.append("here none of them is left out (`skip_names`)")
    called = name if name != "all" else f"{host or engine}-all"
    return Draft(called, source, origin, notes=tuple(notes), connection=connection)


def _text(given: dict[str, Any], key: str) -> str | None:
    """Return a value; none where another program is asked for it."""
    found = given.get(key)
    text = "" if found is None or isinstance(found, (dict, list)) else str(found)
    return None if not text or text.startswith(("{credential", "${")) else text
