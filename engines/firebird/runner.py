"""
How Firebird's programs are run: as this machine has them, or inside the sandbox of a restore test.

There is no server: gbak, nbackup and isql open the file themselves, and so run whatever code of the database a
restore or a question runs. Inside, they read settings of ours and never the machine's, which may allow files,
libraries and other databases; and the sandbox holds what the settings let through.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from airflow_backup.core.errors import ToolMissing
from airflow_backup.core.process.process import Process
from airflow_backup.engines.shared.test_server import TEMPORARY, Place

_OURS = ("FIREBIRD", "FIREBIRD_LOCK", "FIREBIRD_TMP")
_ROOTS = ("/etc/firebird/*", "/etc/firebird", "/opt/firebird", "/usr/local/firebird")
"""Where distributions and the project's own packages have Firebird's settings, or all of Firebird."""

_NOT_THEIRS = ("firebird.conf", "databases.conf", "security*.fdb", "SYSDBA.password", "examples")
DATA = "data"
"""The folder for the restored database: the only one in which a database is opened."""


@dataclass(frozen=True)
class Runner:
    """Runs programs; ``where`` is the place of a restore test, None outside of one."""

    environment: Mapping[str, str]
    where: Place | None = None
    read: tuple[str, ...] = ()

    def command(self, program: str, options: Sequence[str]) -> list[str]:
        """Return the command that runs a program; ToolMissing where the sandbox would not find it."""
        if self.where is None:
            return [program, *options]
        found = shutil.which(program)
        if found is None:
            raise ToolMissing(f"the program '{program}' is not installed")
        cage = self.where.cage.with_more(read=self.read)
        return cage.command([found, *options], signal_at_death=signal.SIGKILL)

    def started(self, child: Process) -> None:
        """Have a program watched that was started."""
        if self.where is not None:
            self.where.guard.add(child)

    def give(self) -> None:
        """Give the files to whoever runs the programs."""
        if self.where is not None:
            self.where.give()


def environment() -> dict[str, str]:
    """
    Return what Firebird's programs get: where its configuration and its lock files are, which a server shares with us.

    No user and no password of somebody else's.
    """
    return {name: os.environ[name] for name in _OURS if name in os.environ}


def as_here() -> Runner:
    """Return what runs the programs with this machine's own settings."""
    return Runner(environment())


def inside(where: Place) -> Runner:
    """Return what runs the programs of a restore test; makes the folders that they need."""
    for name in (DATA, "lock"):
        (where.folder / name).mkdir(mode=0o700)
    own = {
        "FIREBIRD_LOCK": str(where.folder / "lock"),
        "FIREBIRD_TMP": str(where.folder / TEMPORARY),
        "TMPDIR": str(where.folder / TEMPORARY),
        "HOME": str(where.folder / TEMPORARY),
    }
    root = _root()
    if root is None:
        return Runner(own, where)
    settings = where.folder / "settings"
    settings.mkdir()
    for each in sorted(root.iterdir()):
        if not any(each.match(name) for name in _NOT_THEIRS):
            (settings / each.name).symlink_to(each.resolve())
    (settings / "databases.conf").touch()
    text = "".join(f"{name} = {value}\n" for name, value in _settings(where).items())
    (settings / "firebird.conf").write_text(text)
    return Runner({**own, "FIREBIRD": str(settings)}, where, (str(root), os.path.realpath(root)))


def _settings(where: Place) -> dict[str, str]:
    return {
        "DatabaseAccess": f"Restrict {where.folder / DATA}",
        "ExternalFileAccess": "None",
        # Libraries of functions may be wherever the original has them: what they can reach is the sandbox's.
        "UdfAccess": "Full" if where.cage.is_closed else "None",
        "Providers": "Engine14, Engine13, Engine12",  # no server of this machine, and none elsewhere
        "RemoteAccess": "false",
        "SecurityDatabase": str(where.folder / DATA / "security.fdb"),
        "TempDirectories": str(where.folder / TEMPORARY),
    }


def _root() -> Path | None:
    given = os.environ.get("FIREBIRD")
    if given:
        return Path(given)
    found = (each for root in _ROOTS for each in sorted(Path("/").glob(root[1:]), reverse=True))
    return next((each for each in found if (each / "firebird.conf").exists()), None)
