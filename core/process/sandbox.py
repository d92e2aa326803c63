"""
Runs one program in a cage: as another user, with no network, few files, few programs, and an end to its memory.

What a server of a restore test loads may be hostile. Landlock (Linux 5.13) takes every file from it but those of a
list, and every program; a network namespace takes all networks; a filter of calls takes all sockets of others; limits
end what would eat the machine. It is run as a file by a bare interpreter, and imports nothing of this package. The
first argument is a JSON object:

* ``user``: its number, the number of its group; none: ours
* ``read``, ``write``, ``run``: paths, of files or folders
* ``network``, ``landlock``, ``seccomp``: whether these must hold; the program is not run where they do not
* ``memory``, ``processes``: limits, in bytes and pieces
* ``signal_at_death``: what it gets when whoever started it is gone

``--probe`` instead of a program prints what holds here, a word a line.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import resource
import signal
import struct
import sys
from typing import Any

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_PATH_BENEATH = 1
_NEW_USER, _NEW_NETWORK, _NEW_IPC = 0x10000000, 0x40000000, 0x08000000
_DEATH_SIGNAL, _NO_NEW_PRIVILEGES = 1, 38
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REFER, _TRUNCATE, _IOCTL = 1 << 13, 1 << 14, 1 << 15
_RIGHTS_OF = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
"""The rights that each version of Landlock knows; from 5 on there are 16."""
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
_TCP = 3
_SIGNALS_AND_SOCKETS = 3

_WALLS = ("network", "landlock", "seccomp")
_libc = ctypes.CDLL(None, use_errno=True)


def _call(number: int, *arguments: object) -> int:
    result = int(_libc.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def landlock_version() -> int:
    """Return the version of Landlock that this kernel has; 0 where there is none."""
    try:
        return _call(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    except OSError:
        return 0


def _restrict_files(given: dict[str, Any], version: int) -> None:
    rights = _RIGHTS_OF.get(version, (1 << 16) - 1)
    attributes = struct.pack(
        "QQQ", rights, _TCP if version >= 4 else 0, _SIGNALS_AND_SOCKETS if version >= 6 else 0
    )
    size = 8 if version < 4 else 16 if version < 6 else 24
    rules = _call(_CREATE_RULESET, attributes, ctypes.c_size_t(size), ctypes.c_uint32(0))
    read = _READ_FILE | _READ_FOLDER
    for paths, allowed in (
        (given["read"], read),
        (given["run"], read | _EXECUTE),
        (given["write"], rights & ~_EXECUTE),
    ):
        for path in paths:
            _allow(rules, path, allowed & rights)
    _call(_RESTRICT_SELF, ctypes.c_int(rules), ctypes.c_uint32(0))
    os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EACCES):
            return  # what is not there, or not to be reached, is not allowed
        raise
    try:
        if not os.path.isdir(path):
            rights &= _OF_FILES
        rule = struct.pack("=Qi", rights, place)
        _call(_ADD_RULE, ctypes.c_int(rules), ctypes.c_int(_PATH_BENEATH), rule, ctypes.c_uint32(0))
    finally:
        os.close(place)


def _leave_network(user: int, group: int) -> None:
    """Go where no network is: as root at once, else as the same user in a namespace of users."""
    if os.geteuid() == 0 and _libc.unshare(_NEW_NETWORK | _NEW_IPC) == 0:
        return
    if _libc.unshare(_NEW_USER | _NEW_NETWORK | _NEW_IPC) != 0:
        raise OSError(ctypes.get_errno(), "no namespace of networks")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def _become(user: int, group: int) -> None:
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)


def _limit(given: dict[str, Any]) -> None:
    for name, kind in (
        ("memory", resource.RLIMIT_AS),
        ("processes", resource.RLIMIT_NPROC),
    ):
        if given.get(name) is not None:
            most = resource.getrlimit(kind)[1]
            value = given[name] if most == resource.RLIM_INFINITY else min(most, given[name])
            resource.setrlimit(kind, (value, value))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _calls() -> Any:
    """Return the module beside this file: of a bare interpreter, folders to import from are its own alone."""
    import importlib.util

    place = os.path.join(os.path.dirname(os.path.abspath(__file__)), "calls.py")
    spec = importlib.util.spec_from_file_location("calls", place)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def _enter(given: dict[str, Any]) -> None:
    user = given.get("user")
    calls = _calls() if given.get("seccomp") else None  # read while files can be
    own, group = user or (os.geteuid(), os.getegid())
    is_apart = False
    if given.get("network") and os.geteuid() == 0:
        with contextlib.suppress(OSError):
            _leave_network(own, group)
            is_apart = True
    if user:
        _become(own, group)
    if given.get("network") and not is_apart:
        _leave_network(own, group)
    if given.get("signal_at_death"):
        _libc.prctl(_DEATH_SIGNAL, int(given["signal_at_death"]), 0, 0, 0)
    if _libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "privileges may grow")
    _limit(given)
    if given.get("landlock"):
        _restrict_files(given, landlock_version())
    if calls is not None:
        calls.refuse_calls()


def _probe(given: dict[str, Any]) -> None:
    """Print what holds here for this user: each is tried, and in the order in which they are entered."""
    words = []
    for name in _WALLS:
        if name == "landlock" and not landlock_version():
            continue
        number = os.fork()
        if number == 0:
            try:
                _enter({**given, **{each: each == name for each in _WALLS}})
                os._exit(0)
            except BaseException:  # noqa: BLE001  # whatever it is, it does not hold
                os._exit(1)
        if os.waitpid(number, 0)[1] == 0:
            words.append(name)
    sys.stdout.write("".join(f"{word}\n" for word in words))


def main() -> None:
    """Run ``SPECIFICATION PROGRAM ARGUMENTS...`` in place of this process."""
    given, command = json.loads(sys.argv[1]), sys.argv[2:]
    if command == ["--probe"]:
        _probe(given)
        return
    try:
        with open("/proc/self/environ", "rb") as file:  # as it was before Python chose a locale
            pairs = [pair.partition(b"=") for pair in file.read().split(b"\0") if b"=" in pair]
        _enter(given)
        for each in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(each, signal.SIG_DFL)
        os.execve(  # noqa: S606  # an argument list; there is no shell to start
            command[0], command, {name: value for name, _, value in pairs}
        )
    except OSError as error:
        os.write(2, f"{command[0]} cannot be run in a sandbox: {error.strerror}\n".encode())
        os._exit(126)


if __name__ == "__main__":
    main()
