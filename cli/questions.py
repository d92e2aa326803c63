"""Asks a person on a terminal: each question has a default and an example, and a wrong answer is asked for again."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from airflow_backup.core.errors import BackupError, Refused
from airflow_backup.schedules.model.presets import PRESETS

if TYPE_CHECKING:
    from airflow_backup.schedules.setup.draft import Draft

T = TypeVar("T")


def can_ask() -> bool:
    """Whether somebody sits there."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str, read: Callable[[str], T], *, default: str = "", example: str = "") -> T:
    """Return the first answer that is right; Enter takes the default. Refused at the end of the input."""
    print(f"\n{question}", file=sys.stderr)
    if example:
        print(f"  for example: {example}", file=sys.stderr)
    while True:
        print(f"[{default}] > " if default else "> ", end="", file=sys.stderr, flush=True)
        try:
            line = sys.stdin.readline()
        except UnicodeDecodeError:
            print("  that is no text in the encoding of this terminal", file=sys.stderr)
            continue
        if not line:
            print(file=sys.stderr)
            raise Refused("no answer; nothing was written", hint="airflow-backup setup --help")
        try:
            return read(line.strip() or default)
        except BackupError as error:
            print(f"  {error.message}", file=sys.stderr)
        except ValueError as error:
            print(f"  {error}", file=sys.stderr)


def ask_all(arguments: argparse.Namespace, engines: Collection[str]) -> list[Draft]:
    """Ask what, where, when and how long; the last three where no option says it."""
    from airflow_backup.schedules.setup.answers import KEEP, repository_of

    drafts = _ask_sources(engines)
    if arguments.repository is None:
        arguments.repository = ask(
            "Where is it stored? A folder, or a URL.",
            repository_of,
            default="~/airflow-backup",
            example="/mnt/nas/backups, s3://bucket/backups, sftp://host/backups",
        )
    if arguments.when is None:
        arguments.when = ask(
            f"When does it run? A preset ({', '.join(PRESETS)}), or a cron expression.",
            _when,
            default="daily",
            example="hourly, 30 1 * * mon-fri",
        )
    if arguments.keep is None:
        arguments.keep = ask(
            "How long are sets kept?", _keep, default=KEEP, example="within: 14d; all"
        )
    return drafts


def _when(text: str) -> str:
    from airflow_backup.schedules.setup.times import from_words

    from_words(text)
    return text


def _keep(text: str) -> str:
    from airflow_backup.schedules.setup.answers import retention_of

    retention_of(text)
    return text


def _ask_sources(engines: Collection[str]) -> list[Draft]:
    found: list[Draft] = []
    while True:
        engine = ask(
            "Anything else? Enter for no." if found else "What is to be protected?",
            partial(_one_of, engines, may_end=bool(found)),
            default="" if found else "files",
            example=f"{', '.join(engines)}; files is a folder, the others are databases",
        )
        if not engine:
            return found
        found.append(_ask_source(engine))


def _ask_source(engine: str) -> Draft:
    from airflow_backup.schedules.setup.answers import SERVERS, draft_of

    if engine in SERVERS:
        question, example = "Which Airflow connection, and which database?", "orders_db/orders"
    else:
        question = "Which path?"
        example = "/srv/wiki" if engine == "files" else "/srv/shop/shop.db"
    default = _here() if engine == "files" else ""
    return ask(question, partial(draft_of, engine), default=default, example=example)


def _here() -> str:
    try:
        return str(Path.cwd())
    except OSError:  # it was removed
        return ""


def _one_of(engines: Collection[str], text: str, *, may_end: bool) -> str:
    if text not in engines and (text or not may_end):
        raise ValueError(f"{text!r} is none of {', '.join(engines)}")
    return text
