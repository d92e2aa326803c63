"""Replication slots: they make the server keep WAL, until it is stored or until a copy has ended."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import TYPE_CHECKING, Any

from airflow_backup.core.errors import ConfigError, EngineError, ParentUnusable
from airflow_backup.core.text.durations import format_size
from airflow_backup.engines.postgres.client.snapshot import text_of_name
from airflow_backup.engines.postgres.options import PostgresOptions
from airflow_backup.engines.postgres.physical.cluster import position_of, text_of

if TYPE_CHECKING:
    import psycopg

_HELD_TOO_LONG = 16 * 1024**3
_MUCH = 1024**3
_HERE = "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END"


def slot_name(given: PostgresOptions, schedule_id: str | None) -> str:
    """
    Name the slot of a schedule.

    >>> source = PostgresOptions(engine="postgres", connection="pg", method="physical", wal="slot")
    >>> slot_name(source, "orders-eu")
    'airflow_backup_orders_eu_f7fd5d'
    """
    if given.slot is not None:
        return given.slot
    plain = schedule_id or given.connection
    digest = hashlib.sha256(plain.encode()).hexdigest()[:6]
    return f"airflow_backup_{re.sub('[^a-z0-9]', '_', plain.lower())[:40]}_{digest}"


def hold_wal(session: psycopg.Connection[Any]) -> str | None:
    """
    Keep the server from removing WAL as long as the session lasts; None where it has no slot to spare.

    The slot ends with the session, even when we are killed: it can fill no disk. It ends with any error
    of the session too, so nothing that may fail is asked there while it is needed.
    """
    import psycopg

    name = f"airflow_backup_{secrets.token_hex(8)}"
    try:
        session.execute("SELECT pg_create_physical_replication_slot(%s, true, true)", [name])
    except (
        psycopg.errors.ConfigurationLimitExceeded,
        psycopg.errors.ObjectNotInPrerequisiteState,  # it has none at all
    ):
        return None
    return name


def keep_slot(session: psycopg.Connection[Any], name: str, held: str | None) -> list[str]:
    """
    Make sure that a slot holds the WAL from the copy on, which ``held`` did until now; return warnings.

    Made when the copy is there, and not before: the slot of a run that was killed would never be emptied.
    """
    row = _slot(session, name)
    if row is not None and row[0] is not None and row[1] != "lost":
        kept = int(row[2] or 0)
        if kept > _HELD_TOO_LONG:
            told = f"the slot '{name}' keeps {format_size(kept)} of WAL on the server's disk"
            return [f"{told}: does the schedule have `archive_log` runs?"]
        return []
    if row is not None:
        session.execute("SELECT pg_drop_replication_slot(%s)", [name])
    lost = f"the slot '{name}' had lost WAL and was made anew: moments before this set and after"
    warnings = [] if row is None else [f"{lost} the last archived log cannot be restored"]
    return warnings + _make_permanent(session, held, name)


def _make_permanent(session: psycopg.Connection[Any], held: str | None, name: str) -> list[str]:
    import psycopg

    if held is not None:
        try:
            session.execute("SELECT pg_copy_physical_replication_slot(%s, %s, false)", [held, name])
        except psycopg.errors.ConfigurationLimitExceeded:
            pass  # there is room for one alone, and the error has released the temporary one
        else:
            return []
    try:
        session.execute("SELECT pg_create_physical_replication_slot(%s, true)", [name])
    except psycopg.errors.ConfigurationLimitExceeded as error:
        raise EngineError(
            f"the server has no slot left for '{name}'",
            hint="ALTER SYSTEM SET max_replication_slots",
        ) from error
    why = "the server has no second one to spare: max_replication_slots"
    return [
        f"the slot '{name}' begins after this set, and the next log may become a full set: {why}"
    ]


def forgotten_slots(
    session: psycopg.Connection[Any], *, own: str | None, beyond: int = _MUCH
) -> list[str]:
    """Name slots of this package that nobody reads and that keep more than ``beyond`` bytes of WAL."""
    rows = session.execute(
        f"SELECT slot_name::text, ({_HERE} - restart_lsn)::bigint FROM pg_replication_slots "  # noqa: S608  # ours
        "WHERE slot_name::text ~ '^airflow_backup_' AND NOT active AND NOT temporary "
        "AND restart_lsn IS NOT NULL ORDER BY 1"
    ).fetchall()
    return [
        f"the slot '{name}' keeps {format_size(int(kept))} of WAL on the server's disk and is not this "
        f"schedule's: does another one use it? SELECT pg_drop_replication_slot('{name}')"
        for name, kept in ((text_of_name(name), kept) for name, kept in rows)
        if name != own and int(kept) > beyond
    ]


def drop_slot(session: psycopg.Connection[Any], name: str, *, dry_run: bool = False) -> list[str]:
    """Remove a slot that no set and no run needs; return what was removed."""
    import psycopg

    row = _slot(session, name)
    if row is None:
        return []
    kept = format_size(max(0, int(row[2] or 0)))
    if not dry_run:
        try:
            session.execute("SELECT pg_drop_replication_slot(%s)", [name])
        except psycopg.errors.ObjectInUse:  # somebody reads it at this moment
            return []
    return [f"the replication slot '{name}', which kept {kept} of WAL"]


def held_from(session: psycopg.Connection[Any], name: str) -> int:
    """Return from where on the server keeps WAL for the slot; ParentUnusable without it."""
    row = _slot(session, name)
    if row is None:
        raise ParentUnusable(f"there is no slot '{name}' on the server")
    if row[0] is None or row[1] == "lost":
        raise ParentUnusable(f"the slot '{name}' has lost WAL", hint="max_slot_wal_keep_size?")
    return position_of(row[0])


def hold_from(session: psycopg.Connection[Any], name: str, begin: int) -> None:
    """Let the server remove WAL before ``begin``, because that is stored."""
    if held_from(session, name) < begin:
        session.execute("SELECT pg_replication_slot_advance(%s, %s)", [name, text_of(begin)])


def _slot(session: psycopg.Connection[Any], name: str) -> tuple[Any, ...] | None:
    row = session.execute(
        f"SELECT restart_lsn::text, wal_status, ({_HERE} - restart_lsn)::bigint, slot_type "  # noqa: S608  # ours
        "FROM pg_replication_slots WHERE slot_name = %s",
        [name],
    ).fetchone()
    if row is not None and row[3] != "physical":
        raise ConfigError(
            f"the slot '{name}' is a logical one", hint="name another: source: {slot: ...}"
        )
    return row
