"""Which extras the schedules of a file need, and which of them are not installed here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.util import find_spec
from urllib.parse import urlsplit

from airflow_backup.schedules.loading.loaded import Located
from airflow_backup.schedules.loading.problems import Problem
from airflow_backup.schedules.model.sources import Driver

_OF_SCHEME = {"sftp": Driver("sshfs", "sftp")}
"""By a repository's scheme."""


def _is_installed(module: str) -> bool:
    """Look a module up without importing it."""
    return find_spec(module) is not None


def missing_drivers(
    schedules: Iterable[Located], *, is_installed: Callable[[str], bool] = _is_installed
) -> list[Problem]:
    """Return a problem for each schedule whose engine or repository needs what is not installed."""
    problems = []
    for item in schedules:
        source = item.schedule.source
        scheme = urlsplit(str(item.schedule.repository)).scheme
        for what, name, needed in (
            ("source.engine", f"the {source.engine} engine", source.driver),
            ("repository", f"a repository at {scheme}://", _OF_SCHEME.get(scheme)),
        ):
            if needed is not None and not is_installed(needed.module):
                message = f"{name} needs a driver that is not installed here"
                hint = f"pip install 'airflow-backup[{needed.extra}]'"
                path = f"schedules.{item.schedule.id}.{what}"
                problems.append(Problem(item.file, item.line, 1, path, message, hint))
    return problems
