"""Reads the schedules file of an import: every schedule with its line, and everything that is wrong. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_backup.plugin.schemas.edits import FieldProblem
from airflow_backup.plugin.services.edits import beyond_the_fence
from airflow_backup.plugin.views.secrets import is_left_out
from airflow_backup.schedules.loading.assembly import assemble
from airflow_backup.schedules.loading.dependencies import Elsewhere
from airflow_backup.schedules.loading.layers import too_large
from airflow_backup.schedules.loading.loaded import Loaded, Located, Rejected
from airflow_backup.schedules.loading.placeholders import fill
from airflow_backup.schedules.loading.problems import Problem
from airflow_backup.schedules.loading.yaml_reader import Document, read

MOST_SCHEDULES = 500
"""In one import: all are checked and saved within one request."""

_SCHEDULE = re.compile(r"^schedules\.\d+\.?")
_MOST_PROBLEMS = 20
"""Of one schedule, or of the file as a whole, that are told."""


@dataclass(frozen=True)
class Entry:
    """One schedule of the file: what would be in effect, or what is wrong with it."""

    id: str | None
    line: int
    definition: Mapping[str, Any] | None
    problems: list[FieldProblem] = field(default_factory=list)


@dataclass(frozen=True)
class File:
    """What a file says."""

    entries: list[Entry] = field(default_factory=list)
    problems: list[FieldProblem] = field(default_factory=list)
    """Of the file as a whole."""


def read_file(text: str, *, elsewhere: Elsewhere) -> File:
    """Read a whole schedules file; no variable of the server is filled in, and no file of it is read."""
    document = read(text, file="yaml")
    refused = _too_many(document)
    if refused is not None:
        return File(problems=[refused])
    large = too_large(document)
    if large is not None:
        return File(problems=[_field(large)])
    loaded = assemble([fill(document, {})], elsewhere=elsewhere)
    rejected = [_rejected(each) for each in loaded.rejected]
    entries = [*rejected, *map(_located, loaded.schedules)]
    problems = _of_the_whole(loaded)
    if not entries and not problems:
        problems = [_problem("schedules", "the file has no schedules", "is it the right one?")]
    return File(sorted(entries, key=lambda entry: entry.line), problems)


def _too_many(document: Document) -> FieldProblem | None:
    data = document.data
    found = data.get("schedules") if isinstance(data, dict) else None
    if not isinstance(found, list) or len(found) <= MOST_SCHEDULES:
        return None
    return _problem(
        "schedules",
        f"the file has {len(found):,} schedules, and at most {MOST_SCHEDULES} are imported at once",
        "split it, or use `airflow-backup import`",
    )


def _rejected(rejected: Rejected) -> Entry:
    return Entry(rejected.id, rejected.line, None, _told(map(_field, rejected.problems)))


def _located(located: Located) -> Entry:
    schedule = located.schedule
    definition = schedule.definition()
    problems = [
        problem.model_copy(update={"line": located.line}) for problem in beyond_the_fence(schedule)
    ]
    return Entry(schedule.id, located.line, None if problems else definition, _told(problems))


def without_password(entry: Entry) -> Entry:
    """Return the entry with a problem where a password was left out that nobody here knows."""
    if entry.definition is None or not is_left_out(entry.definition):
        return entry
    problem = _problem(
        "",
        "`***` stands where a password was left out",
        "put it into an Airflow connection, and name that",
        line=entry.line,
    )
    return Entry(entry.id, entry.line, None, [problem])


def _of_the_whole(loaded: Loaded) -> list[FieldProblem]:
    of_schedules = {problem for each in loaded.rejected for problem in each.problems}
    found = [_field(each) for each in loaded.problems if each not in of_schedules]
    found += [
        _problem(
            "unprotected",
            "exceptions cannot be kept here",
            "leave `unprotected` in a schedules file",
            line=each.line,
        )
        for each in loaded.exempt[:1]
    ]
    return _told(found)


def _told(problems: Iterable[FieldProblem]) -> list[FieldProblem]:
    found = list(problems)
    if len(found) <= _MOST_PROBLEMS:
        return found
    more = f"{len(found) - _MOST_PROBLEMS} more things are wrong"
    return [*found[:_MOST_PROBLEMS], _problem("", more, None)]


def _field(problem: Problem) -> FieldProblem:
    return FieldProblem(
        field=_SCHEDULE.sub("", problem.path),
        message=problem.message,
        hint=problem.hint,
        line=problem.line,
    )


def _problem(field: str, message: str, hint: str | None, *, line: int | None = 1) -> FieldProblem:
    return FieldProblem(field=field, message=message, hint=hint, line=line)
