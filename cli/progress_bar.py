"""A progress bar with rate and time left, on the terminal's error stream."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow_backup.core.progress import Listener, Progress


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Listener]:
    """Yield a listener that draws; one that does nothing when ``quiet``."""
    if quiet:
        yield lambda progress: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:>8}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task("", total=None)

        def listen(progress: Progress) -> None:
            bars.update(
                task,
                description=progress.stage,
                completed=progress.bytes_done,
                total=progress.bytes_total,
            )

        yield listen
