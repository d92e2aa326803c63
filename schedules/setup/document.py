"""Writes a schedules file with comments, in which any name may stand."""

from __future__ import annotations

import re
import shlex
import textwrap
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from airflow_backup.core.text.names import shown
from airflow_backup.schedules.setup.draft import Draft, NeededConnection, Plan

_WIDTH = 110
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@+-]*(?:://[A-Za-z0-9_./@:+%-]+)?")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_UNSAFE = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"})


def document(plan: Plan) -> str:
    """Return the text of the file."""
    lines = [*_head(plan), "version: 1", "defaults:"]
    lines += [f"  timezone: {scalar(plan.timezone)}", f"  repository: {scalar(plan.repository)}"]
    if plan.repository_connection is not None:
        lines.append(f"  connection: {scalar(plan.repository_connection)}")
    lines.append("schedules:")
    told: set[str] = set()
    shared = shared_notes(plan.drafts)
    for draft in plan.drafts:
        lines += [*_schedule(draft, told, shared), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _head(plan: Plan) -> Iterator[str]:
    made = (
        f"Made by `airflow-backup setup` from {', '.join(plan.origins)}."
        if plan.origins
        else ("Made by `airflow-backup setup`.")
    )
    yield from comment(f"{made} Check it with `airflow-backup validate`; change it as you like.")
    yield from comment(
        "`repository` is where sets lie; `timezone` is the zone in which times are meant, that of this machine where "
        "nothing else was said."
    )
    if plan.notes:
        yield "#"
        yield from comment("Not carried over:")
        for each in plan.notes:
            yield from comment(each, bullet="- ")
    shared = shared_notes(plan.drafts)
    if shared:
        yield "#"
        yield from comment("Of all schedules below:")
        for each in shared:
            yield from comment(each, bullet="- ")
    yield ""


def shared_notes(drafts: Sequence[Draft]) -> list[str]:
    """Return what is to be said of every schedule, which is then said once."""
    if len(drafts) < 2:
        return []
    return [note for note in drafts[0].notes if all(note in each.notes for each in drafts)]


def _schedule(draft: Draft, told: set[str], shared: Collection[str]) -> Iterator[str]:
    yield from comment(draft.origin, indent=2)
    for each in draft.notes:
        if each in shared:
            continue
        yield from comment(each, indent=2, bullet="- ")
    if draft.connection is not None and draft.connection.id not in told:
        told.add(draft.connection.id)
        first = "where it is not there yet, " if draft.connection.is_named else ""
        yield from comment(
            f"{first}make the connection `{draft.connection.id}` once, then give it its password on Airflow's page "
            "(Admin, Connections), so that it stands in no command:",
            indent=2,
            bullet="- ",
        )
        yield f"  #     {add_command(draft.connection)}"
    yield f"  - id: {draft.name}"
    yield from _mapping({"source": draft.source}, indent=4)
    yield from _mapping(draft.when, indent=4)
    if draft.timezone is not None:
        yield from _mapping({"timezone": draft.timezone}, indent=4)
    if draft.retention is not None:
        yield f"    retention: {flow(draft.retention)}"


def _mapping(given: Mapping[str, Any], *, indent: int) -> Iterator[str]:
    space = " " * indent
    for key, value in given.items():
        is_list = isinstance(value, (list, tuple))
        line = f"{space}{key}: {flow(value) if is_list else scalar(value)}"
        if isinstance(value, Mapping):
            yield f"{space}{key}:"
            yield from _mapping(value, indent=indent + 2)
        elif is_list and len(line) > _WIDTH:
            yield f"{space}{key}:"
            yield from (f"{space}  - {scalar(each)}" for each in value)
        else:
            yield line


def flow(value: Mapping[str, Any] | Sequence[Any]) -> str:
    """
    Write a mapping or a list in one line.

    >>> flow({"daily": 7, "within": "2d"}), flow(["*.tmp", "/a b"])
    ('{daily: 7, within: "2d"}', '["*.tmp", "/a b"]')
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {scalar(each)}" for key, each in value.items()) + "}"
    return "[" + ", ".join(scalar(each, is_flow=True) for each in value) + "]"


def scalar(value: Any, *, is_flow: bool = False) -> str:
    r"""
    Write one value so that it is read as what it is, whatever letters it has.

    >>> scalar("/srv/wiki"), scalar("0 2 * * *"), scalar("a: #b"), scalar("no"), scalar(7)
    ('/srv/wiki', '"0 2 * * *"', '"a: #b"', '"no"', '7')
    >>> print(scalar('a"b\n${HOME}'))
    "a\"b\n$${HOME}"
    """
    if isinstance(value, (bool, int)):
        return str(value).lower()
    text = str(value).replace("${", "$${")  # else the environment would be filled in
    if not is_flow and _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    if letter == "\n":
        return "\\n"
    if unicodedata.category(letter) not in _UNSAFE and letter not in "\x85\ufeff":
        return letter
    number = ord(letter)
    return (
        f"\\x{number:02x}"
        if number < 256
        else f"\\u{number:04x}"
        if number < 65536
        else f"\\U{number:08x}"
    )


def comment(text: str, *, indent: int = 0, bullet: str = "") -> Iterable[str]:
    r"""
    Write a comment in lines that are not too long; nothing in it can end the comment.

    >>> comment("a\nb", indent=2, bullet="- ")
    ['  # - a\\nb']
    """
    one = in_one_line(text)
    lead = " " * indent + "# "
    return textwrap.wrap(
        one,
        width=_WIDTH,
        initial_indent=lead + bullet,
        subsequent_indent=lead + " " * len(bullet),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [lead.rstrip()]


def in_one_line(text: str) -> str:
    r"""
    Write a text so that it draws nothing and ends no line, also where it has half a letter.

    >>> print(in_one_line("a\nb \ud800"))
    a\nb \xed\xa0\x80
    """
    return shown(text.encode("utf-8", "surrogatepass"))


def add_command(needed: NeededConnection) -> str:
    """
    Write the command that makes a connection, without its password.

    >>> add_command(NeededConnection("postgres", "db", "5433", "app user", id="postgres_db"))
    "airflow connections add postgres_db --conn-type postgres --conn-host db --conn-port 5433 --conn-login 'app user'"
    """
    words = ["airflow", "connections", "add", needed.id, "--conn-type", needed.type]
    host, login = ("HOST", "USER") if needed.is_named else (needed.host, needed.login)
    port = needed.port if (needed.port or "").isdecimal() else None
    for option, value in (("host", host), ("port", port), ("login", login)):
        if value:
            words += [f"--conn-{option}", value]
    if needed.extra:
        inside = ", ".join(f'"{key}": "{_json(value)}"' for key, value in needed.extra.items())
        words += ["--conn-extra", "{" + inside + "}"]
    return in_one_line(shlex.join(words))


def _json(text: str) -> str:
    return "".join(
        f"\\u{ord(each):04x}" if each in '"\\' or ord(each) < 32 else each for each in text
    )
