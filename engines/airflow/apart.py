"""
What is never taken as a file of a folder, wherever the folder is: `airflow.cfg` with the Fernet key, the live
database, logs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from airflow_backup.engines.airflow.bundles import Folder
from airflow_backup.engines.airflow.configuration import Configuration
from airflow_backup.engines.airflow.database import Database
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.engines.sqlite.options import SqliteOptions, file_of

_BESIDE = ("", "-wal", "-shm", "-journal")
_SPECIAL = re.compile(r"([\\*?\[\]!# ])")


def patterns_for(
    folder: Folder, configuration: Configuration, database: Database, context: EngineContext
) -> list[str]:
    """Return the patterns that leave it out of a folder, for a bundle whose folder is Airflow's own, or one above."""
    root = os.path.realpath(folder.path)
    found = (
        os.path.relpath(os.path.realpath(path), root)
        for path in _apart(configuration, database, context)
    )
    return [
        "/" + _SPECIAL.sub(r"\\\1", inside)
        for inside in found
        if inside != "." and inside.split("/", 1)[0] != ".."
    ]


def _apart(
    configuration: Configuration, database: Database, context: EngineContext
) -> Iterator[str]:
    home, options = configuration.home, database.options
    yield configuration.file
    yield os.path.join(home, "webserver_config.py")
    for section, option, usual in (
        (
            "core",
            "simple_auth_manager_passwords_file",
            "simple_auth_manager_passwords.json.generated",
        ),
        ("logging", "base_log_folder", "logs"),
    ):
        yield configuration.get(section, option).text or os.path.join(home, usual)
    if isinstance(options, SqliteOptions):
        path = options.path or file_of(context.connections(options.connection or ""))
        yield from (f"{path}{end}" for end in _BESIDE)
