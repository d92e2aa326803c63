"""
Where the shell comes in: a command begins and ends without looking for garbage in what it only loads.

A command loads 65,000 objects that all stay. Looking through them, again and again while they are made and
once more at the end, was a quarter of the time that a short command took.
"""

from __future__ import annotations

import gc

_SELDOM = 100_000


def main() -> int:
    """Run one command; return its exit code."""
    gc.set_threshold(_SELDOM, 10, 10)
    from airflow_backup.cli.main import main as run

    try:
        return run()
    finally:
        gc.freeze()  # it goes with the process
