"""Schedules that are made here: checked as a file is, saved as versions, compared with the one before."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import ScheduleVersion
from airflow_backup.core.errors import Refused
from airflow_backup.core.ids import dag_id
from airflow_backup.core.text.names import quoted
from airflow_backup.operators.shared.airflow_settings import (
    allowed_commands,
    allowed_placements,
    folders,
)
from airflow_backup.plugin.errors import InvalidDefinition, VersionConflict, VersionMissing
from airflow_backup.plugin.schemas.edits import FieldProblem, KeyChange, VersionEntry
from airflow_backup.plugin.views.rows import Row
from airflow_backup.plugin.views.secrets import mask, without_passwords
from airflow_backup.schedules.loading.assembly import assemble
from airflow_backup.schedules.loading.dependencies import Elsewhere
from airflow_backup.schedules.loading.layers import too_large
from airflow_backup.schedules.loading.loader import Loaded, check_definition
from airflow_backup.schedules.loading.placeholders import fill
from airflow_backup.schedules.loading.problems import Problem
from airflow_backup.schedules.loading.yaml_reader import read
from airflow_backup.schedules.model.paths import outside
from airflow_backup.schedules.model.placement import not_listed
from airflow_backup.schedules.model.programs import not_allowed, notifiers_not_allowed
from airflow_backup.schedules.model.schedule import Schedule

_PATH = re.compile(r"^schedules\.\d+\.?")
_ETAG = re.compile(r'^(?:W/)?"(\d+)"$')
_WHOLE_FILE = re.compile(r"^schedules\s*:", re.MULTILINE)
_LEAD = "version: 1\nschedules:\n"


def checked(definition: Mapping[str, Any], *, elsewhere: Elsewhere) -> dict[str, Any]:
    """Return what would be in effect; raise Wrong with every problem."""
    loaded = check_definition(definition, elsewhere=elsewhere)
    if loaded.problems or not loaded.schedules:
        raise InvalidDefinition([problem.model_dump() for problem in problems_of(loaded)])
    schedule = loaded.schedules[0].schedule
    beyond = beyond_the_fence(schedule)
    if beyond:
        raise InvalidDefinition([problem.model_dump() for problem in beyond])
    return schedule.definition()


def beyond_the_fence(schedule: Schedule) -> list[FieldProblem]:
    """
    Return a problem for each path, program and place that a schedule made here may not name.

    They are judged as they are written: the worker, whose paths they are, follows the links.
    """
    roots = {"source": folders("source_roots"), "repository": folders("repository_roots")}
    found = outside(schedule, source_roots=roots["source"], repository_roots=roots["repository"])
    paths = [
        FieldProblem(
            field=named.key,
            message=f"{quoted(named.path)} is not within {', '.join(roots[named.use]) or 'any allowed folder'}",
            hint=f"an administrator names folders in [backup] {named.use}_roots; "
            "a schedule in a file may name any path",
        )
        for named in found
    ]
    programs = [
        FieldProblem(field=each.key, message=each.message, hint=each.hint)
        for each in (
            *not_allowed(schedule, allowed_commands()),
            *notifiers_not_allowed(schedule, allowed_commands()),
            *not_listed(schedule, allowed_placements()),
        )
    ]
    return paths + programs


def read_yaml(text: str, *, elsewhere: Elsewhere) -> tuple[Loaded, int]:
    """
    Check what somebody types: one schedule, or a whole file; also return by how many lines its marks are off.

    No variable of the server is filled in.
    """
    text = re.sub(r"\A---[^\n]*\n", "\n", text)
    if _WHOLE_FILE.search(text):
        return _assembled(text, elsewhere), 0
    lines = text.splitlines() or [""]
    return _assembled(_LEAD + "- \n" + "".join(f"  {line}\n" for line in lines), elsewhere), 3


def _assembled(text: str, elsewhere: Elsewhere) -> Loaded:
    document = read(text, file="yaml")
    if (large := too_large(document)) is not None:
        return Loaded(problems=[large])
    return assemble([fill(document, {})], elsewhere=elsewhere)


def problems_of(loaded: Loaded, *, lines_off: int | None = None) -> list[FieldProblem]:
    """Show the problems with the keys they belong to; with lines where there is a text."""
    return [_field_problem(problem, lines_off) for problem in loaded.problems]


def _field_problem(problem: Problem, lines_off: int | None) -> FieldProblem:
    return FieldProblem(
        field=_PATH.sub("", problem.path),
        message=problem.message,
        hint=problem.hint,
        line=None if lines_off is None else max(1, problem.line - lines_off),
    )


def free_id(row: Row | None, schedule_id: str, *, visible: bool) -> None:
    """Refuse an id that is taken; where it is written is told to those who may see it."""
    if row is None:
        return
    if not visible:
        raise Refused(f"the id {schedule_id!r} is taken", hint="choose another")
    if row.made is None:
        raise Refused(
            f"schedule {schedule_id!r} is written in {row.origin}",
            hint="choose another id; files win over what is made here",
        )
    raise Refused(f"there already is a schedule {schedule_id!r}", hint="edit it, or choose another")


def refuse_foreign(schedule_id: str, *, visible: bool) -> None:
    """Refuse an id under which a DAG runs that no schedule makes."""
    if not visible:
        raise Refused(f"the id {schedule_id!r} is taken", hint="choose another")
    raise Refused(
        f"there already is a DAG {dag_id(schedule_id)!r}, and no schedule makes it",
        hint="choose another id; where a file had this schedule until now, wait some minutes",
    )


def editable(row: Row) -> ScheduleVersion:
    """Return the saved version of a schedule; refuse one that comes from a file."""
    if row.made is None:
        raise Refused(
            f"schedule {row.id!r} comes from a file and cannot be changed here",
            hint=f"change it in {row.origin} and deploy, or clone it",
        )
    return row.made


def etag(saved: ScheduleVersion) -> str:
    """Return the version as HTTP writes it."""
    return f'"{saved.version}"'


def check_match(given: str | None, saved: ScheduleVersion) -> None:
    """Make sure that a change is meant for the version that is current."""
    if given is None:
        raise VersionMissing(
            "the change does not say which version it is meant for",
            hint=f"send 'If-Match: {etag(saved)}', the ETag that GET answered",
        )
    if given.strip() == "*":
        return
    versions = {found[1] for part in given.split(",") if (found := _ETAG.match(part.strip()))}
    if str(saved.version) not in versions:
        raise VersionConflict(
            f"schedule {saved.id!r} has version {saved.version}, saved by {saved.author}",
            hint="somebody changed it meanwhile; load it again",
        )


def save(
    catalog: Catalog,
    schedule_id: str,
    definition: Mapping[str, Any],
    *,
    author: str,
    at: datetime,
    before: ScheduleVersion | None,
    deleted: bool = False,
) -> ScheduleVersion:
    """Add a version, and an event that tells what it changed."""
    try:
        saved = catalog.schedules.save(
            schedule_id,
            definition,
            author=author,
            at=at,
            after_version=0 if before is None else before.version,
            is_deleted=deleted,
        )
    except Refused as error:
        if before is None or before.is_deleted:  # there was nothing to have a version of
            raise Refused(
                f"there already is a schedule {schedule_id!r}", hint="somebody made it meanwhile"
            ) from error
        raise VersionConflict(error.message, hint=error.hint) from error
    catalog.events.append(
        at=at,
        actor=author,
        action=f"schedule_{verb(before, deleted=deleted)}",
        subject=schedule_id,
        detail=summary_of(before, saved),
    )
    return saved


def verb(before: ScheduleVersion | None, *, deleted: bool) -> str:
    """Name what happened."""
    if deleted:
        return "deleted"
    return "created" if before is None or before.is_deleted else "changed"


def summary_of(before: ScheduleVersion | None, saved: ScheduleVersion) -> dict[str, Any]:
    """Sum up a version for an audit log: which keys changed, from what to what."""
    changed = [] if saved.is_deleted else _changed_keys(before, saved)
    return {
        "version": saved.version,
        "changes": {change.key: [change.before, change.after] for change in changed},
    }


def entries(versions: list[ScheduleVersion]) -> list[VersionEntry]:
    """Show versions, the newest first, each with what it changed."""
    older = [*versions, None][1:]
    return [
        VersionEntry(
            version=saved.version,
            author=saved.author,
            saved_at=saved.created_at,
            deleted=saved.is_deleted,
            changes=[] if saved.is_deleted else _changed_keys(before, saved),
        )
        for saved, before in zip(versions, older, strict=True)
    ]


def _changed_keys(before: ScheduleVersion | None, saved: ScheduleVersion) -> list[KeyChange]:
    begun = before is None or before.is_deleted
    return changed({} if before is None or begun else before.definition, saved.definition)


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[KeyChange]:
    """Return the keys that differ, without passwords."""
    old, new = without_passwords(before), without_passwords(after)
    return [
        KeyChange(key=key, before=old.get(key), after=new.get(key))
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    ]


def with_passwords(given: Any, before: Any) -> Any:
    """
    Put back the passwords of a definition that was read with ``***`` in their place.

    >>> known = {"repository": "sftp://backup:s3cret@vault/srv"}
    >>> with_passwords({"repository": "sftp://backup:***@vault/srv", "tags": ["new"]}, known)
    {'repository': 'sftp://backup:s3cret@vault/srv', 'tags': ['new']}
    """
    hidden = {masked: text for text in _texts(before) if (masked := mask(text)) != text}

    def fill_in(value: Any) -> Any:
        if isinstance(value, str):
            return hidden.get(value, value)
        if isinstance(value, Mapping):
            return {key: fill_in(item) for key, item in value.items()}
        return [fill_in(item) for item in value] if isinstance(value, list) else value

    return fill_in(given)


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, Mapping) else value
    return (
        [text for item in items for text in _texts(item)]
        if isinstance(value, Mapping | list)
        else []
    )


def merge_patch(target: Any, patch: Any) -> Any:
    """
    Apply a JSON merge patch (RFC 7396): null removes a key, mappings are joined, all else is replaced.

    >>> merge_patch({"a": 1, "b": {"c": 2, "d": 3}}, {"a": None, "b": {"c": 4}})
    {'b': {'c': 4, 'd': 3}}
    """
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged
