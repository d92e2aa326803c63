"""`airflow-backup schema`: the JSON Schema of the schedules file, for editors."""

from __future__ import annotations

import argparse
from typing import Any

from airflow_backup.cli import exit_codes
from airflow_backup.cli.output import print_json


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "schema", help="print the JSON Schema of the schedules file, for editors"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the schema."""
    from airflow_backup.schedules.schema.json_schema import json_schema

    print_json(json_schema())
    return exit_codes.DONE
