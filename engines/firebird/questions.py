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
from airflow_backup.core.process.process import Process
from airflow_backup.engines.firebird.program import environment
from airflow_backup.engines.shared.assertions import limit, too_long

_QUERY = re.compile(r"(SELECT|WITH)\b", re.IGNORECASE)
_NO = ("0", "<false>", "<null>")


def ask_all(file: Path, assertions: Sequence[str], folder: Path) -> None:
    """Raise VerifyError where an assertion does not hold; scripts are written to ``folder``."""
    if not assertions:
        return
    program = next(filter(None, map(shutil.which, ("isql-fb", "isql"))), None)
    if program is None:
        raise ToolMissing("assertions need isql", hint="on Debian: apt install firebird3.0-utils")
    for text in assertions:
        _ask(program, file, text, folder)


def query_of(text: str) -> str:
    """
    Return an assertion as one line that isql reads as one query; VerifyError where it is anything else.

    >>> query_of("select count(*)\\n  from ACCOUNT;")
    'select count(*)   from ACCOUNT'
    >>> query_of("SHELL touch /tmp/x")
    Traceback (most recent call last):
    airflow_backup.core.errors.VerifyError: the assertion 'SHELL touch /tmp/x' is no query: it must begin with SELECT or WITH
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


def _ask(program: str, file: Path, text: str, folder: Path) -> None:
    script = folder / "assertion.sql"
    script.write_text(
        f"SET HEADING OFF;\nCOMMIT;\nSET TRANSACTION READ ONLY;\n{query_of(text)};\n",
        encoding="utf-8",
    )
    command = [
        program,
        "-q",
        "-b",
        "-nodbtriggers",
        "-user",
        "SYSDBA",
        "-i",
        str(script),
        str(file),
    ]
    end, told = time.monotonic() + limit(), b""
    try:
        with Process(command, environment=environment(), folder=os.fspath(folder)) as process:
            for chunk in process.chunks(tick=0.5):
                told = (told + chunk)[:65536]
                if time.monotonic() > end:
                    raise VerifyError(too_long(text))
    except VerifyError:
        raise
    except EngineError as error:
        raise VerifyError(f"the assertion {text!r} fails: {error.message}") from error
    answer = told.decode("utf-8", "replace").split()
    if not answer or answer[0].lower() in _NO:
        raise VerifyError(f"the assertion does not hold: {text}")
