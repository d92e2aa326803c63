"""Airflow's connections, as far as they can be listed: its table, by a process with Airflow, and variables."""

from __future__ import annotations

import json
import os

from airflow_backup.core.connections import Connection, ids_in_environment
from airflow_backup.core.errors import EngineError, Inconclusive
from airflow_backup.core.installed.airflow_release import installed, refusal


def known_ids() -> set[str] | None:
    """
    Return the ids of all connections in capital letters, as variables have them; None where Airflow cannot be asked.
    """
    if refusal(installed()) is not None:
        return None
    try:
        stored = stored_connections()
    except Inconclusive:
        return None  # a checkout in CI, with no database: nothing can be said of what is not there
    return {each.upper() for each in (*(each.id for each in stored), *ids_in_environment())}


def stored_connections() -> list[Connection]:
    """
    Return the connections of Airflow's own table, without logins and passwords.

    Inconclusive: Airflow is here, and its database does not answer. Secrets backends cannot be listed.
    """
    # Not for a system that has no such processes.
    from airflow_backup.core.process import commands
    from airflow_backup.core.process.python import module_command
    from airflow_backup.schedules.model.sources import extras_by_type

    environment = {name: text for name, text in os.environ.items() if name.startswith("AIRFLOW")}
    environment |= {"AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}
    try:
        printed = commands.run(
            module_command(
                "airflow_backup.plugin.airflow.connections", json.dumps(extras_by_type())
            ),
            environment=environment,
        ).output.decode()
    except EngineError as error:
        raise Inconclusive(
            f"Airflow's connections cannot be listed: {error.message}",
            hint="--no-airflow looks at AIRFLOW_CONN_ variables alone",
        ) from error
    lines = [line for line in printed.split("\n") if line.startswith("CONNECTIONS ")]
    if not lines:
        raise Inconclusive("Airflow's connections cannot be listed: it printed none")
    return [
        Connection(
            id=name,
            type=kind,
            host=host,
            port=port,
            schema=schema,
            extra=extra,
            unread=unread,
        )
        for name, kind, host, port, schema, extra, unread in json.loads(
            lines[-1].removeprefix("CONNECTIONS ")
        )
    ]
