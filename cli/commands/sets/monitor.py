"""
`airflow-backup monitor`: look at everything once, or again and again, and tell whom it concerns; needs no Airflow.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_backup.cli import exit_codes
from airflow_backup.cli.arguments import (
    add_catalog,
    add_format,
    add_schedules,
    loaded,
    open_catalog,
    schedules_path,
)
from airflow_backup.cli.output import iso, local, print_json
from airflow_backup.cli.terminal import say
from airflow_backup.core.clock import utc_now
from airflow_backup.core.connections import from_environment
from airflow_backup.core.errors import BackupError
from airflow_backup.core.text.durations import format_duration, parse_duration

if TYPE_CHECKING:
    from airflow_backup.actions.alerts.monitor.monitor import Pass
    from airflow_backup.actions.alerts.notify.deliver import Delivery
    from airflow_backup.actions.report.protection import Subject
    from airflow_backup.catalog import Catalog

BASE_URL_VARIABLE = "AIRFLOW__API__BASE_URL"
_SHORTEST = timedelta(seconds=5)


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "monitor",
        help="check every schedule once, and send the messages that are needed; works when Airflow is down",
        description="Looks at every schedule as the DAG backup_monitor does, and at whether Airflow still serves them; "
        "sends the messages of `notify` that are due. Made for a systemd timer or cron on another machine.",
        epilog="exit codes: 0 all is well, 1 something needs a person, 5 the check itself failed",
    )
    parser.add_argument(
        "--loop",
        metavar="TIME",
        type=_period,
        help="check again after this time, for example 5m, until ended",
    )
    parser.add_argument(
        "--ping",
        metavar="CONNECTION",
        help="after each good check, call the address in this connection (a dead man's switch)",
    )
    parser.add_argument("--quiet", action="store_true", help="print only what needs a person")
    add_schedules(parser)
    add_catalog(parser)
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Look, and print what was found."""
    while True:
        code = _one(arguments)
        if arguments.loop is None:
            return code
        sys.stdout.flush()
        time.sleep(arguments.loop.total_seconds())


def _one(arguments: argparse.Namespace) -> int:
    from airflow_backup.actions.alerts.monitor.monitor import tell_failed
    from airflow_backup.actions.alerts.notify.deliver import Sender

    sender = Sender(from_environment)
    try:
        with open_catalog(arguments.catalog) as catalog:
            found = _look(catalog, arguments, sender)
    except BackupError as error:
        if arguments.ping is not None:
            tell_failed(arguments.ping, sender, f"the look failed: {error.message}")
        say(f"airflow-backup: the look failed: {error}", to=sys.stderr)
        return exit_codes.INCONCLUSIVE
    is_told = found.ping_error is None and not any(each.error for each in found.deliveries)
    is_well = found.checked.is_well and is_told
    if arguments.format == "json":
        print_json(_dict(found))
    elif not (is_well and arguments.quiet):
        _print(found)
    return exit_codes.DONE if is_well else exit_codes.BAD


def _look(catalog: Catalog, arguments: argparse.Namespace, sender: Any) -> Pass:
    from airflow_backup.actions.alerts.monitor.check import SHELL
    from airflow_backup.actions.alerts.monitor.monitor import monitor

    return monitor(
        catalog,
        subjects_meant(catalog, arguments),
        place=SHELL,
        sender=sender,
        clock=utc_now,
        link=os.environ.get(BASE_URL_VARIABLE) or None,
        ping_connection=arguments.ping,
    )


def subjects_meant(catalog: Catalog, arguments: argparse.Namespace) -> list[Subject]:
    """Return what files say where they are named or nothing is deployed; else what the catalog knows as deployed."""
    from airflow_backup.actions.alerts.monitor.subjects import (
        subjects_of_catalog,
        subjects_of_files,
    )

    if arguments.schedules is None:
        deployed = subjects_of_catalog(catalog)
        if deployed or not schedules_path(None).exists():
            return deployed
    return subjects_of_files(loaded(arguments.schedules), catalog)


def _print(found: Pass) -> None:
    from airflow_backup.actions.alerts.monitor.monitor import words_of

    checked = found.checked
    head, *lines = words_of(checked).split("\n")
    say(f"{local(checked.at)}: {head}")
    for line in lines:
        say(f"  {line}")
    for delivery in found.deliveries:
        say(f"  {_delivered(delivery)}")
    if found.ping_error is not None:
        say(f"  {found.ping_error}")


def _delivered(delivery: Delivery) -> str:
    name = delivery.receiver.name or delivery.receiver.way
    if delivery.undeliverable:
        return delivery.trouble
    if delivery.error is not None and delivery.next_try_at is None:
        return f"told in part: {name}: {delivery.error}"
    if delivery.error is not None:
        return f"not told: {name}: {delivery.error}; tried again at {local(delivery.next_try_at)}"
    return f"told: {name}, {delivery.sent} message{'' if delivery.sent == 1 else 's'}"


def _dict(found: Pass) -> dict[str, Any]:
    checked = found.checked
    return {
        "at": iso(checked.at),
        "well": checked.is_well,
        "airflow": checked.unserved,
        "schedules": [
            {
                "schedule": name,
                "protection": each.state.value,
                "reason": each.reason,
                "since": iso(each.since),
                "late_at": iso(each.late_at),
                "needs_attention": each.needs_attention,
                "failures_in_row": each.failures_in_row,
            }
            for name, each in checked.protections.items()
        ],
        "overdue": [
            {"schedule": each.schedule_id, "due_at": iso(each.due_at)} for each in checked.overdue
        ],
        "told": [
            {
                "receiver": each.receiver.name or each.receiver.way,
                "sent": each.sent,
                "error": each.error,
                "next_try_at": iso(each.next_try_at),
                "undeliverable": list(each.undeliverable),
            }
            for each in found.deliveries
        ],
        "ping_error": found.ping_error,
    }


def _period(text: str) -> timedelta:
    try:
        found = parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if found < _SHORTEST:
        raise argparse.ArgumentTypeError(f"{text} is shorter than {format_duration(_SHORTEST)}")
    return found
