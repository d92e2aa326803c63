"""A folder for a test server, and the user who runs it: database servers refuse root."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from airflow_backup.core.errors import EngineError, ToolMissing
from airflow_backup.core.process import commands
from airflow_backup.core.process.cage import Cage
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.engines.shared.limits import LimitGuard, limited
from airflow_backup.engines.shared.scratch import scratch_folder

_SHORT, _SOCKET_LIMIT = Path("/tmp"), 80  # noqa: S108  # a folder of its own is made there
"""The path of a socket has 107 bytes at most, with the name that the server gives it."""

TEMPORARY = "tmp"
"""The folder below it for temporary files: in the system's, servers that start remove each other's."""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder for a test server, and the user who runs it: PostgreSQL refuses root."""

    folder: Path
    socket: Path
    user: str | None
    cage: Cage
    """The sandbox of whatever runs on what was restored."""

    guard: LimitGuard
    """Ends what runs there when it takes too long, or too much of the disk."""

    def give(self) -> None:
        """Give everything in the folder to the user."""
        if self.user is None:
            return
        for path in (self.folder, *self.folder.rglob("*")):
            shutil.chown(path, self.user)


@contextmanager
def place(context: EngineContext, *, expected: int = 0) -> Iterator[Place]:
    """
    Make a folder for a server, and remove it again; ToolMissing where no user can use one.

    ``expected`` are the bytes that are restored: by them is judged what is too much, and too long. Then, whatever
    failed of it, Inconclusive.
    """
    user = unprivileged()
    with ExitStack() as folders:
        folder = Path(folders.enter_context(scratch_folder(context.scratch)))
        socket = folders.enter_context(socket_folder(folder))
        if user is not None:
            for each in {folder, socket}:
                each.parent.chmod(0o711)
                shutil.chown(each, user)
        _check_reach(folder, user)
        for each in (folder / TEMPORARY, socket / TEMPORARY):
            each.mkdir(mode=0o700, exist_ok=True)
            if user is not None:
                shutil.chown(each, user)
        cage = Cage(tuple({str(folder), str(socket)}), user)
        with limited(folder, expected) as guard:
            yield Place(folder, socket, user, cage, guard)


@contextmanager
def socket_folder(wanted: Path) -> Iterator[Path]:
    """Make a folder for a server's socket, if it is not there: the one that is wanted, or one with a shorter path."""
    with ExitStack() as folders:
        socket = wanted
        if len(os.fsencode(wanted)) > _SOCKET_LIMIT:
            socket = Path(folders.enter_context(scratch_folder(_SHORT)))
        (socket / TEMPORARY).mkdir(mode=0o700, parents=True, exist_ok=True)
        yield socket


def unprivileged() -> str | None:
    """Return who runs a server: ourselves, or of root's machine an ordinary user."""
    if os.geteuid() != 0:
        return None
    for name in ("nobody", "postgres", "mysql"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise ToolMissing("root may not run a database server, and there is no user 'nobody'")


def _check_reach(folder: Path, user: str | None) -> None:
    try:
        commands.run(["test", "-w", str(folder)], user=user)
    except EngineError as error:
        raise ToolMissing(
            f"the user '{user}', who would run the server, cannot reach '{folder}'",
            hint="set TMPDIR to a folder that others may enter",
        ) from error
