"""What every page of results says first: when, at which commit, and on what it was measured."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path


def measured_at() -> str:
    """Return the day, the commit, the machine and how much else it did, in one line."""
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, at commit {_commit()}; {os.cpu_count()} cores ({platform.machine()}), "
        f"Linux {platform.release()}, Python {platform.python_version()}; load {os.getloadavg()[0]:.1f} at the end"
    )


def _commit() -> str:
    def git(*words: str) -> str:
        # What cannot be told must not stand there as if it were.
        return subprocess.run(
            ["git", *words],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no")
    return git("rev-parse", "--short", "HEAD") + (" with changes" if changed else "")
