"""Finds PostgreSQL's programs, of the version that a set needs: several lie side by side on many machines."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from airflow_backup.core import process
from airflow_backup.core.errors import EngineError, ToolMissing

_FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")


def program_path(folder: str | None, program: str) -> str:
    """Return what to run: the program in ``folder``, or the one of that name on `PATH`."""
    return program if folder is None else str(Path(folder) / program)


def version_of(command: str) -> int:
    """Return the major version of a program; raise ToolMissing."""
    text = process.run([command, "--version"]).output.decode()
    found = re.search(r"\(PostgreSQL\) (\d+)", text)
    if found is None:
        raise ToolMissing(f"{Path(command).name} does not say its version: {text.strip()!r}")
    return int(found[1])


def find(program: str, *, at_least: int, exactly: bool = False, folder: str | None = None) -> str:
    """
    Return the path of a program of a major version; ToolMissing when this machine has none.

    ``folder`` is where it was when the set was taken, and is looked at first.
    """
    for candidate in _candidates(program, folder):
        try:
            version = version_of(candidate)
        except EngineError:
            continue
        if version == at_least or (version > at_least and not exactly):
            return candidate
    wanted = f"{at_least}" if exactly else f"{at_least} or newer"
    raise ToolMissing(
        f"{program} of PostgreSQL {wanted} is not installed",
        hint=f"apt-get install postgresql-{at_least}, or put it on PATH",
    )


def _candidates(program: str, folder: str | None) -> Iterator[str]:
    places = [] if folder is None else [Path(folder) / program]
    on_path = shutil.which(program)
    if on_path is not None:
        places.append(Path(on_path))
    for pattern in _FOLDERS:
        found = Path("/").glob(f"{pattern.lstrip('/')}/{program}")
        places += sorted(found, key=_number, reverse=True)
    return (str(place) for place in places if place.exists())


def _number(path: Path) -> int:
    digits = re.search(r"(\d+)/bin", str(path))
    return int(digits[1]) if digits else 0
