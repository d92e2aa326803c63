"""A schedule in a few words, for lists."""

from __future__ import annotations

from airflow_backup.core.durations import format_duration
from airflow_backup.schedules.model.schedule import Schedule


def when_text(schedule: Schedule) -> str:
    """
    Say when a schedule runs.

    >>> source = {"engine": "files", "path": "/srv"}
    >>> when_text(Schedule(id="a", source=source, repository="file:///b", every="45m"))
    'full every 45m'
    """
    if schedule.after:
        return f"after {', '.join(schedule.after)}"
    if schedule.every is not None:
        return f"{schedule.kind or 'full'} every {format_duration(schedule.every)}"
    if schedule.preset is not None:
        return f"{schedule.kind or 'full'} {schedule.preset}"
    return ", ".join(f"{kind} {cron}" for kind, cron in schedule.crons().items())
