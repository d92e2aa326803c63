"""
What a server of ours, and mariadb-backup, must be told of a restored data folder: its layout, and where its keys are.

mariadb-backup notes both in ``backup-my.cnf``. The set lies where others may write, and the file has the paths of the
original, which may be alive on this very machine. So it chooses among known settings and plugins with their own
options, and names no file and no folder outside: what was elsewhere on the original lies in the set itself.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from airflow_backup.core.errors import ToolMissing

_PLUGINS = ("file_key_management", "hashicorp_key_management", "aws_key_management")
_ALSO = ("innodb_encrypt_log", "innodb_encrypt_tables")
_LAYOUT = {
    "innodb_checksum_algorithm": re.compile(r"[a-z0-9_]+"),
    "innodb_log_file_size": re.compile(r"\d+"),
    "innodb_log_block_size": re.compile(r"\d+"),
    "innodb_page_size": re.compile(r"\d+"),
    "innodb_undo_tablespaces": re.compile(r"\d+"),
}
_FILES = "innodb_data_file_path"
_FILE = re.compile(r"(?:.*/)?([^/:;\s]+)((?::\d+[KMGT]?)(?::autoextend(?::max:\d+[KMGT]?)?)?)")
_KEY_FILE = "file_key_management_filename"
_LINE = re.compile(r"^([a-z_0-9-]+)[ \t]*=[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_FOLDERS = ("/usr/lib/mysql/plugin", "/usr/lib64/mysql/plugin", "/usr/local/mysql/lib/plugin")
_MOST_KEYS = 255


def options_of(data: Path, folder: Path, *, user: str | None = None) -> str:
    """
    Return the option that tells a program what ``data`` is; ToolMissing where its keys are not on this machine.

    What is needed is written below ``folder``, for ``user``.
    """
    noted = data / "backup-my.cnf"
    if not noted.exists():
        return "--no-defaults"
    text = noted.read_text(errors="replace")
    found = {key.replace("-", "_"): value for key, value in _LINE.findall(text)}
    lines = _layout(found)
    wanted = re.split(r"[;=]", found.get("plugin_load", ""))
    plugins = [plugin for plugin in _PLUGINS if plugin in wanted]
    if plugins:
        lines |= {
            key: value
            for key, value in found.items()
            if key in _ALSO or key.startswith(tuple(plugins))
        }
    if lines.get(_KEY_FILE):
        lines[_KEY_FILE] = _reachable(Path(lines[_KEY_FILE].strip('"')), folder, user)
    return _written(plugins, lines, folder, user)


def _layout(found: Mapping[str, str]) -> dict[str, str]:
    """
    Return what a data folder is made like.

    >>> _layout({"innodb_data_file_path": "ibdata1:12M;/disk2/ibdata2:1G:autoextend", "innodb_page_size": "8192"})
    {'innodb_page_size': '8192', 'innodb_data_file_path': 'ibdata1:12M;ibdata2:1G:autoextend'}
    >>> _layout({"innodb_data_file_path": "../x\\nplugin_dir=/y", "innodb_page_size": "$(id)"})
    {}
    """
    lines = {
        key: found[key]
        for key, pattern in _LAYOUT.items()
        if key in found and pattern.fullmatch(found[key])
    }
    files = [_FILE.fullmatch(each) for each in found.get(_FILES, "").split(";")]
    if all(files):
        lines[_FILES] = ";".join(f"{each[1]}{each[2]}" for each in files if each is not None)
    return lines


def options_of_new(folder: Path, *, user: str | None = None) -> str:
    """Return the option that lets a test server make encrypted tables, with keys of its own for them."""
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
    # A copy: the server runs in a sandbox, or as somebody else, and sees no other folder.
    return str(_private(folder / "keys", text, user))


def _written(plugins: list[str], lines: dict[str, str], folder: Path, user: str | None) -> str:
    place = _folder_of(plugins[0]) if plugins else None
    if plugins and place is None:
        raise ToolMissing(
            f"the set is encrypted at rest, and the plugin '{plugins[0]}' is not on this machine",
            hint="install the server's package that brings it",
        )
    loaded = [f"plugin_dir={place}\n", f"plugin_load={';'.join(plugins)}\n"] if plugins else []
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
