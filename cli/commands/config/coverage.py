"""
`airflow-backup coverage`: which of Airflow's connections no schedule protects; exit 1 when asked to and too few are.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_backup.cli import exit_codes
from airflow_backup.cli.airflow_connections import stored_connections
from airflow_backup.cli.arguments import (
    add_catalog,
    add_format,
    add_schedules,
    loaded,
    open_catalog,
    schedules_path,
)
from airflow_backup.cli.output import print_json, print_table
from airflow_backup.core.clock import utc_now
from airflow_backup.core.errors import Inconclusive
from airflow_backup.core.installed.airflow_release import installed, refusal
from airflow_backup.core.text.names import quoted

if TYPE_CHECKING:
    from airflow_backup.actions.report.coverage import Coverage, Covered
    from airflow_backup.catalog.rules.protection import Protection


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "coverage", help="show which of Airflow's connections no schedule protects"
    )
    parser.add_argument(
        "--fail-under",
        type=_percent,
        metavar="PERCENT",
        help="exit 1 when a smaller share of the connections is protected",
    )
    parser.add_argument(
        "--no-airflow",
        action="store_true",
        help="look at AIRFLOW_CONN_ variables alone, not at the connections that Airflow stores",
    )
    add_schedules(parser)
    add_catalog(parser)
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print a line for each connection; return 1 when fewer are protected than asked for."""
    try:
        found, safety = _found(arguments)
    except Inconclusive as error:
        print(f"airflow-backup: {error}", file=sys.stderr)
        return exit_codes.INCONCLUSIVE
    if arguments.format == "json":
        print_json(_dict(found, safety))
    else:
        columns = ("CONNECTION", "TYPE", "STATE", "SCHEDULES", "WHY")
        print_table(columns, [_row(each, safety) for each in found.found])
        for each in found.unknown:
            print(
                f"warning: an exception for {quoted(each)}, which no engine can back up or is not there"
            )
        print(_verdict(found))
    asked = arguments.fail_under
    return exit_codes.BAD if asked is not None and found.percent < asked else exit_codes.DONE


def _found(arguments: argparse.Namespace) -> tuple[Coverage, Mapping[str, Protection]]:
    from airflow_backup.actions.alerts.monitor.subjects import (
        subjects_of_catalog,
        subjects_of_files,
    )
    from airflow_backup.actions.report.coverage import coverage, mentioned, with_environment
    from airflow_backup.actions.report.protection import protections

    files = loaded(arguments.schedules)
    read = os.path.realpath(schedules_path(arguments.schedules))

    def told_by(origin: str) -> bool:
        """Files tell what they say now; what they said when they were deployed counts no more."""
        return arguments.schedules is not None or os.path.realpath(origin) == read

    with open_catalog(arguments.catalog) as catalog:
        subjects = {each.id: each for each in subjects_of_catalog(catalog, told_by=told_by)}
        subjects |= {each.id: each for each in subjects_of_files(files, catalog)}
        exceptions = catalog.deployed.unprotected(told_by=told_by)
        safety = protections(subjects.values(), catalog, now=utc_now())
    exceptions |= {each.unprotected.connection: each.unprotected.reason for each in files.exempt}
    enabled = [
        each.schedule
        for each in subjects.values()
        if each.schedule is not None and each.enabled is not False
    ]
    connections = with_environment(_stored(arguments), mentioned(enabled, exceptions))
    return coverage(connections, enabled, exceptions), safety


def _stored(arguments: argparse.Namespace) -> list[Any]:
    if arguments.no_airflow:
        return []
    refused = refusal(installed())
    if refused is None:
        return stored_connections()
    raise Inconclusive(
        f"Airflow's connections cannot be listed: {refused.message}",
        hint=f"{refused.hint}; --no-airflow looks at AIRFLOW_CONN_ variables alone",
    )


def _row(each: Covered, safety: Mapping[str, Protection]) -> tuple[str, ...]:
    words = [f"{name} ({safety[name].state.replace('_', ' ')})" for name in each.schedules]
    why = each.reason if each.state == "exception" else None
    return each.connection_id, each.type, each.state, ", ".join(words) or "-", why or ""


def _dict(found: Coverage, safety: Mapping[str, Protection]) -> dict[str, Any]:
    return {
        "percent": found.percent_shown,
        "connections": [
            {
                "connection": each.connection_id,
                "type": each.type,
                "engine": each.engine,
                "state": each.state,
                "schedules": [
                    {"schedule": name, "protection": safety[name].state.value}
                    for name in each.schedules
                ],
                "reason": each.reason,
            }
            for each in found.found
        ],
        "unknown_exceptions": list(found.unknown),
    }


def _verdict(found: Coverage) -> str:
    """Say it in one line."""
    unprotected, exceptions = found.count("unprotected"), found.count("exception")
    wanted = len(found.found) - exceptions
    if not found.found:
        return "no connection leads to what an engine can back up"
    more = "" if not exceptions else f"; {exceptions} on purpose"
    return f"{unprotected} of {wanted} connections are unprotected, {int(found.percent)} % are protected{more}"


def _percent(text: str) -> float:
    try:
        found = float(text.removesuffix("%"))
    except ValueError:
        found = -1.0
    if not 0 <= found <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no percentage; write for example 100")
    return found
