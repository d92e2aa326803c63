"""
Airflow's own table of connections: where they lead, and no password.

The page asks here, and so does the command line, in a process of its own that has Airflow.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Mapping
from typing import Any

from airflow.models.connection import Connection as AirflowConnection
from airflow.models.crypto import get_fernet
from airflow.utils.session import create_session
from cryptography.fernet import InvalidToken
from sqlalchemy import select
from sqlalchemy.orm import Session

from airflow_backup.core.connections import Connection


def connections(session: Session, extras: Mapping[str, Collection[str]]) -> list[Connection]:
    """
    Return the connections of Airflow's own table, without logins and passwords.

    ``extras`` are those that are read, by the type of the connection. One whose extra cannot be read, because the key
    of Airflow changed or because it is no JSON, says so: it must not take the others with it.
    """
    found = AirflowConnection
    columns = (found.conn_id, found.conn_type, found.host, found.port, found.schema)
    more = (found._extra, found.is_extra_encrypted)  # not the whole row: that decrypts its password
    return [_connection(row, extras) for row in session.execute(select(*columns, *more))]


def _connection(row: Any, extras: Mapping[str, Collection[str]]) -> Connection:
    wanted = extras.get(row.conn_type or "", ())
    given: dict[str, Any] | None = {}
    if wanted and row._extra:
        given = _extra(row._extra, is_encrypted=row.is_extra_encrypted)
    return Connection(
        id=row.conn_id,
        type=row.conn_type or "",
        host=row.host,
        port=row.port,
        schema=row.schema,
        extra={name: given[name] for name in wanted if name in given} if given else {},
        unread=given is None,
    )


def _extra(text: str, *, is_encrypted: bool) -> dict[str, Any] | None:
    try:
        whole = get_fernet().decrypt(text.encode()).decode() if is_encrypted else text
        found = json.loads(whole)
    except (ValueError, InvalidToken):
        return None
    return found if isinstance(found, dict) else None


def main() -> None:
    """Print them as JSON, for a process that may not or can not import Airflow; the argument is ``extras``."""
    with create_session(scoped=False) as session:
        found = connections(session, json.loads(sys.argv[1]))
    told = [
        [each.id, each.type, each.host, each.port, each.schema, dict(each.extra), each.unread]
        for each in found
    ]
    sys.stdout.write(f"\nCONNECTIONS {json.dumps(told)}\n")


if __name__ == "__main__":
    main()
