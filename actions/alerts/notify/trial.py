"""A message that only shows that messages arrive."""

from __future__ import annotations

from datetime import datetime

from airflow_backup.actions.alerts.notify.content import Content
from airflow_backup.actions.alerts.notify.deliver import Sender
from airflow_backup.actions.alerts.notify.dispatch import message_id
from airflow_backup.actions.alerts.notify.levels import Level
from airflow_backup.actions.alerts.notify.written.rendered import rendered
from airflow_backup.schedules.model.notify import Receiver
from airflow_backup.schedules.times.start_policy import local_text

TEST = "test"


def send_test(
    sender: Sender, receiver: Receiver, *, by: str, now: datetime, link: str | None, salt: str
) -> None:
    """Send a test message at once; raise BackupError with the reason when it does not get there."""
    content: Content = {
        "event": TEST,
        "schedule": None,
        "group": None,
        "description": None,
        "state": None,
        "level": int(Level.WELL),
        "title": f"{receiver.key}: a test message",
        "what": f"somebody asked for it: {by}",
        "at": now.isoformat(),
        "since": local_text(now, "UTC"),
        "means": "Messages about backups arrive here. Nothing is wrong.",
        "do": [],
        "facts": [],
        "link": None if link is None else f"{link.rstrip('/')}/plugin/backup",
    }
    sender.send(receiver, rendered(message_id(receiver.key, TEST, salt), [content]))
