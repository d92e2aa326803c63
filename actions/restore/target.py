"""
Where a restore goes, looked at before anything is written.

A target is a folder or a database of a server. A folder must be empty, unless it holds what an
earlier attempt at the same plan left; that one is then continued. To put a restore in the place of
something, it is made beside it and swapped in when it is whole (`actions/restore/swap.py`); what was
there is kept.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path as Folder
from typing import Any

from airflow_backup.actions.restore.replaceable import what_keeps_from_swapping
from airflow_backup.core.errors import ConfigError, Refused
from airflow_backup.core.paths.holding import holding, path_of
from airflow_backup.core.paths.removal import remove_tree
from airflow_backup.core.text.durations import format_size
from airflow_backup.engines.shared.restore_marker import MARKER, put_right
from airflow_backup.engines.shared.restore_root import made_and_held

_SERVER = re.compile(r"connection:([A-Za-z0-9_.-]+)(?:/(.+))?")


@dataclass(frozen=True, slots=True)
class ServerTarget:
    """A database of the server that a connection names."""

    connection: str
    database: str | None = None

    def __str__(self) -> str:
        return f"connection:{self.connection}" + (f"/{self.database}" if self.database else "")


Target = Folder | ServerTarget


def target_of(text: str) -> Target:
    """
    Read where a restore goes: a folder, or ``connection:ID[/database]``.

    >>> target_of("connection:orders_db/copy")
    ServerTarget(connection='orders_db', database='copy')
    >>> target_of("/srv/back")
    PosixPath('/srv/back')
    """
    if not text.startswith("connection:"):
        return Folder(text)
    found = _SERVER.fullmatch(text)
    if found is None:
        raise ConfigError(
            f"'{text}' names no connection", hint="write for example connection:orders_db/copy"
        )
    return ServerTarget(found[1], found[2])


@dataclass(frozen=True, slots=True)
class TargetState:
    """What is in a target, and what may be done with it."""

    holds: str
    resumes: bool = False
    replaces: bool = False
    refused: str | None = None
    hint: str | None = None
    warnings: tuple[str, ...] = ()


def look_at(
    target: Target,
    marker: Mapping[str, Any],
    *,
    needed: int,
    replace: bool,
    precious: Mapping[str, Folder] | None = None,
) -> TargetState:
    """
    Look at a target without changing it.

    ``precious`` are folders that backups need, by what they are: nothing is restored into or over them.
    """
    if isinstance(target, ServerTarget):
        return TargetState("what the server says when the restore begins", replaces=replace)
    inside = _what_it_would_hit(target, precious)
    if inside is not None:
        return TargetState("what backups need", refused=inside, hint=_ANOTHER)
    warnings = _room(target, needed)
    if not os.path.lexists(target):
        return _missing(target, warnings)
    if not target.is_dir():
        return TargetState("a file", refused=f"'{target}' is not a folder", hint=_ANOTHER)
    try:
        names = os.listdir(target)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        return TargetState("unknown", refused=f"cannot read '{target}': {why}", hint=_ANOTHER)
    if not names:
        return _writable(target, TargetState("nothing", warnings=warnings))
    found = _unfinished(target, marker) if MARKER in names else None
    if found is not None and (found.resumes or not replace):
        return _writable(target, found) if found.resumes else found
    holds = found.holds if found is not None else f"{len(names)} entries"
    if not replace:
        return TargetState(holds, refused=f"'{target}' is not empty", hint=_ANOTHER)
    in_the_way, hint = what_keeps_from_swapping(target)
    return TargetState(holds, replaces=True, refused=in_the_way, hint=hint, warnings=warnings)


@contextmanager
def marked(target: Folder, marker: Mapping[str, Any]) -> Iterator[tuple[Folder, bool]]:
    """
    Say in a target that it is not finished, and keep others out; the engine then finds nothing else in it.

    The value is a path to the open folder, which stays right whatever happens above it, and whether it was made.
    Refused while another restore works there.
    """
    is_new = not target.exists()
    with ExitStack() as opened:
        folder, file = _open_marker(target, opened)
        _take(file, target)
        with os.fdopen(os.dup(file), "r+b") as held:
            held.truncate()
            held.write(json.dumps(marker, indent=2).encode() + b"\n")
        yield path_of(folder, target), is_new


def _open_marker(target: Folder, opened: ExitStack) -> tuple[int, int]:
    try:
        folder = made_and_held(target)
        opened.callback(os.close, folder)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(MARKER, flags, 0o600, dir_fd=folder)
        opened.callback(os.close, file)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise Refused(f"cannot restore to '{target}': {why}", hint=f"ls -ld {target}") from error
    return folder, file


def _take(file: int, target: Folder) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Refused(
            f"another restore into '{target}' is under way", hint="wait for its end"
        ) from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise


def end_marker(target: Folder, marker: Mapping[str, Any]) -> None:
    """
    Take the marker away; the folder's own time is one of the things that were restored.

    Nothing happens where that was done already: a file of the marker's name may be one of the source's.
    """
    found = target.stat()
    closed = stat.S_IMODE(found.st_mode)
    try:
        if closed & stat.S_IRWXU != stat.S_IRWXU:  # as it was backed up
            target.chmod(closed | stat.S_IRWXU)
        if _told_in(target) == marker:
            put_right(target)
    finally:
        target.chmod(closed)
        os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))


def drop_marker(target: Folder, *, all_of_it: bool) -> None:
    """
    Leave a target as it was before a restore that failed, as far as nothing was restored into it.

    ``all_of_it`` removes what was restored, where nobody could go on with it: the target was empty.
    """
    if all_of_it:
        for name in os.listdir(target):
            _remove(target / name)
    elif os.listdir(target) == [MARKER]:
        (target / MARKER).unlink()


def remove_if_empty(target: Folder) -> None:
    """Remove a target that was made for nothing."""
    with holding(target.parent) as parent:
        if not os.listdir(parent / target.name):
            (parent / target.name).rmdir()


_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
_ANOTHER = "restore to a new or empty folder"


def _missing(target: Folder, warnings: tuple[str, ...]) -> TargetState:
    holds = "nothing: it is made"
    parent = target.absolute().parent
    if not parent.is_dir():
        why = f"there is no folder '{parent}' to make '{target.name}' in"
        return TargetState(holds, refused=why, hint=f"mkdir -p {parent}")
    if not os.access(parent, os.W_OK | os.X_OK):
        why = f"may not make '{target.name}' in '{parent}'"
        return TargetState(holds, refused=why, hint=f"ls -ld {parent}")
    return TargetState(holds, warnings=warnings)


def _what_it_would_hit(target: Folder, precious: Mapping[str, Folder] | None) -> str | None:
    real = Folder(os.path.realpath(target))
    for what, folder in (precious or {}).items():
        place = Folder(os.path.realpath(folder))
        if real == place or real.is_relative_to(place):
            return f"'{target}' lies in {what}"
        if place.is_relative_to(real):
            return f"{what} lies in '{target}'"
    return None


def _writable(target: Folder, found: TargetState) -> TargetState:
    if os.access(target, os.R_OK | os.W_OK | os.X_OK) or os.stat(target).st_uid == os.geteuid():
        return found
    return TargetState(found.holds, refused=f"may not write to '{target}'", hint=f"ls -ld {target}")


def _unfinished(target: Folder, marker: Mapping[str, Any]) -> TargetState:
    holds = "an unfinished restore"
    if _told_in(target) == marker:
        return TargetState(f"{holds} of the same sets", resumes=True)
    return TargetState(
        holds,
        refused=f"'{target}' holds an unfinished restore of something else",
        hint="--replace keeps it beside and restores in its place, or restore to another folder",
    )


def _told_in(target: Folder) -> object:
    try:
        return json.loads((target / MARKER).read_bytes())
    except (OSError, ValueError):
        return None


def _remove(path: Folder) -> None:
    if path.is_dir() and not path.is_symlink():
        remove_tree(path)
    else:
        path.unlink()


def _room(target: Folder, needed: int) -> tuple[str, ...]:
    there = next((each for each in (target, *target.parents) if each.exists()), None)
    free = None if there is None else shutil.disk_usage(there).free
    if free is None or free >= needed:
        return ()
    return (f"the target has {format_size(free)} free, and needs about {format_size(needed)}",)
