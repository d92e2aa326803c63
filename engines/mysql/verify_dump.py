"""Reads a dump of MariaDB or MySQL to its end without a server."""

from __future__ import annotations

import re

from airflow_backup.core.errors import VerifyError
from airflow_backup.core.progress import Reporter
from airflow_backup.engines.mysql.dump import COMPLETE, DUMP, HEADS
from airflow_backup.engines.protocol import SetReader

_TABLE = re.compile(rb"^CREATE TABLE (?:IF NOT EXISTS )?`((?:[^`]|``)+)`", re.MULTILINE)
_CARRIED = 4096


def look_through(reader: SetReader, reporter: Reporter) -> int:
    """Return how many tables a dump makes; VerifyError where it has no end or lacks a table."""
    set_id = reader.manifest.set_id
    tables: set[str] = set()
    carried, head = b"", b""
    for block in reader.blocks(DUMP):
        reporter.advance(bytes_done=len(block))
        head = head or block[:_CARRIED]
        text = carried + block
        tables |= {found[1].decode("utf-8", "replace") for found in _TABLE.finditer(text)}
        carried = text[-_CARRIED:]
    if not any(mark in head for mark in HEADS):
        raise VerifyError(f"set '{set_id}' does not begin like a dump")
    if COMPLETE not in carried:
        raise VerifyError(f"the dump of set '{set_id}' has no last line")
    for name in reader.manifest.counts:
        if not any(name.endswith(f".{table.replace('``', '`')}") for table in tables):
            raise VerifyError(f"the dump of set '{set_id}' does not make the table '{name}'")
    return len(tables)
