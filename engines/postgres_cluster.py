"""Where a PostgreSQL cluster stands: who it is, how far its WAL is, and which slot holds the WAL for us."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_backup.core.durations import format_size
from airflow_backup.core.errors import ConfigError, EngineError, ParentUnusable
from airflow_backup.schedules.sources import PostgresSource

if TYPE_CHECKING:
    import psycopg

_HELD_TOO_LONG = 16 * 1024**3
_IDENTITY = """
    SELECT s.system_identifier::text,
           (SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size'),
           pg_is_in_recovery(),
           CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END::text,
           c.timeline_id,
           (SELECT sum(pg_database_size(oid))::bigint FROM pg_database),
           (SELECT rolname::text FROM pg_roles WHERE oid = 10),
           clock_timestamp()
    FROM pg_control_system() s, pg_control_checkpoint() c
"""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster at one moment."""

    version: int
    version_text: str
    system: str
    segment_size: int
    is_standby: bool
    position: int
    """Where its WAL is."""

    timeline: int
    size: int
    superuser: str
    now: datetime
    """By its own clock, which is the one in the WAL."""

    @classmethod
    def of(cls, session: psycopg.Connection[Any]) -> Cluster:
        """Ask the server."""
        row = session.execute(_IDENTITY).fetchone()
        assert row is not None
        timeline = int(row[4])
        if not row[2]:  # the control file lags behind a promotion until the next checkpoint
            name = session.execute("SELECT pg_walfile_name(pg_current_wal_lsn())").fetchone()
            assert name is not None
            timeline = int(name[0][:8], 16)
        return cls(
            version=session.info.server_version // 10000,
            version_text=session.info.parameter_status("server_version") or "?",
            system=row[0],
            segment_size=int(row[1]),
            is_standby=row[2],
            position=position_of(row[3]),
            timeline=timeline,
            size=int(row[5]),
            superuser=row[6],
            now=row[7],
        )

    def state(self, *, begin: int, end: int, since: str | None = None) -> dict[str, Any]:
        """
        Return what the manifest keeps of the WAL from ``begin`` to ``end``.

        ``since`` is where the chain began, and the first of its logs begins.
        """
        return {
            "since": since or text_of(begin),
            "system": self.system,
            "timeline": self.timeline,
            "segment_size": self.segment_size,
            "begin": text_of(begin),
            "end": text_of(end),
        }

    def is_same(self, state: Mapping[str, Any]) -> bool:
        """Whether the WAL of a set is of this cluster and timeline."""
        return (state.get("system"), state.get("timeline")) == (self.system, self.timeline)

    def check_same(self, state: Mapping[str, Any], set_id: str) -> None:
        """Raise ParentUnusable when the WAL of a set is not of this cluster and timeline."""
        if state.get("system") != self.system:
            raise ParentUnusable(f"set '{set_id}' is of another cluster")
        if state.get("timeline") != self.timeline:
            raise ParentUnusable(
                f"the server is on timeline {self.timeline}, and set '{set_id}' on {state.get('timeline')}"
            )


def position_of(text: str) -> int:
    """
    Read a position in the WAL.

    >>> hex(position_of("1/3000028")), text_of(0x103000028)
    ('0x103000028', '1/3000028')
    """
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


def text_of(position: int) -> str:
    """Write a position as PostgreSQL does."""
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"


def segment_name(timeline: int, number: int, size: int) -> str:
    """
    Name the file of a segment.

    >>> segment_name(1, 0x103000028 // 2**24, 2**24)
    '000000010000000100000003'
    """
    high, low = divmod(number, 2**32 // size)
    return f"{timeline:08X}{high:08X}{low:08X}"


def slot_name(given: PostgresSource, schedule_id: str | None) -> str:
    """
    Name the slot of a schedule.

    >>> source = PostgresSource(engine="postgres", connection="pg", method="physical", wal="slot")
    >>> slot_name(source, "orders-eu")
    'airflow_backup_orders_eu_f7fd5d'
    """
    if given.slot is not None:
        return given.slot
    plain = schedule_id or given.connection
    digest = hashlib.sha256(plain.encode()).hexdigest()[:6]
    return f"airflow_backup_{re.sub('[^a-z0-9]', '_', plain.lower())[:40]}_{digest}"


def make_slot(session: psycopg.Connection[Any], name: str) -> list[str]:
    """Make sure that the slot is there and holds WAL from here on; return what is worth a warning."""
    row = _slot(session, name)
    if row is not None and row[0] is not None and row[1] != "lost":
        held = int(row[2] or 0)
        if held > _HELD_TOO_LONG:
            kept = f"the slot '{name}' keeps {format_size(held)} of WAL on the server's disk"
            return [f"{kept}: does the schedule have `archive_log` runs?"]
        return []
    if row is not None:
        session.execute("SELECT pg_drop_replication_slot(%s)", [name])
    session.execute("SELECT pg_create_physical_replication_slot(%s, true)", [name])
    lost = f"the slot '{name}' had lost WAL and was made anew: moments before this set and after"
    return [] if row is None else [f"{lost} the last archived log cannot be restored"]


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
    here = (
        "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END"
    )
    row = session.execute(
        f"SELECT restart_lsn::text, wal_status, ({here} - restart_lsn)::bigint, slot_type "  # noqa: S608  # ours
        "FROM pg_replication_slots WHERE slot_name = %s",
        [name],
    ).fetchone()
    if row is not None and row[3] != "physical":
        raise ConfigError(
            f"the slot '{name}' is a logical one", hint="name another: source: {slot: ...}"
        )
    return row


def end_segment(session: psycopg.Connection[Any], segment_size: int) -> int:
    """
    Return a position up to which the WAL can be collected, at the end of a segment where we may end one.

    A commit is written first: the moment before it can be restored exactly, even on an idle server.
    """
    import psycopg

    session.execute("SELECT pg_current_xact_id()")
    position = _position(session, "insert")
    try:
        session.execute("SELECT pg_switch_wal()")
    except psycopg.errors.InsufficientPrivilege:
        for _ in range(300):  # the background writer does it within a second
            if _position(session, "flush") >= position:
                return position
            time.sleep(0.1)
        raise EngineError("the server has not written its WAL to disk for 30 seconds") from None
    return -(-position // segment_size) * segment_size


def _position(session: psycopg.Connection[Any], which: str) -> int:
    row = session.execute(f"SELECT pg_current_wal_{which}_lsn()::text".encode()).fetchone()  # ours
    assert row is not None
    return position_of(row[0])
