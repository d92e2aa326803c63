"""
The DAG bundles of Airflow's configuration: those whose files lie in a folder here, and those that are kept elsewhere.
"""

from __future__ import annotations

import json
import os
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

from airflow_backup.core.errors import ConfigError
from airflow_backup.core.text.names import quoted
from airflow_backup.engines.airflow.configuration import Configuration
from airflow_backup.engines.airflow.state import MOST_FOLDERS

_LOCAL = "airflow.dag_processing.bundles.local.LocalDagBundle"
_USUAL = [{"name": "dags-folder", "classpath": _LOCAL, "kwargs": {}}]
_OPTION = "[dag_processor] dag_bundle_config_list"
_LONGEST = 255


class Folder(NamedTuple):
    """A folder that is stored, under a name that a folder can have."""

    use: Literal["bundle", "plugins"]
    name: str
    path: str


class Elsewhere(NamedTuple):
    """A bundle whose files are kept elsewhere."""

    name: str
    classpath: str


class Bundles(NamedTuple):
    """What is read, and what is only named."""

    folders: list[Folder]
    elsewhere: list[Elsewhere]


def bundles_of(configuration: Configuration) -> Bundles:
    """Return the bundles, and the plugins where there are some; ConfigError where Airflow could read none."""
    folders: list[Folder] = []
    elsewhere: list[Elsewhere] = []
    for told in _told(configuration):
        name, classpath, kwargs = told.get("name"), told.get("classpath"), told.get("kwargs") or {}
        if (
            not isinstance(name, str)
            or not isinstance(classpath, str)
            or not isinstance(kwargs, dict)
        ):
            raise _unreadable(configuration)
        if classpath != _LOCAL:
            elsewhere.append(Elsewhere(name[:1000], classpath[:1000]))
            continue
        path = kwargs.get("path") or _option(configuration, "dags_folder", "dags")
        folders.append(
            Folder("bundle", folder_name(name), _absolute(configuration, str(path), name))
        )
    plugins = _option(configuration, "plugins_folder", "plugins")
    if _holds_something(plugins):
        folders.append(Folder("plugins", "plugins", plugins))
    if len({each[:2] for each in folders}) != len(folders):
        raise ConfigError(f"two bundles in {_OPTION} have one name")
    if max(len(folders), len(elsewhere)) > MOST_FOLDERS:
        raise ConfigError(f"{_OPTION} has more than {MOST_FOLDERS} bundles")
    return Bundles(folders, elsewhere)


def _holds_something(folder: str) -> bool:
    try:
        return bool(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # whoever reads it says what is wrong


def folder_name(bundle: str) -> str:
    """
    Return the name of a bundle as a folder can have it.

    >>> folder_name("dags-folder"), folder_name("../team/a"), folder_name(".hidden")
    ('dags-folder', '%2E.%2Fteam%2Fa', '%2Ehidden')
    """
    name = quote(bundle, safe=" @+()", errors="replace")
    if name[:1] and not (name[0].isalnum() or name[0] in "_%"):
        name = f"%{ord(name[0]):02X}{name[1:]}"
    if not 0 < len(name) <= _LONGEST or "~" in name:
        raise ConfigError(f"the DAG bundle {quoted(bundle)} has a name that no folder can have")
    return name


def _told(configuration: Configuration) -> list[dict[str, Any]]:
    found = configuration.get("dag_processor", "dag_bundle_config_list")
    if found.unknown:
        raise ConfigError(f"{_OPTION} is not known here: {found.unknown}")
    if not found.text:
        return _USUAL
    try:
        told = json.loads(found.text)
    except (ValueError, RecursionError):  # its message may show what is secret
        raise _unreadable(configuration) from None
    if not isinstance(told, list) or not all(isinstance(each, dict) for each in told):
        raise _unreadable(configuration)
    return told


def _option(configuration: Configuration, option: str, usual: str) -> str:
    found = configuration.get("core", option).text or os.path.join(configuration.home, usual)
    return _absolute(configuration, found, option)


def _absolute(configuration: Configuration, path: str, what: str) -> str:
    path = configuration.expanded(path)
    if not path.startswith("/") or "\0" in path:
        raise ConfigError(
            f"the folder {quoted(path)} of {quoted(what)} is not an absolute path",
            hint="nobody can tell here from where Airflow would look for it",
        )
    return path


def _unreadable(configuration: Configuration) -> ConfigError:
    return ConfigError(
        f"{_OPTION} is not a list of bundles that Airflow could read",
        hint=f"in '{configuration.file}', or a variable; airflow config get-value dag_processor dag_bundle_config_list",
    )
