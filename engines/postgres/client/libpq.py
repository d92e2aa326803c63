"""
What libpq is told: everything that the connection says, and nothing of the person who runs us.

Each client program and each session gets the server, the user, the password and the options from the
Airflow connection alone. Variables (``PG*``), ``~/.pgpass``, ``~/.pg_service.conf``, the certificates in
``~/.postgresql`` and ``~/.psqlrc`` belong to whoever happens to run the worker, and choose nothing.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from airflow_backup.core.connections import Connection
from airflow_backup.core.errors import ConfigError
from airflow_backup.core.format.checksums import Bytes
from airflow_backup.core.process.cage import apart
from airflow_backup.core.process.process import PIPE, Process

_ALL = 1_000_000
"""Lines of errors: each names something that did not go in."""
NOWHERE = "/nonexistent"
"""A folder that nobody has: libpq goes on without what it does not find there."""

_FILES = {
    "passfile": f"{NOWHERE}/pgpass",
    "sslcert": f"{NOWHERE}/postgresql.crt",
    "sslkey": f"{NOWHERE}/postgresql.key",
    "sslrootcert": f"{NOWHERE}/root.crt",
    "sslcrl": f"{NOWHERE}/root.crl",
}
_PASSED_ON = frozenset(
    (
        *(
            "channel_binding",
            "connect_timeout",
            "gssdelegation",
            "gssencmode",
            "gsslib",
            "hostaddr",
        ),
        *("keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval", "krbsrvname"),
        *("load_balance_hosts", "max_protocol_version", "min_protocol_version", "options"),
        *("application_name", "require_auth", "requirepeer", "ssl_max_protocol_version"),
        *(
            "ssl_min_protocol_version",
            "sslcert",
            "sslcertmode",
            "sslcompression",
            "sslcrl",
            "sslcrldir",
        ),
        *("sslkey", "sslmode", "sslnegotiation", "sslrootcert", "sslsni", "target_session_attrs"),
        *("tcp_user_timeout", "passfile"),
    )
)
_AIRFLOWS_OWN = frozenset(
    ("cursor", "enable_log_db_messages", "sqlalchemy_query", "sqlalchemy_scheme")
)
"""Extras that tell Airflow's own hook how to hand out rows; no backup depends on them."""

_FIELDS = {
    "host": "host",
    "port": "port",
    "user": "login",
    "dbname": "schema",
    "password": "password",
}
_lock = threading.Lock()
_hidden: dict[str, str] = {}
_hiding = 0


def parameters_of(found: Connection, database: str | None) -> dict[str, str]:
    """
    Return libpq's keywords for a connection, without the password; ConfigError for an extra that is none.

    >>> given = parameters_of(Connection("pg", host="db", extra={"sslmode": "require"}), "orders")
    >>> given["host"], given["port"], given["dbname"], given["sslmode"]
    ('db', '5432', 'orders', 'require')
    >>> parameters_of(Connection("pg", host="db", extra={"iam": True}), None)
    Traceback (most recent call last):
    airflow_backup.core.errors.ConfigError: connection 'pg' has the extra 'iam', which is not passed on to PostgreSQL
    HINT: leave it out, or use a connection of its own for backups
    """
    given = {
        "host": found.host,
        "port": str(found.port or 5432),
        "user": found.login,
        "dbname": database or found.schema or "postgres",
        "connect_timeout": "20",
        **_FILES,
        **{name: _plain(found, name) for name in found.extra if name not in _AIRFLOWS_OWN},
    }
    return {key: value for key, value in given.items() if value}


def _plain(found: Connection, name: str) -> str | None:
    if name in _FIELDS:
        raise ConfigError(
            f"connection '{found.id}' has the extra '{name}'",
            hint=f"write it into the field '{_FIELDS[name]}' of the connection",
        )
    if name not in _PASSED_ON:
        raise ConfigError(
            f"connection '{found.id}' has the extra '{name}', which is not passed on to PostgreSQL",
            hint="leave it out, or use a connection of its own for backups",
        )
    value = found.extra[name]
    if isinstance(value, bool):
        return "1" if value else "0"
    if not (value is None or isinstance(value, (str, int))):
        raise ConfigError(f"the extra '{name}' of connection '{found.id}' is no text and no number")
    return None if value is None else str(value)


