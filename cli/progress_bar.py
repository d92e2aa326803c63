"""A progress bar with rate and time left, on the terminal's error stream."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from airflow_backup.core.progress import Listener, Progress
from airflow_backup.core.text.durations import format_size, spoken

_BAR = 24
_LONGEST = timedelta(days=3650).total_seconds()
"""A first byte after a minute says nothing about when the last one comes."""


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Listener]:
    """Yield a listener that draws one line, and takes it away at the end; one that does nothing when ``quiet``."""
    if quiet:
        yield lambda progress: None
        return
    drawn = 0

    def draw(text: str) -> None:
        nonlocal drawn
        room = shutil.get_terminal_size().columns - 1
        shown = text[:room]
        # Whoever looked may be gone: a line that nobody sees must not end the work, nor hide how it ended.
        with suppress(OSError, ValueError):
            print(f"\r{shown.ljust(min(drawn, room))}", end="", file=sys.stderr, flush=True)
        drawn = len(shown)

    def listen(progress: Progress) -> None:
        draw(line(progress, *_letters()))

    try:
        yield listen
    finally:
        draw("")
        draw("")  # without the spaces, which leaves the cursor where the line began


def _letters() -> tuple[str, str]:
    """Return what a bar is made of, in letters that the stream can write."""
    try:
        "━·".encode(sys.stderr.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return "#", "-"
    return "━", "·"


def line(progress: Progress, full: str = "━", empty: str = "·") -> str:
    """
    Write how far the work is, as far as it is known.

    >>> line(Progress("reading", bytes_done=3_000_000, bytes_total=4_000_000, rate=1_000_000))
    ' reading ━━━━━━━━━━━━━━━━━━······  75 %  3.0 MB of 4.0 MB  1.0 MB/s  1 second left'
    >>> line(Progress("reading", bytes_done=3_000_000))
    ' reading 3.0 MB'
    """
    parts = [f"{progress.stage:>8}"]
    done = format_size(progress.bytes_done)
    if progress.percent is None:
        parts[0] += f" {done}" if progress.bytes_done else ""
    else:
        filled = round(_BAR * progress.percent / 100)
        parts[0] += f" {full * filled}{empty * (_BAR - filled)} {progress.percent:3.0f} %"
        parts.append(f"{done} of {format_size(progress.bytes_total or 0)}")
    if progress.rate:
        parts.append(f"{format_size(round(progress.rate))}/s")
    if progress.eta is not None and progress.eta < _LONGEST:
        parts.append(f"{spoken(timedelta(seconds=round(progress.eta)))} left")
    return "  ".join(parts)
