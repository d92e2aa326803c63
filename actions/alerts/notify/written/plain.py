"""Messages as plain text, for people who read mail in a terminal and for chats. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from airflow_backup.actions.alerts.notify.content import Content
from airflow_backup.actions.alerts.notify.digest import DIGEST

_WIDTH = 90


def text_of(contents: Sequence[Content], *, title: str) -> str:
    """Return the whole text."""
    parts = [_digest(each) if each["event"] == DIGEST else _one(each) for each in contents]
    line = "\n" + "-" * 60 + "\n\n"
    return f"{line.join(parts)}\n-- \nairflow-backup tells you because a schedule names you below `notify`."


def _one(content: Content) -> str:
    lines = [f"{content['title']}\n"]
    if content.get("description"):
        lines.append(_wrapped("", str(content["description"])))
    lines.append(_wrapped("What     ", str(content["what"])))
    lines.append(_wrapped("Since    ", str(content["since"])))
    if content.get("means"):
        lines.append(_wrapped("Means    ", str(content["means"])))
    for number, step in enumerate(content["do"]):
        lines.append(_wrapped("Do       " if number == 0 else "         ", str(step), whole=True))
    if content.get("link"):
        lines.append(f"Look     {content['link']}")
    for name, value in content["facts"]:
        lines.append(f"         {name}: {value}")
    return "\n".join(lines) + "\n"


def _digest(content: Content) -> str:
    lines = [f"{content['title']}\n"]
    since = f" since {content['since']}" if content.get("since") else ""
    lines.append(f"Runs{since}: {content['what']}.\n")
    bad = [row for row in content["rows"] if row["attention"]]
    well = [row for row in content["rows"] if not row["attention"]]
    if bad:
        lines.append("Needs a person:")
        lines += [
            _wrapped(f"  {row['schedule']} ({row['state']}): ", str(row["reason"])) for row in bad
        ]
        lines.append("")
    if well:
        lines.append("Well:")
        width = max(len(row["schedule"]) for row in well)
        lines += [f"  {row['schedule']:<{width}}  {_age(row)}" for row in well]
    if content.get("link"):
        lines += ["", f"Look: {content['link']}"]
    return "\n".join(lines) + "\n"


def _age(row: dict[str, Any]) -> str:
    if row["age"] is None:
        return f"{row['state']}, nothing stored yet"
    return f"{row['state']}, newest good set {row['age']} old; the limit is {row['limit']}"


def _wrapped(head: str, text: str, *, whole: bool = False) -> str:
    if whole:  # a command is copied
        return f"{head}{text}"
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=head,
        subsequent_indent=" " * min(len(head), 9),
        break_long_words=False,
        break_on_hyphens=False,
    )
