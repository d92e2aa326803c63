"""Writes a schedules file with comments, in which any name may stand."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from airflow_backup.schedules.export.yaml_text import WIDTH, comment, flow, in_one_line, scalar
from airflow_backup.schedules.setup.draft import Draft, NeededConnection, SetupPlan


def document(plan: SetupPlan) -> str:
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


def _head(plan: SetupPlan) -> Iterator[str]:
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
        elif is_list and len(line) > WIDTH:
            yield f"{space}{key}:"
            yield from (f"{space}  - {scalar(each)}" for each in value)
        else:
            yield line


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
