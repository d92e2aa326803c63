"""`airflow-backup notify`: who is told of what, whether messages reach them, and a test message."""

from __future__ import annotations

import argparse
import os
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow_backup.cli import exit_codes
from airflow_backup.cli.arguments import add_catalog, add_format, add_schedules, open_catalog
from airflow_backup.cli.commands.sets.monitor import BASE_URL_VARIABLE, subjects_meant
from airflow_backup.cli.output import iso, local, print_json, print_table
from airflow_backup.cli.terminal import say
from airflow_backup.core.clock import utc_now
from airflow_backup.core.connections import from_environment
from airflow_backup.core.errors import BackupError, NotFound
from airflow_backup.schedules.loading.problems import did_you_mean

if TYPE_CHECKING:
    from airflow_backup.actions.alerts.notify.channels import Channel
    from airflow_backup.catalog import Catalog
    from airflow_backup.catalog.notices.health import ReceiverHealth
    from airflow_backup.schedules.model.notify import Receiver


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "notify",
        help="show who is told of what, and whether messages reach them; send a test message",
    )
    parser.add_argument("receiver", nargs="?", help="one receiver, by its name; all when missing")
    parser.add_argument("--test", action="store_true", help="send a test message now")
    add_schedules(parser)
    add_catalog(parser)
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Show the receivers, or test them."""
    from airflow_backup.actions.alerts.notify.channels import channels_of

    with open_catalog(arguments.catalog) as catalog:
        channels = channels_of(subjects_meant(catalog, arguments))
        wanted = _wanted(channels, arguments.receiver)
        if arguments.test:
            return _test(wanted, arguments)
        return _show(catalog, wanted, arguments)


def _wanted(channels: dict[str, Channel], name: str | None) -> list[Channel]:
    every = list(channels.values())
    if name is None:
        return every
    found = [each for each in every if each.receiver.key == name]
    if not found:
        known = [each.receiver.key for each in every]
        raise NotFound(
            f"no schedule names a receiver '{name}' below `notify`",
            hint=did_you_mean(name, known) or f"there are {', '.join(known) or 'none'}",
        )
    return found


def _show(catalog: Catalog, channels: list[Channel], arguments: argparse.Namespace) -> int:
    health = catalog.outbox.health()
    if arguments.format == "json":
        print_json([_dict(each, health.get(each.key)) for each in channels])
    elif not channels:
        say("nobody is told of anything: no schedule has `notify`")
    else:
        columns = ("RECEIVER", "WAY", "WHEN", "SCHEDULES", "WAITING", "LAST TOLD", "TROUBLE")
        print_table(columns, [_row(each, health.get(each.key)) for each in channels])
    bad = any(each.key in health and health[each.key].error for each in channels)
    return exit_codes.BAD if bad else exit_codes.DONE


def _row(channel: Channel, health: ReceiverHealth | None) -> tuple[str, ...]:
    return (
        channel.receiver.key,
        channel.receiver.way,
        "at once" if channel.digest is None else f"{channel.digest} at {channel.digest_at}",
        str(len(channel.notices)),
        "0" if health is None else str(health.waiting),
        local(None if health is None else health.delivered_at),
        "" if health is None else "; ".join(_troubles(health)),
    )


def _troubles(health: ReceiverHealth) -> Iterator[str]:
    if health.error is not None:
        yield _trouble(health)
    if health.undeliverable:
        count = "1 message" if health.undeliverable == 1 else f"{health.undeliverable} messages"
        yield f"{count} never told, the last at {local(health.last_undeliverable_at)}: {health.last_undeliverable}"


def _trouble(health: ReceiverHealth) -> str:
    if health.next_try_at is None:
        return str(health.error)
    times = "once" if health.failures == 1 else f"{health.failures} times"
    return f"{health.error}; failed {times}, tried again at {local(health.next_try_at)}"


def _dict(channel: Channel, health: ReceiverHealth | None) -> dict[str, Any]:
    return {
        "receiver": channel.receiver.key,
        "way": channel.receiver.way,
        "digest": channel.digest,
        "schedules": sorted(channel.notices),
        "waiting": 0 if health is None else health.waiting,
        "delivered_at": iso(None if health is None else health.delivered_at),
        "failures": 0 if health is None else health.failures,
        "error": None if health is None else health.error,
        "next_try_at": iso(None if health is None else health.next_try_at),
        "undeliverable": 0 if health is None else health.undeliverable,
        "last_undeliverable": None if health is None else health.last_undeliverable,
        "last_undeliverable_at": iso(None if health is None else health.last_undeliverable_at),
    }


def _test(channels: list[Channel], arguments: argparse.Namespace) -> int:
    results = []
    receivers = {each.receiver.key: each.receiver for each in channels}
    for name, receiver in receivers.items():
        error = _send_test(receiver)
        results.append({"receiver": name, "way": receiver.way, "error": error})
        if arguments.format == "text":
            say(f"{name}: {receiver.way}: {'sent' if error is None else error}")
    if arguments.format == "json":
        print_json(results)
    elif not results:
        say("nobody is told of anything: no schedule has `notify`")
    is_bad = not results or any(each["error"] for each in results)
    return exit_codes.BAD if is_bad else exit_codes.DONE


def _send_test(receiver: Receiver) -> str | None:
    from airflow_backup.actions.alerts.notify.deliver import Sender
    from airflow_backup.actions.alerts.notify.trial import send_test

    link = os.environ.get(BASE_URL_VARIABLE) or None
    try:
        send_test(
            Sender(from_environment),
            receiver,
            by="airflow-backup notify --test",
            now=utc_now(),
            link=link,
            salt=secrets.token_hex(8),
        )
    except BackupError as error:
        return error.message if error.hint is None else f"{error.message}\n    HINT: {error.hint}"
    return None
