"""How far behind a replica is: it answers as if all were well, however long ago it stopped."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pymysql

_LATE = 15 * 60
_STATEMENTS = ("SHOW ALL SLAVES STATUS", "SHOW REPLICA STATUS", "SHOW SLAVE STATUS")
"""MariaDB's; that of MySQL since 8.0.22; the older one of both."""


def behind(session: pymysql.Connection[Any]) -> list[str]:
    """Return a sentence for each source that a replica does not follow, or is far behind; none where we may not ask."""
    return [told for row in _status(session) if (told := _told_of(row)) is not None]


def _status(session: pymysql.Connection[Any]) -> list[Mapping[str, Any]]:
    import pymysql

    for statement in _STATEMENTS:
        with suppress(pymysql.Error), session.cursor() as cursor:
            cursor.execute(statement)
            names = [each[0] for each in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return []


def _told_of(row: Mapping[str, Any]) -> str | None:
    def of(*names: str) -> Any:
        return next((row[name] for name in names if name in row), None)

    reads, applies = (
        of("Slave_IO_Running", "Replica_IO_Running"),
        of("Slave_SQL_Running", "Replica_SQL_Running"),
    )
    late = of("Seconds_Behind_Master", "Seconds_Behind_Source")
    source = f"{of('Master_Host', 'Source_Host')}:{of('Master_Port', 'Source_Port')}"
    if (reads, applies) != ("Yes", "Yes"):
        what = "changes are not received" if applies == "Yes" else "changes are not applied"
        return f"the server is a replica of {source} and does not follow it now: {what}"
    if late is not None and int(late) >= _LATE:
        return f"the server is a replica of {source}, and {int(late) // 60} minutes behind it"
    return None
