"""
What holds a program of a restore test: decided once for a machine and a user, said in words, entered by `sandbox`.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from airflow_backup.core.errors import EngineError
from airflow_backup.core.process import commands, sandbox

_MEMORY, _PROCESSES = 8 * 1024**3, 4096

_SYSTEM = (
    *(
        "/usr",
        "/lib",
        "/lib64",
        "/lib32",
        "/bin",
        "/sbin",
        "/proc/self",
        "/sys/devices/system",
        "/sys/kernel/mm",
    ),
    *(
        "/etc/ld.so.cache",
        "/etc/ld.so.conf",
        "/etc/ld.so.conf.d",
        "/etc/localtime",
        "/etc/timezone",
    ),
    *(
        "/etc/passwd",
        "/etc/group",
        "/etc/nsswitch.conf",
        "/etc/locale.alias",
        "/etc/host.conf",
        "/etc/hosts",
    ),
    *("/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/proc/sys", "/proc/filesystems"),
    *("/dev/urandom", "/dev/random", "/dev/zero", "/nix/store", "/opt/homebrew"),
)
"""Programs, libraries, languages and zones; no settings, no home, nothing of a service."""

_LOADERS = ("/lib64", "/lib", "/usr/lib", "/usr/lib64")


@dataclass(frozen=True, slots=True)
class Cage:
    """
    A sandbox for programs: ``holds`` says what of it holds on this machine.

    ``write`` are the only folders in which files can be made, ``read`` what can be read besides the system's programs.
    """

    write: tuple[str, ...]
    user: str | None = None
    read: tuple[str, ...] = ()

    def with_more(self, *, read: Sequence[str] = (), write: Sequence[str] = ()) -> Cage:
        """Return the same for a program that needs to read, or to write, more."""
        return Cage((*self.write, *write), self.user, (*self.read, *read))

    @property
    def holds(self) -> tuple[str, ...]:
        """What holds, in words for a result."""
        found = _holding(self.user)
        words = {"network": "no network", "landlock": "landlock", "seccomp": "seccomp"}
        own = ("own user",) if self.user is not None else ()
        return (*own, *(words[each] for each in found), *(("limits",) if _CAGES else ()))

    @property
    def is_closed(self) -> bool:
        """
        Whether nothing in it can start a program, reach a file or speak to anybody outside, whatever the server
        allows.
        """
        return {"landlock", "seccomp"} <= {*_holding(self.user)}

    def command(
        self,
        command: Sequence[str],
        *,
        run: Sequence[str] = (),
        signal_at_death: signal.Signals | None = None,
    ) -> list[str]:
        """Return the command that runs ``command`` inside; of programs it can start itself and those of ``run``."""
        if not _CAGES:
            return list(command)
        program = os.path.realpath(command[0])
        home = Path(program).parent
        if home.name in ("bin", "sbin", "libexec"):
            home = home.parent
        given = _given(self.user) | {
            "read": [*_SYSTEM, *self.read, str(home), *_libraries(program)],
            "write": [*self.write, "/dev/null"],
            "run": [command[0], program, *run, *_loaders()],
            **dict.fromkeys(_holding(self.user), True),
            "memory": _MEMORY,
            "processes": _PROCESSES,
            "signal_at_death": None if signal_at_death is None else int(signal_at_death),
        }
        return [sys.executable, "-I", "-S", sandbox.__file__, json.dumps(given), *command]


def apart(
    command: Sequence[str],
    *,
    read: Sequence[str] = (),
    write: Sequence[str] = (),
    run: Sequence[str] = (),
) -> list[str]:
    """
    Return the command that runs, as us and in a sandbox, a program that reads what came from a repository.

    It reaches the files of ``read`` and ``write`` alone, and nobody. A script that an administrator has in the
    program's place is run as it is: what it starts nobody here knows.
    """
    found = shutil.which(command[0])
    if found is None or is_script(found):
        return list(command)  # what is not there is told where it is started
    cage = Cage(tuple(write), read=tuple(read))
    return cage.command([found, *command[1:]], run=run, signal_at_death=signal.SIGKILL)


def is_script(path: str) -> bool:
    """Whether a program is run by an interpreter."""
    try:
        with open(path, "rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return False


def _given(user: str | None) -> dict[str, object]:
    if user is None:
        return {"user": None, "read": [], "write": [], "run": []}
    found = pwd.getpwnam(user)
    return {"user": [found.pw_uid, found.pw_gid], "read": [], "write": [], "run": []}


@cache
def _holding(user: str | None) -> tuple[str, ...]:
    """Ask a process that tries each."""
    if not _CAGES:
        return ()
    command = [sys.executable, "-I", "-S", sandbox.__file__, json.dumps(_given(user)), "--probe"]
    try:
        return tuple(commands.run(command).output.decode().split())
    except EngineError:
        return ()


@cache
def _libraries(program: str) -> tuple[str, ...]:
    """Return the libraries of a program that lie elsewhere than the system's: it says where, relative to itself."""
    try:
        told = commands.run(["ldd", program], environment={"LC_ALL": "C"}).output
    except EngineError:
        return ()
    found = (line.partition(" => ")[2].rpartition(" (")[0] for line in told.decode().splitlines())
    return tuple(each for each in found if each.startswith("/") and not each.startswith(_SYSTEM))


@cache
def _loaders() -> tuple[str, ...]:
    """Return the files that load a program's libraries: the kernel runs them in its place."""
    return tuple(
        str(path)
        for folder in map(Path, _LOADERS)
        for pattern in ("ld-linux*.so*", "ld-musl*.so*", "*/ld-linux*.so*")
        for path in folder.glob(pattern)
    )


_CAGES = sys.platform == "linux"
