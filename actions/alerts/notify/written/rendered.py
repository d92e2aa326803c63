"""A batch of messages, written out in every form that some way needs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_backup.actions.alerts.notify.content import Content
from airflow_backup.actions.alerts.notify.digest import DIGEST
from airflow_backup.actions.alerts.notify.levels import Level
from airflow_backup.actions.alerts.notify.written.html import html_of
from airflow_backup.actions.alerts.notify.written.plain import text_of
from airflow_backup.core.text.names import shown
from airflow_backup.core.words import EventKind

LONGEST_SUBJECT = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """One mail, or one line in a chat."""

    id: str
    """Stays the same when it has to be sent again."""

    title: str
    text: str
    html: str
    contents: Sequence[Content]
    """As they were written, for programs."""

    @property
    def link(self) -> str | None:
        """Where the whole of it is to be read."""
        links = {str(each["link"]) for each in self.contents if each.get("link")}
        return min(links, key=len, default=None)

    @property
    def is_bad(self) -> bool:
        """Whether it tells of trouble."""
        return any(content.get("level", 0) > Level.WELL for content in self.contents)


def rendered(batch: str, contents: Sequence[Content]) -> Rendered:
    """Write a batch out; of several messages the worst comes first and gives the title."""
    order = sorted(map(_shown, contents), key=lambda content: -int(content.get("level", 0)))
    title = title_of(order)
    return Rendered(
        id=batch,
        title=title,
        text=text_of(order, title=title),
        html=html_of(order, title=title),
        contents=contents,
    )


def _shown(value: Any) -> Any:
    """Return plain data in which no text draws on a terminal, turns the direction of another or forges a line."""
    if isinstance(value, str):
        return shown(" ".join(value.split()).encode("utf-8", "backslashreplace"))
    if isinstance(value, Mapping):
        return {name: _shown(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(each) for each in value]
    return value


def title_of(contents: Sequence[Content]) -> str:
    """
    Return the subject line.

    >>> late = {"event": "stale", "schedule": "wiki", "title": "wiki: backups are late", "level": 3}
    >>> title_of([late])
    '[backup] wiki: backups are late'
    >>> title_of([late, {**late, "schedule": "crm"}, {**late, "schedule": "shop", "event": "recovered", "level": 0}])
    '[backup] 2 schedules have trouble, 1 is well again: wiki, crm, shop'
    """
    if len(contents) == 1 or all(content["event"] == DIGEST for content in contents):
        return _line(f"[backup] {contents[0]['title']}")
    names = list(dict.fromkeys(content["schedule"] or "Airflow" for content in contents))
    if len(names) == 1:
        last = " · ".join(
            dict.fromkeys(content["title"].partition(": ")[2] for content in contents)
        )
        return _line(f"[backup] {names[0]}: {last}")
    bad = {c["schedule"] for c in contents if c.get("level", 0) > Level.WELL}
    well = {c["schedule"] for c in contents if c["event"] == EventKind.RECOVERED}
    counts = []
    if bad:
        counts.append(f"{len(bad)} {'schedule has' if len(bad) == 1 else 'schedules have'} trouble")
    if well:
        counts.append(f"{len(well)} {'is' if len(well) == 1 else 'are'} well again")
    return _line(f"[backup] {', '.join(counts) or f'{len(contents)} messages'}: {', '.join(names)}")


def _line(text: str) -> str:
    """Return it as one short line: an error text, or a name, must not begin a header of its own."""
    plain = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return plain if len(plain) <= LONGEST_SUBJECT else f"{plain[: LONGEST_SUBJECT - 1]}…"
