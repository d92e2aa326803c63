"""Well-known times to run at, by name."""

from __future__ import annotations

from airflow_backup.schedules.model.base import Model
from airflow_backup.schedules.model.cron import CronExpression


class Preset(Model):
    """A named answer to "when"."""

    cron: CronExpression
    """The cron expression it stands for."""

    description: str = ""
    """What it means, for people."""


PRESETS: dict[str, Preset] = {
    "hourly": Preset(cron="0 * * * *", description="every hour"),
    "daily": Preset(cron="0 2 * * *", description="every day at 02:00"),
    "weekly": Preset(cron="0 2 * * sun", description="every Sunday at 02:00"),
    "monthly": Preset(cron="0 2 1 * *", description="on the first of the month at 02:00"),
    "weekday_hourly": Preset(
        cron="0 8-23 * * mon-fri", description="every hour from 08:00 to 23:00, Monday to Friday"
    ),
    "weekend_3x": Preset(
        cron="0 9,15,21 * * sat,sun", description="09:00, 15:00 and 21:00 on Saturday and Sunday"
    ),
    "daily_evaluation": Preset(cron="0 7 * * *", description="every day at 07:00"),
    "weekly_cleanup": Preset(cron="0 2 * * sun", description="every Sunday at 02:00"),
}
"""What `preset:` may name without being defined in the file."""
