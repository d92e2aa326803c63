"""
Tells whether a server still has the past that stored sets have: its data folder may have been put back.

Positions in the WAL are numbers that go up. A server that was put back to an older state (a snapshot of its machine,
or a restore) runs through the same numbers again, with other contents. What is built upon a set of the time that
is forgotten now would restore to a mixture of both, or not at all.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_backup.core.errors import ParentUnusable

if TYPE_CHECKING:
    import psycopg

_PATIENCE, _POLL = 30.0, 0.5
_CHUNK = 1 << 20
_SUMMARIES = """
    SELECT bool_or(start_lsn = %(at)s::pg_lsn OR end_lsn = %(at)s::pg_lsn), bool_or(end_lsn >= %(at)s::pg_lsn)
    FROM pg_available_wal_summaries() WHERE tli = %(timeline)s
"""


def check_summaries(
    session: psycopg.Connection[Any], set_id: str, start: str, timeline: int
) -> None:
    """
    Raise ParentUnusable where the server began no summary of its WAL at the position at which a set began.

    Every copy begins with a checkpoint, and at every checkpoint a summary ends and another one begins.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        row = session.execute(_SUMMARIES, {"at": start, "timeline": timeline}).fetchone()
        assert row is not None
        if row[0]:
            return
        if row[1]:
            raise ParentUnusable(
                f"the server knows no checkpoint at {start}, where set '{set_id}' began: was its data folder put back?"
            )
        if time.monotonic() > deadline:
            return  # pg_basebackup says what is missing
        time.sleep(_POLL)


def tail_of(segment: Path, end: int, size: int) -> str:
    """Return the digest of what a segment holds up to the position ``end``: by that a log is known again."""
    digest, left = hashlib.sha256(), (end - 1) % size + 1
    with segment.open("rb") as stream:
        while left and (chunk := stream.read(min(left, _CHUNK))):
            digest.update(chunk)
            left -= len(chunk)
    return digest.hexdigest()
