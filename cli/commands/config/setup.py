"""`airflow-backup setup`: the first schedules, from a few answers or from what another tool is configured with."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_backup.cli import exit_codes, questions
from airflow_backup.cli.arguments import add_format
from airflow_backup.cli.output import print_json
from airflow_backup.core.errors import ConfigError, Inconclusive

if TYPE_CHECKING:
    from airflow_backup.schedules.setup.draft import Draft, Reading, SetupPlan

_TOOLS = ("crontab", "borgmatic", "restic", "pgbackrest", "airflow")
_ENGINES = {
    "files": ("PATH", "a folder or file"),
    "sqlite": ("PATH", "a SQLite database"),
    "postgres": ("CONNECTION[/DATABASE]", "a PostgreSQL database"),
    "mysql": ("CONNECTION[/DATABASE]", "a MariaDB or MySQL database"),
    "firebird": ("CONNECTION[/DATABASE]", "a Firebird database"),
}
_HOW = (
    "--files PATH, --sqlite PATH, --postgres CONNECTION, --mysql CONNECTION or --firebird CONNECTION; "
    "or --from FILE with what another tool is configured with"
)


_EXPORT = "airflow connections export FILE where Airflow runs, and --from FILE here"


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "setup",
        help="write the first schedules.yaml and both DAG files: asks what to protect, or reads "
        "what another tool is configured with",
        description="Asks on a terminal; with one of the options below, asks nothing.",
    )
    for engine, (what, meaning) in _ENGINES.items():
        parser.add_argument(
            f"--{engine}",
            action="append",
            default=[],
            metavar=what,
            help=f"protect {meaning}; repeatable",
        )
    parser.add_argument(
        "--from",
        dest="origins",
        action="append",
        default=[],
        metavar="FILE",
        help="read a crontab, borgmatic's or pgBackRest's configuration, a script with restic, or "
        "connections that Airflow exported; repeatable, - is the standard input",
    )
    parser.add_argument(
        "--tool",
        choices=_TOOLS,
        help="which tool the files are of (default: recognized by their content)",
    )
    parser.add_argument(
        "--from-airflow",
        action="store_true",
        help="read the connections of the Airflow that is installed here, and AIRFLOW_CONN_ variables",
    )
    parser.add_argument(
        "--repository", metavar="URL", help="where sets lie (default: ~/airflow-backup)"
    )
    parser.add_argument("--connection", metavar="ID", help="the connection of the repository")
    parser.add_argument(
        "--when", metavar="WHEN", help="a preset or a cron expression (default: daily)"
    )
    parser.add_argument(
        "--keep", metavar="RULES", help='how long, for example "daily: 7, weekly: 4", or all'
    )
    parser.add_argument("--timezone", metavar="ZONE", help="(default: that of this machine)")
    parser.add_argument(
        "--to", type=Path, default=Path(), metavar="FOLDER", help="(default: this folder)"
    )
    parser.add_argument(
        "--print", action="store_true", help="print schedules.yaml, and write nothing"
    )
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the files, or print them; say what was not carried over."""
    from airflow_backup.cli.setup_summary import as_dict, lines
    from airflow_backup.schedules.loading.loader import parse
    from airflow_backup.schedules.setup.assemble import checked
    from airflow_backup.schedules.setup.document import document
    from airflow_backup.schedules.setup.writing import refuse_what_exists, write

    if not arguments.print:
        refuse_what_exists(arguments.to)
    if _must_ask(arguments) and not questions.can_ask():
        print("airflow-backup: what is to be protected? nobody can be asked", file=sys.stderr)
        print(f"HINT: {_HOW}", file=sys.stderr)
        return exit_codes.USAGE
    try:
        plan = _plan(arguments)
    except Inconclusive as error:
        first = error.message.split("\n", 1)[0]
        print(f"airflow-backup: {first}\nHINT: {_EXPORT}", file=sys.stderr)
        return exit_codes.INCONCLUSIVE
    if not plan.drafts:
        told = "".join(f"\n  - {each}" for each in plan.notes)
        raise ConfigError(f"nothing was found that can be backed up{told}", hint=_HOW)
    text = checked(document(plan))
    loaded = parse(text)
    files = [] if arguments.print else write(arguments.to, text)
    if arguments.print:
        print(text, end="")
    if arguments.format == "json":
        print_json(as_dict(plan, loaded, files)) if files else None
        return exit_codes.DONE
    for line in lines(plan, loaded, files):
        print(line, file=sys.stderr if arguments.print else sys.stdout)
    return exit_codes.DONE


