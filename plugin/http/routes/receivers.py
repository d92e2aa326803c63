"""Who is told of what, whether messages arrive, and a test message."""

from __future__ import annotations

import secrets
from typing import Annotated

from airflow.sdk.configuration import conf
from fastapi import APIRouter, Path

from airflow_backup.actions.alerts.monitor.subjects import subjects_of_catalog
from airflow_backup.actions.alerts.notify.channels import Channel, channels_of
from airflow_backup.actions.alerts.notify.deliver import Sender
from airflow_backup.actions.alerts.notify.trial import send_test
from airflow_backup.catalog.notices.health import ReceiverHealth
from airflow_backup.core.clock import utc_now
from airflow_backup.core.errors import BackupError, NotFound
from airflow_backup.operators.notifiers import send_by_notifier
from airflow_backup.operators.shared.airflow_settings import connection
from airflow_backup.plugin.access import AccessDep
from airflow_backup.plugin.http.permissions import may_test_messages
from airflow_backup.plugin.schemas.receivers import ReceiverList, ReceiverState, Tested
from airflow_backup.plugin.schemas.requests import Nothing
from airflow_backup.plugin.services.catalog_access import CatalogDep

router = APIRouter(prefix="/receivers", tags=["receivers"])


@router.get("")
def list_receivers(catalog: CatalogDep, access: AccessDep) -> ReceiverList:
    """List who is told of the schedules that you may read, and whether messages arrive."""
    channels, health = channels_of(subjects_of_catalog(catalog)), catalog.outbox.health()
    readable = access.readable({name for each in channels.values() for name in each.notices})
    shown = (_shown(each, health.get(each.key), readable) for each in channels.values())
    found = [each for each in shown if each.schedules]
    return ReceiverList(receivers=found, may_test=access.may_edit("POST"))


@router.post("/{name}/test", dependencies=may_test_messages())
def test_receiver(
    name: Annotated[str, Path(max_length=63)], body: Nothing, catalog: CatalogDep, access: AccessDep
) -> Tested:
    """Send a test message to a receiver now, and say whether it took it."""
    every = channels_of(subjects_of_catalog(catalog)).values()
    named = [each for each in every if each.receiver.key == name]
    readable = access.readable({one for each in named for one in each.notices})
    receiver = next((each.receiver for each in named if readable & each.notices.keys()), None)
    if receiver is None:
        raise NotFound(
            f"no receiver {name!r}", hint="GET /backup/api/v1/receivers lists them; is it deployed?"
        )
    try:
        send_test(
            Sender(connection, notifier=send_by_notifier),
            receiver,
            by=access.user.get_name(),
            now=utc_now(),
            link=conf.get("api", "base_url", fallback=None) or None,
            salt=secrets.token_hex(8),
        )
    except BackupError as error:
        return Tested(name=name, sent=False, error=error.message, hint=error.hint)
    return Tested(name=name, sent=True, error=None, hint=None)


def _shown(channel: Channel, known: ReceiverHealth | None, readable: set[str]) -> ReceiverState:
    health = known or ReceiverHealth(key=channel.key)
    return ReceiverState(
        name=channel.receiver.key,
        way=channel.receiver.way,
        digest=channel.digest,
        digest_at=None if channel.digest is None else channel.digest_at,
        schedules=sorted(readable & channel.notices.keys()),
        waiting=health.waiting,
        delivered_at=health.delivered_at,
        failures=health.failures,
        error=health.error,
        next_try_at=health.next_try_at,
        undeliverable=health.undeliverable,
        last_undeliverable=health.last_undeliverable,
        last_undeliverable_at=health.last_undeliverable_at,
    )
