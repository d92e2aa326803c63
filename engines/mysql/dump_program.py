"""The program that dumps: which options it gets, and what its dump does not hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from airflow_backup.core.errors import EngineError
from airflow_backup.engines.mysql.client.programs import told_by
from airflow_backup.engines.mysql.client.server import Server
from airflow_backup.engines.mysql.left_out import can_dump_history, shown
from airflow_backup.engines.mysql.server_state import ServerState

_HISTORY = "--dump-history"
_AS_BYTES, _AS_UNICODE = "--default-character-set=binary", "--default-character-set=utf8mb4"
_NAMES = b"SET NAMES binary "
_HEAD = 65536


def dump_command(
    server: Server,
    names: list[str],
    server_state: ServerState,
    *,
    has_place: bool,
    history: Sequence[str] = (),
    as_bytes: bool = False,
) -> list[str]:
    """
    Return the command of a dump, without the file that says how to log in.

    ``as_bytes`` writes every text as the bytes that it is, and not as Unicode.
    """
    program = server.tool("mariadb-dump")
    of_mysql = is_mysqls(program)
    options = [
        "--single-transaction",
        "--quick",
        "--routines",
        "--triggers",
        "--events",
        "--hex-blob",
        "--skip-add-locks",
        _AS_BYTES if as_bytes and server_state.is_mariadb and not of_mysql else _AS_UNICODE,
    ]
    if history and server_state.is_mariadb and can_dump_history(program):
        options.append(_HISTORY)
    if has_place:
        options.append("--source-data=2" if of_mysql else "--master-data=2")
    if of_mysql and not server_state.is_mariadb:
        options.append("--set-gtid-purged=COMMENTED")
    which = ["--databases", *names] if server.database is None else ["--", server.database]
    return [program, *options, *which]


def spoken(chunks: Iterable[bytes], command: Sequence[str]) -> Iterator[bytes]:
    """
    Yield a dump; one of bytes says in its head that its statements are in Unicode, as they are.

    >>> list(spoken([b"/*!40101 SET NAM", b"ES binary */;", b"..."], [_AS_BYTES]))
    [b'/*!40101 SET NAMES utf8mb4 */;', b'...']
    """
    if _AS_BYTES not in command:
        yield from chunks
        return
    rest, head = iter(chunks), b""
    for chunk in rest:
        head += chunk
        if _NAMES in head:
            break
        if len(head) > _HEAD:
            raise EngineError("the dump does not say in which character set it is")
    yield head.replace(_NAMES, b"SET NAMES utf8mb4 ", 1)
    yield from rest


def lost_by(history: Sequence[str], odd: Sequence[str], command: Sequence[str]) -> Iterator[str]:
    if history and _HISTORY not in command:
        yield f"the history of versioned tables is not in the set: {shown(history)}"
    if odd and _AS_BYTES not in command:
        yield f"what is no letter in Unicode becomes '?' in this dump: {shown(odd)}"


def is_mysqls(program: str) -> bool:
    """Whether a program is MySQL's own: MariaDB's have the same names and other options."""
    return "mariadb" not in _told(program).lower()


def version_by(program: str) -> str:
    found = re.search(r"(\d+\.\d+\.\d+)", _told(program))
    return found[1] if found else "?"


def _told(program: str) -> str:
    return told_by([program, "--no-defaults", "--version"]).output.decode("utf-8", "replace")
