"""What restic told: its messages, its complaints, and what could not be read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from airflow_backup.core.errors import EngineError
from airflow_backup.engines.capabilities import EntryKind, StoredEntry

NO_REPOSITORY, LOCKED, WRONG_PASSWORD = 10, 11, 12
MOST_LINES = 200_000
"""Lines of errors that are kept of a backup: one for each file that could not be read."""

_ERROR = '{"message_type":"error"'

_WORDS = (
    (LOCKED, ("repository is already locked", "unable to create lock")),
    (WRONG_PASSWORD, ("wrong password or no key found",)),
    (
        NO_REPOSITORY,
        ("Is there a repository at the following location", "repository does not exist"),
    ),
)

_KINDS: dict[str, EntryKind] = {"file": "file", "dir": "folder", "symlink": "link"}

Message = dict[str, Any]


def message_in(line: bytes) -> Message | None:
    """Read a line of restic's JSON; None where it is none."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "message_type" in found else None


def complaints(errors: str) -> list[str]:
    """
    Return what restic complained of, from its JSON or its plain lines.

    >>> complaints('{"message_type":"error","error":{"message":"permission denied"},"item":"/srv/x"}\\nFatal: gone')
    ['/srv/x: permission denied', 'gone']
    """
    found: list[str] = []
    for line in filter(None, map(str.strip, errors.splitlines())):
        message = message_in(line.encode())
        if message is None:
            found.append(line.removeprefix("Fatal: "))
        elif message["message_type"] == "error":
            found.append(f"{message.get('item', '?')}: {_said(message.get('error'))}")
        elif message["message_type"] == "exit_error":
            found.append(str(message.get("message", "")).removeprefix("Fatal: "))
    return found


def unread_in(errors: str) -> list[str]:
    """
    Return what could not be read, each once; EngineError where that is more than was kept.

    >>> unread_in('{"message_type":"error","error":{"Err":13},"item":"/x"}\\nWarning: at least one source file ...')
    ['/x: permission denied']
    """
    lines = errors.splitlines()
    if len(lines) >= MOST_LINES:
        raise EngineError(
            f"more than {MOST_LINES:,} files could not be read, and no set lists so many",
            hint="may the worker's user read the source at all?",
        )
    found: dict[str, str] = {}
    for line in map(str.strip, lines):
        message = message_in(line.encode())
        if message is not None and message["message_type"] == "error":
            found.setdefault(str(message.get("item", line)), complaints(line)[0])
        elif message is None and line.startswith(_ERROR):  # too long a path for one line
            found.setdefault(line, line[:400])
    return list(found.values()) or complaints(errors) or ["restic does not say what"]


def entries_in(listing: bytes) -> Iterator[StoredEntry]:
    """Read what ``restic ls --json`` said of a snapshot; EngineError where it is not that."""
    for line in listing.splitlines():
        try:
            node = json.loads(line)
            if node.get("struct_type") != "node":
                continue
            kind = _KINDS.get(node["type"], "other")
            size = int(node.get("size", 0)) if kind == "file" else None
            entry = StoredEntry(str(node["path"]), kind, size, _moment(str(node.get("mtime"))))
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise EngineError(f"restic listed what is not understood: {line[:200]!r}") from error
        yield entry


def _moment(text: str) -> datetime | None:
    """Return a moment; None for one that no calendar has, as a file may have."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _said(told: object) -> str:
    """Return what an error says; before 0.17 it may be a number of the system's."""
    if not isinstance(told, dict):
        return str(told)
    number = told.get("Err")
    words = os.strerror(number).lower() if isinstance(number, int) else str(told)
    return str(told.get("message", words))


def meaning_of(errors: str) -> int | None:
    """
    Return the exit code that a newer release would have given.

    >>> meaning_of("Fatal: wrong password or no key found")
    12
    """
    for code, words in _WORDS:
        if any(word in errors for word in words):
            return code
    return None
