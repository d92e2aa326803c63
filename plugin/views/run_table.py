"""Runs as a table for other programs; pure."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from airflow_backup.plugin.schemas.runs import RunSummary

COLUMNS = (
    "schedule_id",
    "run_id",
    "status",
    "reason",
    "kind",
    "trigger",
    "user",
    "since",
    "started_at",
    "finished_at",
    "duration",
    "attempts",
    "host",
    "queue",
    "bytes_read",
    "bytes_stored",
    "files",
    "set_id",
    "failure_class",
    "error",
    "hint",
    "note",
)

_FORMULA = re.compile(r"((?:^|[;\r\n\t])[\s\0\ufeff]*)(?=[-=+@－＝＋＠])")
"""
What a spreadsheet takes for the beginning of a formula, and carries out.

Also within a text: where a spreadsheet divides at semicolons (as it does in half of Europe) or tabs, a cell begins
there, and behind the end of a line a row.
"""


def as_csv(runs: Iterable[RunSummary]) -> str:
    """
    Write runs as CSV (RFC 4180): moments in UTC, durations in seconds, sizes in bytes, nothing where nothing is
    known.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for run in runs:
        writer.writerow([_cell(getattr(run, column)) for column in COLUMNS])
    return out.getvalue()


def _cell(value: Any) -> str:
    """
    Write one value; what a spreadsheet would carry out begins with an apostrophe.

    >>> _cell("=1+1"), _cell("a;=1+1"), _cell(-1), _cell(None)
    ("'=1+1", "a;'=1+1", '-1', '')
    """
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    return _FORMULA.sub(r"\1'", value) if isinstance(value, str) else str(value)
