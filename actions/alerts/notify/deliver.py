"""Sends what waits: each receiver on its own, in order, again and again until it has it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from airflow_backup.actions.alerts.notify.channels import Channel
from airflow_backup.actions.alerts.notify.ways.apprise import send_apprise
from airflow_backup.actions.alerts.notify.ways.failed import PartlySent, RefusedForGood, unreachable
from airflow_backup.actions.alerts.notify.ways.mail import send_mail
from airflow_backup.actions.alerts.notify.ways.webhook import send_webhook
from airflow_backup.actions.alerts.notify.written.rendered import Rendered, rendered
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.notices.messages import Message
from airflow_backup.core.connections import Connections
from airflow_backup.core.deadline import within
from airflow_backup.core.errors import BackupError, Refused
from airflow_backup.schedules.model.notify import Receiver

logger = logging.getLogger(__name__)

Send = Callable[[Receiver, Rendered], None]
"""Sends a batch; raises BackupError when it did not get there."""

LEASE = timedelta(minutes=5)
"""How long a sender has for a batch before another one may take it for dead."""

_FIRST_WAIT, _LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=6)
_FORGOTTEN = timedelta(days=7)
"""A receiver that is not written for so long is gone; one that is missing for an hour may be a mistake."""

REFUSED_FOR = timedelta(days=1)
"""How long a receiver may refuse a message for good until the next ones go: a connection that is wrong is mended."""

LIMIT = 90.0
"""Seconds for one batch, however slowly its receiver answers."""

BUDGET = 120.0
"""Seconds of one look for one receiver; what is left waits for the next look."""

_AT_ONCE = 8
_BATCHES = 50
"""For one receiver at one look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of a receiver's messages at one look."""

    receiver: Receiver
    sent: int = 0
    error: str | None = None
    next_try_at: datetime | None = None
    """None also where only some addresses of the receiver were missed, which are not tried again."""

    undeliverable: Sequence[str] = ()
    """The titles of the messages that are not tried any more: the receiver refused them for good."""

    @property
    def trouble(self) -> str:
        """What did not get there, in words."""
        if self.undeliverable:
            titles = ", ".join(repr(each) for each in self.undeliverable[:3])
            more = f" and {len(self.undeliverable) - 3} more" if self.undeliverable[3:] else ""
            return f"never told: {self.receiver.key}: {titles}{more}: {self.error}"
        if self.next_try_at is None:
            return f"told in part: {self.receiver.key}: {self.error}"
        return f"not told: {self.receiver.key}: {self.error}; it is tried again"


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends by every way that there is here; ``notifier`` is that of Airflow's notifiers, where there is Airflow."""

    connections: Connections
    notifier: Send | None = None

    def can_send(self, receiver: Receiver) -> bool:
        """Whether there is a way from here; what only Airflow can send waits for it."""
        return receiver.notifier is None or self.notifier is not None

    def send(self, receiver: Receiver, message: Rendered) -> None:
        """Send a batch; raise BackupError when it did not get there, or there was no end of it."""
        try:
            within(LIMIT, lambda: self._send(receiver, message))
        except TimeoutError as error:
            raise unreachable(f"receiver {receiver.key}", error) from None

    def _send(self, receiver: Receiver, message: Rendered) -> None:
        if receiver.email is not None:
            send_mail(receiver, message, self.connections)
        elif receiver.webhook is not None:
            send_webhook(receiver, message, self.connections)
        elif receiver.apprise is not None:
            send_apprise(receiver, message, self.connections)
        elif self.notifier is not None:
            self.notifier(receiver, message)
        else:
            raise Refused(
                f"only Airflow itself can send by the notifier {receiver.notifier}",
                hint="give the shell a receiver by `email`, `webhook` or `apprise`, too",
            )


