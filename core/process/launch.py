"""Starts a program: in a session of its own, with a clean environment, and, where it is asked for, contained."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import IO

from airflow_backup.core.errors import ConfigError, ToolMissing
from airflow_backup.core.process import containment
from airflow_backup.core.process.environment import clean, is_steering

_CONTAINS = sys.platform == "linux" and os.path.isdir("/proc/self")


def launch(
    arguments: Sequence[str],
    *,
    name: str,
    environment: Mapping[str, str] | None,
    stdin: int | IO[bytes] | None,
    folder: str | None,
    user: str | None,
    descriptors: Collection[int],
    contained: bool,
    signal_at_our_death: signal.Signals | None,
) -> tuple[subprocess.Popen[bytes], int | None]:
    """
    Return the child, and the descriptor whose end ends all of a contained one; see `Process`.

    ToolMissing: it is not installed, or may not be run.
    """
    control: int | None = None
    passed, command = list(descriptors), list(arguments)
    if contained and _CONTAINS:
        command[0] = _found(command[0])
        theirs, control = os.pipe()
        passed.append(theirs)
        command = [sys.executable, "-I", "-S", containment.__file__, str(theirs), *command]
    try:
        return subprocess.Popen(
            [*_bound_to_us(signal_at_our_death), *command],
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=_environment(environment),
            cwd=folder,
            start_new_session=True,
            pass_fds=tuple(passed),
            user=user,
            group=None if user is None else pwd.getpwnam(user).pw_gid,
            extra_groups=None if user is None else [],
        ), control
    except FileNotFoundError as error:
        _close(control)
        raise ToolMissing(
            f"the program '{name}' is not installed",
            hint=f"which {name}? on Debian: apt-file search bin/{name}",
        ) from error
    except PermissionError as error:
        _close(control)
        raise ToolMissing(f"the program '{name}' may not be run") from error
    except BaseException:
        _close(control)
        raise
    finally:
        if control is not None:
            os.close(passed[-1])


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)


def _environment(given: Mapping[str, str] | None) -> Mapping[str, str]:
    steering = sorted(filter(is_steering, given or {}))
    if steering:
        raise ConfigError(f"the variable {steering[0]} is passed on to no program")
    return {**clean(), **(given or {})}


def _found(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        name = os.path.basename(program)
        if os.path.exists(program):
            raise ToolMissing(f"the program '{name}' may not be run")
        raise ToolMissing(
            f"the program '{name}' is not installed", hint=f"which {name}? is its path right?"
        )
    return found


def _bound_to_us(number: signal.Signals | None) -> Sequence[str]:
    setpriv = None if number is None else shutil.which("setpriv")  # util-linux
    return () if number is None or setpriv is None else (setpriv, "--pdeathsig", number.name[3:])
