"""Reads events of a binary log: where a moment is in it, and what it says of the server's own scheduled events."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from airflow_backup.core.errors import VerifyError

_MAGIC = b"\xfebin"
_HEADER = struct.Struct("<IBIIIH")
_QUERY, _COMPRESSED_QUERY = 2, 165
_QUERY_HEAD = struct.Struct("<IIBHH")
_CHECKSUM = 4
_SCHEDULED = re.compile(
    rb"\s*(?:/\*.*?\*/\s*)*(?:CREATE|ALTER|DROP)\b[^(]{0,400}?\bEVENT\b", re.IGNORECASE | re.DOTALL
)
_CHANGES = re.compile(
    rb"\s*(?:/\*.*?\*/\s*)*(?:INSERT|UPDATE|DELETE|REPLACE|LOAD)\b", re.IGNORECASE | re.DOTALL
)
_TOKEN = re.compile(
    r"`(?:[^`]|``)*`|'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"|/\*.*?\*/|[\w$]+|\S", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Event:
    """One event: where it begins, when, and of which type."""

    place: int
    moment: int
    type: int
    size: int


def events(log: BinaryIO, name: str) -> Iterator[Event]:
    """Yield the events of a log, the first describes it; the caller may read the file between two."""
    if log.read(4) != _MAGIC:
        raise VerifyError(f"'{name}' is no binary log")
    place = 4
    while len(head := _at(log, place, _HEADER.size)) == _HEADER.size:
        moment, kind, _, size, _, _ = _HEADER.unpack(head)
        if size < _HEADER.size:
            raise VerifyError(f"'{name}' is damaged at {place}")
        yield Event(place, moment, kind, size)
        place += size


def _at(log: BinaryIO, place: int, size: int) -> bytes:
    log.seek(place)
    return log.read(size)


def first_since(file: Path, begin: int, moment: int) -> int | None:
    """Return where the first event lies that began at ``moment`` (seconds) or later, after ``begin``."""
    with file.open("rb") as log:
        for number, event in enumerate(events(log, file.name)):
            if number and event.place >= begin and event.moment >= moment:
                return event.place
    return None


def about_others(files: Sequence[Path], begin: int, database: str) -> int:
    """Count the changes that the log has in their own words, and that name another database than ``database``."""
    found = 0
    for number, file in enumerate(files):
        with file.open("rb") as log:
            for event in events(log, file.name):
                if event.place < (0 if number else begin):
                    continue
                if event.type in (_QUERY, _COMPRESSED_QUERY):
                    current, text = _query(log, event)
                    is_ours = current == database or database.encode() in text
                    found += not is_ours and _CHANGES.match(text) is not None
    return found


def switched_off(files: Sequence[Path], begin: int) -> dict[tuple[str, str], bool]:
    """Return which scheduled events the log made or changed, and whether they are switched off at its end."""
    found: dict[tuple[str, str], bool] = {}
    for number, file in enumerate(files):
        with file.open("rb") as log:
            for event in events(log, file.name):
                if event.place < (0 if number else begin):
                    continue
                if event.type in (_QUERY, _COMPRESSED_QUERY):
                    database, text = _query(log, event)
                    if _SCHEDULED.match(text):
                        _learn(found, database, text.decode("utf-8", "replace"))
    return found


def _query(log: BinaryIO, event: Event) -> tuple[str, bytes]:
    body = _at(log, event.place + _HEADER.size, event.size - _HEADER.size - _CHECKSUM)
    _, _, length, _, more = _QUERY_HEAD.unpack_from(body)
    begin = _QUERY_HEAD.size + more
    database, text = body[begin : begin + length], body[begin + length + 1 :]
    if event.type == _COMPRESSED_QUERY:
        text = zlib.decompress(text[1 + (text[0] & 7) :])
    return database.decode("utf-8", "replace"), text


def _learn(found: dict[tuple[str, str], bool], database: str, text: str) -> None:
    """
    Take in one statement.

    >>> found = {}
    >>> _learn(found, "shop", "CREATE DEFINER=`a`@`b` EVENT `e` ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 'ENABLE'")
    >>> _learn(found, "x", "ALTER EVENT shop.e ON COMPLETION PRESERVE RENAME TO `bank`.`f``g`")
    >>> found
    {('bank', 'f`g'): True}
    """
    tokens = [token for token in _TOKEN.findall(text) if not token.startswith("/*")]
    words = [token.upper() for token in tokens]
    try:
        here = words.index("EVENT") + 1
    except ValueError:
        return
    while words[here : here + 1] and words[here] in ("IF", "NOT", "EXISTS"):
        here += 1
    name, here = _named(tokens, here, database)
    end = words.index("DO", here) if "DO" in words[here:] else len(words)
    said = [word for word in words[here:end] if word in ("ENABLE", "DISABLE")]
    if words[0] == "DROP":
        found.pop(name, None)
        return
    was = found.get(name)
    now = said[-1] == "DISABLE" if said else False if words[0] == "CREATE" else was
    if now is not None:
        found[name] = now
    for place in range(here, end - 2):
        if words[place : place + 2] == ["RENAME", "TO"] and name in found:
            new, _ = _named(tokens, place + 2, name[0])
            found[new] = found.pop(name)


_KINDS = ("EVENT", "PROCEDURE", "FUNCTION", "PACKAGE", "TRIGGER", "VIEW", "DATABASE", "SCHEMA")
_BEFORE_NAMES = ("BODY", "IF", "NOT", "EXISTS")
_ABOUT_USERS = ("GRANT", "REVOKE")


def is_about_others(text: str, database: str, only: str) -> bool:
    """
    Whether a statement, given in ``database``, makes or drops something that is not in the database ``only``.

    >>> is_about_others("DROP EVENT IF EXISTS `shop`.`e`", "bank", "bank")
    True
    >>> is_about_others("DROP PROCEDURE p", "shop", "bank"), is_about_others("DROP VIEW bank.v", "shop", "bank")
    (True, False)
    >>> is_about_others("GRANT SELECT ON shop.t TO a", "bank", "bank"), is_about_others("DROP SCHEMA bank", "", "bank")
    (True, False)
    """
    tokens = [token for token in _TOKEN.findall(text) if not token.startswith("/*")]
    words = [token.upper() for token in tokens]
    if words[:1] and words[0] in _ABOUT_USERS:
        return True
    if not words or words[0] not in ("CREATE", "ALTER", "DROP"):
        return False
    kind = next((place for place, word in enumerate(words) if word in _KINDS), None)
    if kind is None:
        return False
    here = kind + 1
    while words[here : here + 1] and words[here] in _BEFORE_NAMES:
        here += 1
    if not tokens[here:]:
        return False
    if words[kind] in ("DATABASE", "SCHEMA"):
        return _plain(tokens[here]) != only
    return _named(tokens, here, database)[0][0] != only


def _named(tokens: Sequence[str], here: int, database: str) -> tuple[tuple[str, str], int]:
    first = _plain(tokens[here])
    if tokens[here + 1 : here + 2] == ["."]:
        return (first, _plain(tokens[here + 2])), here + 3
    return (database, first), here + 1


def _plain(token: str) -> str:
    if token[:1] in ("`", '"'):
        return token[1:-1].replace(token[0] * 2, token[0])
    return token
