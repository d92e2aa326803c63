"""Changes of Airflow's own database: each commits, or rolls back, at once; a busy database is asked again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from airflow_backup.core.errors import BackupError

PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""
Seconds between tries, each up to half as long again by chance, so that two who meet do not meet again.

SQLite refuses at once a reader that begins to write after another one wrote.
"""

Given = ParamSpec("Given")
Result = TypeVar("Result")


class DatabaseBusy(BackupError):
    """Airflow's database is locked by somebody else; the same request succeeds a moment later."""


def at_once(
    change: Callable[Concatenate[Session, Given], Result],
) -> Callable[Concatenate[Session, Given], Result]:
    """Commit what ``change`` does, roll back what it raises, and try again where the database is locked."""

    @wraps(change)
    def carry_out(session: Session, /, *given: Given.args, **named: Given.kwargs) -> Result:
        for pause in (*PAUSES, None):
            try:
                result = change(session, *given, **named)
                session.commit()
                return result
            except OperationalError as error:
                session.rollback()
                if not is_locked(error):
                    raise
                if pause is None:
                    raise busy() from error
                time.sleep(pause * random.uniform(1, 1.5))  # noqa: S311 no secret comes of it
            except BaseException:
                session.rollback()
                raise
        raise AssertionError("the last try returns or raises")

    return carry_out


def is_locked(error: BaseException) -> bool:
    """Whether a database says that somebody else holds it, or that two were in each other's way."""
    text = str(getattr(error, "orig", None) or error).lower()
    return any(word in text for word in ("locked", "deadlock", "could not serialize", "lock wait"))


def busy() -> DatabaseBusy:
    """Say so, for people."""
    return DatabaseBusy(
        "Airflow's database is busy, and nothing was changed", hint="try again in a moment"
    )
