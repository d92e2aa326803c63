"""Which tool a file belongs to, by what it says; and the file itself, read with care."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from pathlib import Path

from airflow_backup.core.errors import ConfigError, NotFound
from airflow_backup.core.text.names import shown

TOOLS = ("crontab", "borgmatic", "restic", "pgbackrest", "airflow")
"""What can be read; `restic` is any shell script."""

LARGEST = 4 * 2**20
_CRON = re.compile(
    r"\s*-?(@(reboot|yearly|annually|monthly|weekly|daily|midnight|hourly)|([\d*][^\s=]*\s+){4}[\w*?][^\s=]*)\s+\S"
)
_BORGMATIC = re.compile(
    r"^\s*(source_directories|location|exclude_patterns|keep_(daily|within)|<<|"
    r"(postgresql|mysql|mariadb|sqlite|mongodb)_databases)\s*:",
    re.MULTILINE,
)
_PGBACKREST = re.compile(r"^\s*(pg\d*-path|db-path|repo\d*-path)\s*=", re.MULTILINE)
_CONNECTION = re.compile(
    r"[\"']?conn_type[\"']?\s*:|^[\"\w.-]+\s*[:=]\s*[\"']?[a-z][a-z0-9_+-]*://", re.MULTILINE
)
_SCRIPT = re.compile(r"^\s*(#!|set -|export |restic\s|\w+=)|\brestic\s", re.MULTILINE)


def text_of(path: Path) -> str:
    """Return what a file says; ConfigError for what is no text, NotFound where there is none."""
    name = shown(str(path).encode("utf-8", "surrogateescape"))
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode) and not stat.S_ISFIFO(found.st_mode):
            raise ConfigError(f"{name} is no file", hint="name the configuration file itself")
        if found.st_size > LARGEST:
            raise _too_large(name)
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise NotFound(f"there is no {name}", hint="is the path right?") from None
    except OSError as error:
        raise ConfigError(f"{name} cannot be read: {(error.strerror or '').lower()}") from error
    return decoded(content, name)


def decoded(content: bytes, name: str) -> str:
    """Return the text of some bytes, with plain ends of lines."""
    if len(content) > LARGEST:
        raise _too_large(name)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"{name}, line {line}: this is not UTF-8",
            hint="write the file anew as UTF-8: iconv -f latin1 -t utf-8",
        ) from None
    if "\0" in text:
        raise ConfigError(f"{name} is no text", hint="name the configuration file itself")
    if not text.strip():
        raise ConfigError(f"{name} is empty")
    return text.replace("\r\n", "\n")


def _too_large(name: str) -> ConfigError:
    return ConfigError(
        f"{name} is larger than {LARGEST // 2**20} MiB", hint="is it really a configuration file?"
    )


def tool_of(text: str, name: str) -> str:
    """Tell which tool a text belongs to; ConfigError where it cannot be told."""
    for tool, is_it in _signs(text, Path(name)):
        if is_it:
            return tool
    raise ConfigError(
        f"{name}: it cannot be told which tool this belongs to",
        hint=f"--tool, one of {', '.join(TOOLS)}",
    )


def _signs(text: str, path: Path) -> Iterator[tuple[str, bool]]:
    yield "restic", text.startswith("#!") or path.suffix in (".sh", ".bash")
    yield "airflow", path.suffix in (".json", ".env")
    yield "pgbackrest", _PGBACKREST.search(text) is not None
    yield "crontab", "cron" in path.name or any(map(_CRON.match, text.split("\n")))
    yield "borgmatic", _BORGMATIC.search(text) is not None
    yield "airflow", _CONNECTION.search(text) is not None
    yield "restic", _SCRIPT.search(text) is not None


def has_users(path: Path) -> bool:
    """Whether a crontab is one of the system, in which each line names a user."""
    return (path.name == "crontab" and path.parent.name == "etc") or path.parent.name == "cron.d"
