"""How far behind a standby is: it answers as if all were well, however long it has heard nothing of its primary."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

_LATE = timedelta(minutes=15)
_STATE = """
    SELECT pg_is_in_recovery(), pg_last_xact_replay_timestamp(), clock_timestamp(),
           EXISTS (SELECT 1 FROM pg_stat_wal_receiver),
           (SELECT bool_or(status = 'streaming' AND last_msg_receipt_time > clock_timestamp() - interval '2 minutes'
                           AND latest_end_lsn <= pg_last_wal_replay_lsn()) FROM pg_stat_wal_receiver)
"""


def behind(session: psycopg.Connection[Any]) -> list[str]:
    """
    Return a sentence where the newest change of a standby is old, and nothing shows that it follows its primary.

    A primary where nothing is changed looks the same to a role that may not see what the standby receives; the
    sentence is true then, too.
    """
    row = session.execute(_STATE).fetchone()
    assert row is not None
    is_standby, newest, now, receives, has_all = row
    if not is_standby or has_all:
        return []
    if newest is None:
        if receives:
            return []
        return [
            "the server is a standby that has replayed no change since it was started, and receives none now"
        ]
    if now - newest < _LATE:
        return []
    told = f"the server is a standby, and the newest change that it has is of {newest:%Y-%m-%d %H:%M:%S} UTC"
    return [f"{told}: does it still follow its primary? (a role with pg_read_all_stats sees that)"]