def _plan(arguments: argparse.Namespace) -> SetupPlan:
    from airflow_backup.schedules.setup.assemble import assembled
    from airflow_backup.schedules.setup.foreign.read_all import joined

    readings = _readings(arguments)
    given = questions.ask_all(arguments, _ENGINES) if _must_ask(arguments) else _given(arguments)
    drafts, notes = joined(readings)
    timezone, said = _timezone(arguments)
    when, retention = _rules(arguments, is_told=not readings)
    return assembled(
        [*given, *drafts],
        [*said, *notes],
        origins=_origins(arguments),
        repository=_repository(arguments),
        repository_connection=arguments.connection,
        timezone=timezone,
        when=when,
        retention=retention,
    )


def _must_ask(arguments: argparse.Namespace) -> bool:
    told = (
        arguments.origins,
        arguments.from_airflow,
        *(getattr(arguments, each) for each in _ENGINES),
    )
    return not any(told)


def _given(arguments: argparse.Namespace) -> list[Draft]:
    from airflow_backup.schedules.setup.answers import draft_of

    return [draft_of(engine, each) for engine in _ENGINES for each in getattr(arguments, engine)]


def _rules(
    arguments: argparse.Namespace, *, is_told: bool
) -> tuple[Mapping[str, Any], Mapping[str, Any] | None]:
    """Return when, and how long; what another tool did not say is not made up, and all sets are kept."""
    from airflow_backup.schedules.setup.answers import KEEP, retention_of
    from airflow_backup.schedules.setup.times import from_words

    try:
        when = from_words(arguments.when or "daily")
    except ValueError as error:
        raise ConfigError(str(error), hint="--when daily, or --when '0 2 * * *'") from error
    keep = arguments.keep or (KEEP if is_told else "all")
    return when, retention_of(keep)


def _timezone(arguments: argparse.Namespace) -> tuple[str, list[str]]:
    from airflow_backup.schedules.setup.times import is_zone, machine_timezone

    if arguments.timezone is not None:
        if not is_zone(arguments.timezone):
            raise ConfigError(
                f"{arguments.timezone!r} is not a timezone", hint="--timezone Europe/Berlin"
            )
        return arguments.timezone, []
    found = machine_timezone()
    if found is None:
        return "UTC", ["this machine does not say in which zone it is: look at `timezone`"]
    return found, []


def _repository(arguments: argparse.Namespace) -> str:
    from airflow_backup.schedules.setup.answers import repository_of

    return repository_of(arguments.repository or "~/airflow-backup")


def _origins(arguments: argparse.Namespace) -> list[str]:
    named = ["the standard input" if each == "-" else each for each in arguments.origins]
    return [*named, "Airflow's connections"] if arguments.from_airflow else named


def _readings(arguments: argparse.Namespace) -> list[Reading]:
    from airflow_backup.schedules.setup.foreign.detect import LARGEST, decoded, text_of
    from airflow_backup.schedules.setup.foreign.read_all import Given, read

    home = os.path.expanduser("~")
    found = []
    for each in arguments.origins:
        if each == "-":
            if sys.stdin.isatty():
                raise ConfigError(
                    "nothing is on the standard input",
                    hint="crontab -l | airflow-backup setup --from -",
                )
            text = decoded(sys.stdin.buffer.read(LARGEST + 1), "the standard input")
            path = Path("the standard input")
        else:
            path = Path(os.path.abspath(os.path.expanduser(each)))
            text = text_of(path)
        found.append(read(Given(text, path, arguments.tool), home=home))
    if arguments.from_airflow:
        found.append(_airflow())
    return found


def _airflow() -> Reading:
    from airflow_backup.actions.report.coverage import with_environment
    from airflow_backup.cli.airflow_connections import stored_connections
    from airflow_backup.core.installed.airflow_release import installed, refusal
    from airflow_backup.schedules.setup.foreign.airflow import of_connections

    stored = stored_connections() if refusal(installed()) is None else []
    return of_connections(with_environment(stored, ()), "Airflow")
