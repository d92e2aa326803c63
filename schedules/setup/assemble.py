"""From drafts to a file: ids, connections, what nobody said, and the check that each schedule is right."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

from airflow_backup.core.errors import BackupError
from airflow_backup.schedules.loading.loader import parse
from airflow_backup.schedules.setup.document import document
from airflow_backup.schedules.setup.draft import Draft, NeededConnection, SetupPlan
from airflow_backup.schedules.setup.names import slug, unique
from airflow_backup.schedules.setup.patterns import escaped
from airflow_backup.schedules.setup.times import TIME_IS_LOST

_LOCAL = ("localhost", "127.0.0.1", "::1")


def assembled(
    drafts: Sequence[Draft],
    notes: Sequence[str],
    *,
    origins: Sequence[str],
    repository: str,
    repository_connection: str | None,
    timezone: str,
    when: Mapping[str, Any],
    retention: Mapping[str, Any] | None,
) -> SetupPlan:
    """
    Make a plan whose every schedule is right.

    ``when`` and ``retention`` are for schedules of which nobody said it. What would be wrong becomes a note.
    """
    zones = {each.timezone or timezone for each in drafts}
    zone = zones.pop() if len(zones) == 1 else timezone
    plan = SetupPlan((), tuple(notes), tuple(origins), repository, repository_connection, zone)
    completed = [_completed(each, plan, when, retention) for each in drafts]
    ids: list[str] = []
    kept: list[Draft] = []
    refused: list[str] = []
    for each in _connected(completed):
        name = unique(slug(each.name), ids)
        draft = replace(each, name=name)
        problem = _problem(replace(plan, drafts=(draft,)))
        if problem is not None:
            refused.append(f"{each.origin}: this was not carried over: {problem}")
            continue
        ids.append(name)
        kept.append(draft)
    return replace(plan, drafts=tuple(kept), notes=(*plan.notes, *refused))


def _problem(plan: SetupPlan) -> str | None:
    found = parse(document(plan)).problems
    return None if not found else f"{found[0].path.partition('.0.')[2]}: {found[0].message}"


def checked(text: str) -> str:
    """Return the text of a file; BackupError where `validate` would find anything in it."""
    found = parse(text).problems
    if found:
        raise BackupError(f"the file that was made is not right: {found[0]}")
    return text


def _completed(
    draft: Draft, plan: SetupPlan, when: Mapping[str, Any], retention: Mapping[str, Any] | None
) -> Draft:
    notes = list(draft.notes)
    if not any(key in draft.when for key in ("cron", "preset", "levels", "every")):
        if plan.origins and TIME_IS_LOST not in notes:
            notes.append("when it runs was not said there")
        draft = replace(draft, when=dict(when))
    if draft.retention is None and retention:
        draft = replace(draft, retention=retention)
    elif draft.retention is None:
        notes.append(
            "how long sets are kept was not said: all of them, until `retention` is written"
        )
    if draft.timezone == plan.timezone:
        draft = replace(draft, timezone=None)
    return _without_repository(replace(draft, notes=tuple(dict.fromkeys(notes))), plan.repository)


def _without_repository(draft: Draft, repository: str) -> Draft:
    """Leave the repository out of a folder that holds it: each set would hold all earlier ones."""
    parts = urlsplit(repository)
    roots = draft.source.get("paths") or [draft.source.get("path")]
    if parts.scheme != "file" or draft.source["engine"] != "files":
        return draft
    place = os.path.normpath(unquote(parts.path))
    for root in roots:
        inside = os.path.relpath(place, root)
        if inside != "." and not inside.startswith(".."):
            exclude = [*draft.source.get("exclude", []), f"/{escaped(inside)}/"]
            notes = (*draft.notes, "the repository lies in it, and is left out")
            return replace(draft, source={**draft.source, "exclude": exclude}, notes=notes)
    return draft


def _connected(drafts: Sequence[Draft]) -> list[Draft]:
    """Name the connections: one for each server and user."""
    names: dict[tuple[Any, ...], str] = {}
    for each in drafts:
        needed = each.connection
        if needed is not None and needed.key not in names:
            wanted = needed.id or _connection_name(needed)
            taken = names.values()
            names[needed.key] = wanted if needed.is_named else unique(wanted, taken, gap="_")
    found = []
    for each in drafts:
        if each.connection is None:
            found.append(each)
            continue
        name = names[each.connection.key]
        first, *rest = each.source.items()
        source = dict([first, ("connection", name), *rest])
        connection = replace(each.connection, id=name)
        found.append(replace(each, source=source, connection=connection))
    return found


def _connection_name(needed: NeededConnection) -> str:
    host = needed.host or ""
    place = "local" if not host or host in _LOCAL or host.startswith("/") else host
    return slug(f"{needed.type}_{place}", gap="_")
