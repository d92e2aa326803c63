"""psql takes commands of its own from a script; what a dump says is none."""

from __future__ import annotations

import pytest

from airflow_backup.core.errors import ToolMissing
from airflow_backup.engines.postgres.load.whole import _older

TITLE = b"--\n-- PostgreSQL database dump\n--\n\n"
SETTINGS = b"SET a = 0;\nSET b = 0;\nSET transaction_timeout = 0;\nSELECT 1;\n"


def test_a_script_that_forbids_psqls_commands_is_passed_on() -> None:
    script = TITLE + b"\\restrict Key\n\n-- Dumped from database version 17.6\n" + SETTINGS
    told = b"".join(_older([script], 16))
    assert told == script.replace(b"SET transaction_timeout = 0;\n", b"")


@pytest.mark.parametrize(
    "version",
    [b"15", b"15\n\\restrict x\n\\unrestrict x\n\\! touch ran", b"\\restrict x\n\\! touch ran"],
)
def test_a_dump_cannot_say_itself_that_psqls_commands_are_forbidden(version: bytes) -> None:
    script = TITLE + b"-- Dumped from database version " + version + b"\n" + SETTINGS
    with pytest.raises(ToolMissing, match="a script that psql could take commands from"):
        list(_older([script], 16))
