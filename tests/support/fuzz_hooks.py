"""Keeps schemathesis from asking what Airflow answers itself: a line break in a path never reaches the mounted API."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """Leave out paths with a line break, written out or not."""
    values = [str(value) for value in (case.path_parameters or {}).values()]
    return not any("\n" in value or "%0A" in value.upper() for value in values)
