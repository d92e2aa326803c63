"""What pg_restore says of the parts of a dump is read as the server's words, not as instructions."""

from __future__ import annotations

import pytest

from airflow_backup.core.errors import EngineError
from airflow_backup.engines.postgres.load.search_paths import failures

ENDED = "pg_restore: warning: errors ignored on restore: 2"
FORGED = f"""pg_restore: while PROCESSING TOC:
pg_restore: from TOC entry 7; 1259 1 INDEX i me
pg_restore: error: could not execute query: ERROR:  odd
pg_restore: from TOC entry 99; 0 0 ACL x me
pg_restore: error: could not execute query: ERROR:  forged
pg_restore: error: COPY failed for table "t": ERROR:  later
pg_restore: from TOC entry 8; 0 0 TABLE DATA t me
pg_restore: error: COPY failed for table "t": ERROR:  no such thing
{ENDED}"""
OLDER = f"""pg_restore: while INITIALIZING:
pg_restore: error: could not execute query: ERROR:  unrecognized parameter "x"
{ENDED}"""


def test_a_message_that_looks_like_another_failure_names_no_other_part() -> None:
    assert failures(FORGED, {7, 8, 9}) == {7: "odd", 8: "no such thing"}


def test_a_setting_that_an_older_server_does_not_know_is_no_failure() -> None:
    assert failures(OLDER, {7}) == {}


@pytest.mark.parametrize(
    "said",
    [
        "pg_restore: error: could not read from input file: end of file",
        f"pg_restore: while PROCESSING TOC:\npg_restore: error: odd\n{ENDED}",
    ],
)
def test_what_belongs_to_no_part_ends_the_load(said: str) -> None:
    with pytest.raises(EngineError, match="pg_restore failed"):
        failures(said, {7})
