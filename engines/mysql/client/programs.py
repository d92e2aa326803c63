"""The programs of MariaDB and MySQL: where they are, their environment, their versions, what they say."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from airflow_backup.core.errors import ToolMissing
from airflow_backup.core.process import commands
from airflow_backup.core.process.cage import apart

_NAMES = {
    "mariadb-dump": "mysqldump",
    "mariadb-binlog": "mysqlbinlog",
    "mariadb": "mysql",
    "mbstream": "xbstream",
}


_NAMES_ONLY = frozenset(
    {
        1005,
        1006,
        1007,
        1008,
        1044,
        1045,
        1049,
        1050,
        1051,
        1054,
        1059,
        1064,
        1072,
        1091,
        1102,
        1103,
        1115,
        1118,
        1142,
        1143,
        1146,
        1193,
        1205,
        1213,
        1227,
        1231,
        1235,
        1273,
        1286,
        1290,
        1298,
        1305,
        1356,
        1370,
        1419,
        1436,
        1449,
        1524,
        1577,
        1969,
        4031,
        4047,
    }
)
"""Errors whose words name tables, columns and settings; those of others may quote a row."""


_QUOTES_TEXT = frozenset({1064, 1231})
"""... and of these a piece of the statement, which is cut off."""


def said(number: int, text: str) -> str:
    """
    Return the words of an error, where they can hold nothing of a row, after a colon.

    >>> said(1146, "Table 'shop.x' doesn't exist"), said(1062, "Duplicate entry 'alice@x' for key")
    (": Table 'shop.x' doesn't exist", '')
    """
    if number not in _NAMES_ONLY or number in _QUOTES_TEXT:
        return ""
    return f": {text.strip().splitlines()[0]}" if text.strip() else ""


def environment() -> dict[str, str]:
    """
    Return what the programs get: nothing that names a server, a user, a file of options.

    `MYSQL_TEST_LOGIN_FILE` is where MySQL's programs look for `~/.mylogin.cnf`, whatever other file they are given.
    """
    return {"MYSQL_TEST_LOGIN_FILE": "/dev/null/none", "MYSQL_HISTFILE": os.devnull}


def find(program: str, folder: str | None = None) -> str:
    """
    Return the path of a program, in ``folder`` or on `PATH`; ToolMissing when there is none.

    >>> find("mariadb-tape")
    Traceback (most recent call last):
    airflow_backup.core.errors.ToolMissing: the program 'mariadb-tape' is not installed
    HINT: on Debian: apt-get install mariadb-client, for physical sets mariadb-backup
    """
    names = [program, *([_NAMES[program]] if program in _NAMES else [])]
    places = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    for name in names:
        found = shutil.which(name, path=folder) if folder else shutil.which(name, path=places)
        if found is not None:
            return found
    raise ToolMissing(
        f"the program '{program}' is not installed",
        hint="on Debian: apt-get install mariadb-client, for physical sets mariadb-backup",
    )


def find_here(program: str, folder: str | None) -> str:
    """Return the path of a program for a restore: of ``folder``, where it has it, else of this machine."""
    with suppress(ToolMissing):
        return find(program, folder)
    return find(program)


def told_by(command: Sequence[str]) -> commands.Finished:
    """Run a short program in an environment that steers nothing."""
    return commands.run(command, environment=environment())


def told_apart(command: Sequence[str], folders: Sequence[Path]) -> commands.Finished:
    """Run a program on files that came from a repository, in a sandbox in which it may write to ``folders``."""
    return commands.run(
        apart(command, write=[*map(str, folders)]),
        environment={**environment(), "TMPDIR": str(folders[0])},
        name=Path(command[0]).name,
    )


def version_of(command: str) -> tuple[int, int]:
    """Return major and minor version of a program's server series; raise ToolMissing."""
    finished = told_by([command, "--no-defaults", "--version"])
    text = finished.output.decode() + finished.errors  # mariadb-backup tells it as an error
    found = re.search(r"(?:Distrib|server|Ver) (\d+)\.(\d+)\.\d+", text)
    if found is None:
        raise ToolMissing(f"{Path(command).name} does not say its version: {text.strip()!r}")
    return int(found[1]), int(found[2])
