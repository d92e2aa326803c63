"""`airflow-backup validate`: every problem of the schedules files at once."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from airflow_backup.cli import exit_codes
from airflow_backup.cli.airflow_options import airflow_option
from airflow_backup.cli.arguments import add_format, catalog_url, loaded, schedules_path
from airflow_backup.cli.output import print_json
from airflow_backup.core.errors import NotFound
from airflow_backup.schedules.loading.drivers import missing_drivers
from airflow_backup.schedules.loading.loaded import Loaded
from airflow_backup.schedules.loading.problems import Problem
from airflow_backup.schedules.loading.spread import local_things


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "validate", help="check the schedules files; exit 1 when anything is wrong"
    )
    parser.add_argument(
        "path", nargs="?", type=Path, metavar="PATH", help="schedules file or folder"
    )
    parser.add_argument(
        "--warnings", action="store_true", help="point out what is allowed and yet likely a mistake"
    )
    parser.add_argument(
        "--slots", type=int, metavar="N", help="with --warnings: how many backups may run at once"
    )
    parser.add_argument(
        "--dags",
        action="store_true",
        help="also build the DAGs with Airflow, and check that none is missing",
    )
    add_format(parser, "github")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print problems, and warnings when asked to; return 1 when there are problems."""
    found = loaded(arguments.path)
    found.problems += missing_drivers(found.schedules)
    if arguments.dags:
        from airflow_backup.cli.built_dags import missing_dags

        found.problems += missing_dags(found, schedules_path(arguments.path))
    warnings = _local_things(found)
    if arguments.warnings:
        warnings += [*_warnings(found, arguments.slots), *_exceptions(found)]
    if arguments.format == "json":
        more = [problem.as_dict() | {"severity": "warning"} for problem in warnings]
        print_json([*(problem.as_dict() for problem in found.problems), *more])
    elif arguments.format == "github":
        for problem in found.problems:
            print(github_annotation(problem, arguments.path))
        for problem in warnings:
            print(github_annotation(problem, arguments.path, level="warning"))
    else:
        for problem in found.problems:
            print(problem)
        for problem in warnings:
            print(f"warning: {problem}")
        print(_verdict(len(found.schedules), len(found.rejected), len(found.problems)))
    return exit_codes.BAD if found.problems else exit_codes.DONE


def _warnings(found: Loaded, slots: int | None) -> list[Problem]:
    """Put each warning at the place of the first schedule that it is about."""
    from airflow_backup.core.clock import utc_now
    from airflow_backup.schedules.loading.warnings import load_warnings

    places = {item.schedule.id: item for item in found.schedules}
    schedules = [item.schedule for item in found.schedules]
    problems = []
    for warning in load_warnings(schedules, now=utc_now(), slots=slots):
        place = places[warning.schedules[0]]
        path = f"schedules.{place.schedule.id}"
        problems.append(Problem(place.file, place.line, 1, path, warning.message, warning.hint))
    return problems


def _exceptions(found: Loaded) -> list[Problem]:
    """Warn of exceptions that say nothing true: a schedule protects the connection, or there is none."""
    if not found.exempt:
        return []
    from airflow_backup.cli.airflow_connections import known_ids

    sources = [item.schedule for item in found.schedules if item.schedule.enabled]
    known = known_ids()
    problems = []
    for each in found.exempt:
        name = each.unprotected.connection
        theirs = [
            item.id
            for item in sources
            if getattr(item.source, "connection", None) == name
            and getattr(item.source, "database", None) is None  # else perhaps not the connection's
        ]
        if theirs:
            wrong = f"the connection `{name}` is protected, by {', '.join(theirs)}"
        elif known is not None and name.upper() not in known:
            wrong = f"there is no connection `{name}`"
        else:
            continue
        problems.append(
            Problem(each.file, each.line, 1, "unprotected", wrong, "is the exception still needed?")
        )
    return problems


def _local_things(found: Loaded) -> list[Problem]:
    """Warn of what lies on one machine where Airflow, as it is configured here, sends tasks to several."""
    executors = [each.strip() for each in (airflow_option("core", "executor") or "").split(",")]
    places = {item.schedule.id: item for item in found.schedules}
    schedules = [item.schedule for item in found.schedules]
    try:
        catalog = catalog_url()
    except NotFound:
        catalog = ""  # of a connection, which is no file by accident
    problems = []
    for each in local_things(schedules, executors=executors, catalog=catalog):
        place = places[each.schedules[0]] if each.schedules else None
        file, line = ("airflow.cfg", 1) if place is None else (place.file, place.line)
        path = "backup.catalog_conn_id" if place is None else f"schedules.{each.schedules[0]}"
        problems.append(Problem(file, line, 1, path, each.message, each.hint))
    return problems


def _verdict(right: int, wrong: int, problems: int) -> str:
    if not problems:
        return f"{_count(right, 'schedule')}, no problems"
    return f"{_count(problems, 'problem')}: {right} of {_count(right + wrong, 'schedule')} can run"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def github_annotation(problem: Problem, path: Path | None, *, level: str = "error") -> str:
    """
    Write a problem as GitHub's workflow command, which marks the line in a pull request.

    >>> github_annotation(Problem("a.yaml", 4, 5, "schedules.0.crn", "unknown key `crn`", None), None)
    '::error file=a.yaml,line=4,col=5,title=schedules.0.crn::unknown key `crn`'
    """
    folder = path if path is not None and path.is_dir() else Path() if path is None else path.parent
    text = problem.message if problem.hint is None else f"{problem.message} ({problem.hint})"
    place = f"file={_escaped(str(folder / problem.file), ',:')},line={problem.line},col={problem.column}"
    return f"::{level} {place},title={_escaped(problem.path, ',:')}::{_escaped(text)}"


def _escaped(text: str, more: str = "") -> str:
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text
