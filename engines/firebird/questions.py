"""
Asks assertions of a restored Firebird database by isql: one question each, in a transaction that may only read.

isql has commands of its own (`SHELL`, `OUTPUT`, `INPUT`), which a statement begins with. So what is asked must be one
query: it begins with SELECT or WITH, and holds nothing that could end it and begin another.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from airflow_backup.core.errors import EngineError, ToolMissing, VerifyError
from airflow_backup.core.process.process import PIPE, Process
from airflow_backup.core.progress import Reporter
from airflow_backup.engines.firebird.runner import Runner
from airflow_backup.engines.shared.assertions import limit, too_long

_QUERY = re.compile(r"(SELECT|WITH)\b", re.IGNORECASE)
_ZERO = re.compile(r"[-+]?0+(?:\.0*)?(?:[eE][-+]?\d+)?")


def ask_all(file: Path, assertions: Sequence[str], runner: Runner, reporter: Reporter) -> None:
    """Raise VerifyError where an assertion does not hold."""
    if not assertions:
        return
    program = next(filter(None, map(shutil.which, ("isql-fb", "isql"))), None)
    if program is None:
        raise ToolMissing("assertions need isql", hint="on Debian: apt install firebird3.0-utils")
    for text in assertions:
        _ask(program, file, text, runner, reporter)


def query_of(text: str) -> str:
    """
    Return an assertion as one line that isql reads as one query; VerifyError where it is anything else.

    >>> query_of("select count(*)\\n  from ACCOUNT;")
    'select count(*)   from ACCOUNT'
    >>> query_of("SHELL ls")
    Traceback (most recent call last):
    airflow_backup.core.errors.VerifyError: the assertion 'SHELL ls' is no query: it must begin with SELECT or WITH
    """
    line = text.strip().removesuffix(";").replace("\r", " ").replace("\n", " ").strip()
    if not _QUERY.match(line):
        raise VerifyError(f"the assertion {text!r} is no query: it must begin with SELECT or WITH")
    for sign, what in ((";", "a semicolon"), ("--", "a comment"), ("/*", "a comment")):
        if sign in line:
            raise VerifyError(f"the assertion {text!r} holds {what}, and is not asked")
    if any(ord(letter) < 32 and letter != "\t" for letter in line):
        raise VerifyError(f"the assertion {text!r} holds a control character, and is not asked")
    return line


def _ask(program: str, file: Path, text: str, runner: Runner, reporter: Reporter) -> None:
    script = f"SET HEADING OFF;\nCOMMIT;\nSET TRANSACTION READ ONLY;\n{query_of(text)};\n"
    options = ["-q", "-b", "-nodbtriggers", "-user", "SYSDBA", str(file)]
    end, told = time.monotonic() + limit(), b""
    try:
        with Process(
            runner.command(program, options),
            environment=runner.environment,
            stdin=PIPE,
            folder=os.fspath(file.parent),
            name="isql",
        ) as process:
            runner.started(process)
            process.pour([script.encode()])
            for chunk in process.chunks(tick=0.5):
                told = (told + chunk)[:65536]
                reporter.advance()
                if time.monotonic() > end:
                    raise VerifyError(too_long(text))
    except VerifyError:
        raise
    except EngineError as error:
        raise VerifyError(f"the assertion {text!r} fails: {error.message}") from error
    answer = told.decode("utf-8", "replace").split()
    if not answer or _is_no(answer[0]):
        raise VerifyError(f"the assertion does not hold: {text}")


def _is_no(word: str) -> bool:
    """
    Whether the first word of an answer says that something does not hold.

    >>> [_is_no(word) for word in ("0", "0.00", "<false>", "<null>", "-0.0E+00", "1", "<true>", "x")]
    [True, True, True, True, True, False, False, False]
    """
    return word.lower() in ("<false>", "<null>") or _ZERO.fullmatch(word) is not None
