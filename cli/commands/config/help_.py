"""`airflow-backup help`: the pages of the docs, by short names, where there is no network."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_backup.cli import exit_codes
from airflow_backup.cli.output import print_table
from airflow_backup.core.errors import NotFound
from airflow_backup.core.installed.topics import readable, topics
from airflow_backup.schedules.loading.problems import did_you_mean


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "help", help="show a page of the docs, by its short name; without one, list them"
    )
    parser.add_argument(
        "topic", metavar="TOPIC", nargs="?", help="such as troubleshooting, storage, disaster"
    )
    parser.set_defaults(run=_Help(commands.choices))


@dataclass(frozen=True)
class _Help:
    """Runs the command; it is given the other commands, which are not known where it is made."""

    parsers: Mapping[str, argparse.ArgumentParser] = field(compare=False)

    def __call__(self, arguments: argparse.Namespace) -> int:
        """Print a page, how a command is used, or the list of pages."""
        known = topics()
        if arguments.topic is None:
            print_table(("TOPIC", "WHAT"), [(each.name, each.title) for each in known.values()])
        elif arguments.topic in known:
            print(readable(known[arguments.topic].text).rstrip())
        elif arguments.topic in self.parsers:
            self.parsers[arguments.topic].print_help()
        else:
            near = did_you_mean(arguments.topic, [*known, *self.parsers])
            raise NotFound(
                f"no topic {arguments.topic!r}", hint=near or "all of them: airflow-backup help"
            )
        return exit_codes.DONE
