"""Where a PostgreSQL cluster stands: who it is, and how far its WAL is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_backup.core.errors import EngineError, ParentUnusable

if TYPE_CHECKING:
    import psycopg

_IDENTITY = """
    SELECT s.system_identifier::text,
           (SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size'),
           pg_is_in_recovery(),
           CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END::text,
           c.timeline_id,
           (SELECT sum(CASE WHEN has_database_privilege(oid, 'CONNECT') THEN pg_database_size(oid) ELSE 0 END)::bigint
            FROM pg_database),
           (SELECT rolname::text FROM pg_roles WHERE oid = 10),
           clock_timestamp(),
           current_setting('archive_mode') <> 'off',
           (SELECT count(*) FROM pg_subscription WHERE subenabled),
           pg_postmaster_start_time()
    FROM pg_control_system() s, pg_control_checkpoint() c
"""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Version, identity, size, timeline and WAL position of a PostgreSQL cluster at one moment."""

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

    archives: bool
    subscriptions: int
    """How many are enabled, in all databases."""

    began: datetime
    """When the server was started."""

    @classmethod
    def of(cls, session: psycopg.Connection[Any]) -> Cluster:
        """Read the state of a cluster in one session."""
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
            archives=row[8],
            subscriptions=int(row[9]),
            began=row[10],
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


def now_of(session: psycopg.Connection[Any]) -> datetime:
    """Return what the server's clock says."""
    row = session.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    found: datetime = row[0]
    return found


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