def deliver(
    catalog: Catalog,
    channels: Mapping[str, Channel],
    sender: Sender,
    *,
    clock: Callable[[], datetime],
) -> list[Delivery]:
    """Send what is due; a receiver that cannot be reached costs the others nothing."""
    waiting = catalog.outbox.waiting(now=clock())
    gone = sorted(waiting - channels.keys())
    if gone and catalog.outbox.drop(gone, before=clock() - _FORGOTTEN, at=clock()):
        logger.warning("messages to receivers that are written nowhere are dropped: %s", gone)
    here = (channels[key] for key in sorted(waiting & channels.keys()))
    due = [channel for channel in here if sender.can_send(channel.receiver)]
    if not due:
        return []

    def one(channel: Channel) -> Delivery:
        return _deliver(catalog, channel, sender, clock=clock)

    with ThreadPoolExecutor(max_workers=min(_AT_ONCE, len(due))) as threads:
        return list(threads.map(one, due))


def _deliver(
    catalog: Catalog, channel: Channel, sender: Sender, *, clock: Callable[[], datetime]
) -> Delivery:
    found, begun = Delivery(receiver=channel.receiver), time.monotonic()
    if any(notice.quiet for _, notice in channel.notices.values()):
        at = clock()
        catalog.outbox.postpone(channel.key, lambda name: channel.quiet_until(name, at), now=at)
    for _ in range(_BATCHES):
        if time.monotonic() - begun > BUDGET:
            break
        now = clock()
        is_single = channel.receiver.webhook is not None
        claimed = catalog.outbox.claim(channel.key, now=now, until=now + LEASE, one=is_single)
        if claimed is None:
            break
        batch, messages = claimed
        missed = None
        try:
            sender.send(channel.receiver, rendered(batch, [each.content for each in messages]))
        except PartlySent as error:
            missed = error.message
        except RefusedForGood as error:
            if not _is_given_up(catalog, channel, messages, now=clock()):
                return _failed(catalog, channel, batch, error, found, now=clock())
            catalog.outbox.give_up(channel.key, batch, error=error.message, at=clock())
            titles = [str(each.content["title"]) for each in messages]
            lost = [*found.undeliverable, *titles]
            found = replace(found, undeliverable=lost, error=error.message)
            continue
        except Exception as error:  # noqa: BLE001  # whatever it is, the message waits and the others go on
            return _failed(catalog, channel, batch, error, found, now=clock())
        catalog.outbox.end(channel.key, batch, at=clock(), error=missed)
        trouble = found.error if found.undeliverable else missed
        found = replace(found, sent=found.sent + len(messages), error=trouble)
    return found


def _is_given_up(
    catalog: Catalog, channel: Channel, messages: Sequence[Message], *, now: datetime
) -> bool:
    """Whether a refused batch has held up its receiver for long enough: so long due, and so long refused."""
    since = catalog.outbox.refused_since(channel.key)
    latest = max(each.due_at for each in messages)
    return since is not None and now - max(since, latest) >= REFUSED_FOR


def _failed(
    catalog: Catalog,
    channel: Channel,
    batch: str,
    error: Exception,
    found: Delivery,
    *,
    now: datetime,
) -> Delivery:
    known = catalog.outbox.health().get(channel.key)
    failures = 0 if known is None else known.failures
    text = error.message if isinstance(error, BackupError) else f"{type(error).__name__}"
    next_try_at = now + wait_after(failures)
    refused_at = now if isinstance(error, RefusedForGood) else None
    catalog.outbox.fail(
        channel.key, batch, error=text, next_try_at=next_try_at, refused_at=refused_at
    )
    logger.debug("messages to %s wait: %s", channel.key, text)
    return replace(found, error=text, next_try_at=next_try_at)


def wait_after(failures: int) -> timedelta:
    """
    Return how long to wait after so many failures in a row before this one.

    >>> [str(wait_after(count)) for count in (0, 1, 2, 20)]
    ['0:01:00', '0:02:00', '0:04:00', '6:00:00']
    """
    return min(_FIRST_WAIT * (1 << min(failures, 20)), _LONGEST_WAIT)
