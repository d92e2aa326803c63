"""What the role of a connection may do, asked before anything is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_backup.core.errors import BackupError, SourceDenied

LARGE_OBJECTS = "as a superuser: ALTER ROLE ... SET lo_compat_privileges = on;"

if TYPE_CHECKING:
    import psycopg

_REPLICATION = "SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user"
_LARGE_OBJECTS = """
    SELECT count(*) FROM pg_largeobject_metadata o
    WHERE NOT current_setting('lo_compat_privileges')::boolean
      AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
      AND NOT pg_has_role(lomowner, 'USAGE')
      AND NOT EXISTS (SELECT 1 FROM aclexplode(lomacl) a
                      WHERE a.privilege_type = 'SELECT' AND (a.grantee = 0 OR pg_has_role(a.grantee, 'USAGE')))
"""


def may_replicate(session: psycopg.Connection[Any]) -> bool:
    """Whether the role may take a physical backup."""
    row = session.execute(_REPLICATION).fetchone()
    return bool(row and row[0])


def unreadable(session: psycopg.Connection[Any]) -> list[BackupError]:
    """Return what a dump would stop at: large objects belong to no table, and `pg_read_all_data` is not for them."""
    row = session.execute(_LARGE_OBJECTS).fetchone()
    if row is None or not row[0]:
        return []
    return [
        SourceDenied(
            f"the role '{session.info.user}' may not read {row[0]} large objects of the database",
            hint=LARGE_OBJECTS,
        )
    ]