def conninfo(facts: Mapping[str, str]) -> str:
    """
    Write facts as libpq reads them.

    >>> conninfo({"dbname": "it's"})
    "dbname='it\\\\'s'"
    """
    pairs = facts.items()
    return " ".join(
        f"{key}='{value}'"
        for key, value in ((k, v.replace("\\", "\\\\").replace("'", "\\'")) for k, v in pairs)
    )


def environment(password: str | None = None) -> dict[str, str]:
    """Return what a client program gets: no file of a person's own, and the password where there is one."""
    # C: what a program says is read by us, and must not depend on a language.
    own = {"HOME": NOWHERE, "LC_ALL": "C", "PGPASSFILE": _FILES["passfile"]}
    if password is not None:
        own["PGPASSWORD"] = password  # no file: a run that is killed would leave it behind
    return own


@contextmanager
def undisturbed() -> Iterator[None]:
    """Hide the ``PG*`` variables from a session that this very process opens; several may at once."""
    global _hiding
    with _lock:
        _hiding += 1
        if _hiding == 1:
            for key in [key for key in os.environ if key.startswith("PG")]:
                _hidden[key] = os.environ.pop(key)
    try:
        yield
    finally:
        with _lock:
            _hiding -= 1
            if _hiding == 0:
                os.environ.update(_hidden)
                _hidden.clear()


def start(
    command: Sequence[str],
    *,
    password: str | None = None,
    stdin: int | None = None,
    user: str | None = None,
    name: str | None = None,
    success_codes: Collection[int] = (0,),
    tail_lines: int = 200,
) -> Process:
    """Start a program of PostgreSQL, to be used in a ``with`` block."""
    return Process(
        command,
        environment=environment(password),
        stdin=stdin,
        user=user,
        name=name,
        success_codes=success_codes,
        tail_lines=tail_lines,
    )


def run(
    command: Sequence[str],
    *,
    password: str | None = None,
    user: str | None = None,
    name: str | None = None,
    warnings: list[str] | None = None,
) -> bytes:
    """Run a program to its end and return its output; EngineError when it fails."""
    with start(command, password=password, user=user, name=name) as process:
        output = b"".join(process.chunks())
    if warnings is not None:
        warnings += warnings_in(process)
    return output


def attempt(command: Sequence[str], *, password: str | None = None) -> tuple[str | None, list[str]]:
    """
    Run a program that goes on after an error, and ends with code 1 then.

    Returns what it said, or None where it succeeded, and what it warned of; EngineError for any other end.
    """
    with start(command, password=password, success_codes=(0, 1), tail_lines=_ALL) as process:
        for _ in process.chunks():
            pass
    return (process.errors if process.exit_code else None), warnings_in(process)


def feed(
    command: Sequence[str],
    chunks: Iterable[Bytes],
    *,
    password: str | None = None,
    name: str | None = None,
    warnings: list[str] | None = None,
) -> None:
    """Run a program on what ``chunks`` give it to read; EngineError when it fails."""
    with start(command, password=password, stdin=PIPE, name=name) as process:
        process.feed(chunks)
    if warnings is not None:
        warnings += warnings_in(process)


def run_apart(
    command: Sequence[str],
    *,
    read: Sequence[Path] = (),
    write: Sequence[Path] = (),
    run: Sequence[str] = (),
) -> bytes:
    """Run a program that reads files which came from a repository, in a sandbox; EngineError when it fails."""
    caged = apart(command, read=[*map(str, read)], write=[*map(str, write)], run=run)
    with start(caged, name=Path(command[0]).name) as process:
        return b"".join(process.chunks())


_MOST = 50


def warnings_in(process: Process) -> list[str]:
    """
    Return what a program that succeeded has warned of.

    Only lines that begin as warnings do, and what explains them: other lines may quote rows.
    """
    name = process.program
    found = [
        line.strip()[:500]
        for line in process.errors.splitlines()
        if line.startswith(
            (
                f"{name}: warning:",
                f"{name}: detail:",
                f"{name}: hint:",
                "WARNING:  ",
                "pg_restore: warning:",
            )
        )
    ]
    found = list(dict.fromkeys(found))
    return (
        found if len(found) <= _MOST else [*found[:_MOST], f"{len(found) - _MOST} more of {name}"]
    )
