"""
Encryption at rest: what a server of ours needs so that it can read, or make, encrypted tables.

mariadb-backup notes in ``backup-my.cnf`` which plugin the server took its keys from. The set lies where others may
write, so that file chooses among known plugins and their own options, and no folder to load programs from.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from pathlib import Path

from airflow_backup.core.errors import ToolMissing

_PLUGINS = ("file_key_management", "hashicorp_key_management", "aws_key_management")
_ALSO = ("innodb_encrypt_log", "innodb_encrypt_tables")
_KEY_FILE = "file_key_management_filename"
_LINE = re.compile(r"^([a-z_0-9-]+)[ \t]*=[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_FOLDERS = ("/usr/lib/mysql/plugin", "/usr/lib64/mysql/plugin", "/usr/local/mysql/lib/plugin")
_MOST_KEYS = 255


def options_of(data: Path, folder: Path, *, user: str | None = None) -> str:
    """
    Return the option that gives a server on ``data`` its keys; ToolMissing where they are not on this machine.

    What is needed is written below ``folder``, for ``user``.
    """
    noted = data / "backup-my.cnf"
    if not noted.exists():
        return "--no-defaults"
    found = {key.replace("-", "_"): value for key, value in _LINE.findall(noted.read_text())}
    wanted = re.split(r"[;=]", found.get("plugin_load", ""))
    plugins = [plugin for plugin in _PLUGINS if plugin in wanted]
    if not plugins:
        return "--no-defaults"
    lines = {
        key: value for key, value in found.items() if key in _ALSO or key.startswith(tuple(plugins))
    }
    if lines.get(_KEY_FILE):
        lines[_KEY_FILE] = _reachable(Path(lines[_KEY_FILE].strip('"')), folder, user)
    return _written(plugins, lines, folder, user)


def options_of_new(folder: Path, *, user: str | None = None) -> str:
    """Return the option that lets a throwaway server make encrypted tables, with keys of its own for them."""
    if _folder_of(_PLUGINS[0]) is None:
        return "--no-defaults"
    keys = "".join(f"{number};{secrets.token_hex(32)}\n" for number in range(1, _MOST_KEYS + 1))
    path = _private(folder / "keys", keys, user)
    return _written([_PLUGINS[0]], {_KEY_FILE: str(path)}, folder, user)


def _reachable(keys: Path, folder: Path, user: str | None) -> str:
    try:
        text = keys.read_text()
    except OSError as error:
        raise ToolMissing(
            f"the set is encrypted at rest, and its keys cannot be read here: '{keys}': {error.strerror}",
            hint="copy the server's key file to this machine, under the same path",
        ) from error
    return str(keys) if user is None else str(_private(folder / "keys", text, user))


def _written(plugins: list[str], lines: dict[str, str], folder: Path, user: str | None) -> str:
    place = _folder_of(plugins[0])
    if place is None:
        raise ToolMissing(
            f"the set is encrypted at rest, and the plugin '{plugins[0]}' is not on this machine",
            hint="install the server's package that brings it",
        )
    loaded = [f"plugin_dir={place}\n", f"plugin_load={';'.join(plugins)}\n"]
    said = [f"{key}={value}\n" for key, value in lines.items() if value]
    path = _private(folder / "keys.cnf", "".join(["[mysqld]\n", *loaded, *said]), user)
    return f"--defaults-file={path}"


def _folder_of(plugin: str) -> str | None:
    """Return where this machine has a plugin; what a set says of folders is not asked."""
    return next((each for each in _FOLDERS if (Path(each) / f"{plugin}.so").exists()), None)


def _private(path: Path, text: str, user: str | None) -> Path:
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    if user is not None:
        shutil.chown(path, user)
    return path
