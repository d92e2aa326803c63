"""Finds PostgreSQL's programs, of the version that a set needs: several lie side by side on many machines."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from airflow_backup.core.errors import EngineError, ToolMissing
from airflow_backup.engines.postgres.client import libpq

_FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")


def fitting(program: str, version: int, folder: str | None) -> str:
    """
    Return the program that fits a server of a major version: of the same one, else the next newer one.

    Only the same version is sure to write what that server can read again. ``folder`` is where a
    schedule says that it is; that one is taken as it is.
    """
    if folder is not None:
        return str(Path(folder) / program)
    return find(program, at_least=version)


def version_of(command: str) -> int:
    """Return the major version of a program; raise ToolMissing."""
    text = libpq.run([command, "--version"]).decode()
    found = re.search(r"\(PostgreSQL\) (\d+)", text)
    if found is None:
        raise ToolMissing(f"{Path(command).name} does not say its version: {text.strip()!r}")
    return int(found[1])


def find(program: str, *, at_least: int, exactly: bool = False, folder: str | None = None) -> str:
    """
    Return the path of a program of a major version or the next newer one; ToolMissing when there is none.

    ``folder`` is where the schedule says that it is, and is looked at first.
    """
    best: tuple[int, str] | None = None
    for candidate in _candidates(program, folder):
        try:
            version = version_of(candidate)
        except EngineError:
            continue
        if version == at_least:
            return candidate
        if version > at_least and not exactly and (best is None or version < best[0]):
            best = (version, candidate)
    if best is not None:
        return best[1]
    wanted = f"{at_least}" if exactly else f"{at_least} or newer"
    raise ToolMissing(
        f"{program} of PostgreSQL {wanted} is not installed",
        hint=f"apt-get install postgresql-{at_least}, or put it on PATH",
    )


def _candidates(program: str, folder: str | None) -> Iterator[str]:
    places = [] if folder is None else [Path(folder) / program]
    # All of PATH, not the first alone: another version may lie further back.
    for each in dict.fromkeys(os.environ.get("PATH", os.defpath).split(os.pathsep)):
        on_path = shutil.which(program, path=each) if each else None
        if on_path is not None:
            places.append(Path(on_path))
    for pattern in _FOLDERS:
        found = Path("/").glob(f"{pattern.lstrip('/')}/{program}")
        places += sorted(found, key=_number, reverse=True)
    return (str(place) for place in places if place.exists() and not _is_a_choice(place))


def _is_a_choice(path: Path) -> bool:
    """Whether it is Debian's script in front of the programs, which asks a person's files for a server."""
    return path.resolve().name == "pg_wrapper"


def _number(path: Path) -> int:
    digits = re.search(r"(\d+)/bin", str(path))
    return int(digits[1]) if digits else 0
