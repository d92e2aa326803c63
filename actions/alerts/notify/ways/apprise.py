"""What Apprise knows: a hundred services, by an address that is a secret and lies in a connection."""

from __future__ import annotations

from airflow_backup.actions.alerts.notify.ways.failed import SendFailed, refused
from airflow_backup.actions.alerts.notify.written.chat import OTHER
from airflow_backup.actions.alerts.notify.written.rendered import Rendered
from airflow_backup.core.connections import Connection, Connections
from airflow_backup.core.errors import ConfigError
from airflow_backup.schedules.model.notify import Receiver

_BETWEEN = 100
"""Characters for marks around title and text, which some services send as one."""


def send_apprise(receiver: Receiver, message: Rendered, connections: Connections) -> None:
    """Send a batch; raise SendFailed, or ConfigError for an address that Apprise does not know."""
    assert receiver.apprise is not None
    connection = connections(receiver.apprise)
    try:
        import apprise  # an extra, and slow to load
    except ImportError:
        raise ConfigError(
            "receivers of Apprise need its package", hint="pip install 'airflow-backup[apprise]'"
        ) from None
    # The message, and with some services the token, would go wherever the server of the address says.
    service = apprise.Apprise(asset=apprise.AppriseAsset(http_redirects=False))
    if not service.add(_address(connection)):
        raise ConfigError(  # without the address: it holds the token
            f"Apprise does not know the address in connection '{connection.id}'",
            hint="put it into the password of the connection as Apprise writes it, for example ntfy://topic",
        )
    kind = apprise.NotifyType.FAILURE if message.is_bad else apprise.NotifyType.INFO
    room = min(each.body_maxlen for each in service) - len(message.title) - _BETWEEN
    if not service.notify(
        title=OTHER.escape(message.title),
        body=OTHER.fit(message.text, room=room, link=message.link),
        notify_type=kind,
        body_format=apprise.NotifyFormat.TEXT,
    ):
        raise refused(f"the service of connection '{connection.id}'", "Apprise could not send it")


def _address(connection: Connection) -> str:
    """Return the address: of our own making in the password, or as Airflow's provider of Apprise keeps it."""
    if connection.password:
        return connection.password
    config = connection.extra.get("config")
    given = config.get("path") if isinstance(config, dict) else None
    if not given:
        raise ConfigError(
            f"connection '{connection.id}' has no address for Apprise",
            hint="put it into the password of the connection, for example ntfy://topic",
        )
    return str(given)


__all__ = ["SendFailed", "send_apprise"]
