"""
Runs one program and ends whatever it started, however far that went away: a small process of its own.

Linux gives the orphans below a process to the nearest *subreaper* above them. This is one, so a child in
another session, or one that forked twice to become a daemon, is still found, and ends with its program. The
first argument is a descriptor: when its other end is gone, so is whoever wanted the program, and all ends.

It is run as a file, by a bare interpreter: nothing of this package is imported here.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import select
import signal
import sys
import time

_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of prctl(2)."""

PATIENCE = 1.0
"""Seconds in which what the program left behind may end by itself."""
GRACE = 2.0
"""Seconds from asking to insisting."""
_LIMIT = 15.0
"""Seconds after which what cannot be ended, because the kernel holds it, is left."""
_TURN = 0.05


def descendants(root: int) -> list[int]:
    """Return every process below ``root``, the zombies left out; parents before their children."""
    parents: dict[int, list[int]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError, ValueError, IndexError):
            with open(f"/proc/{name}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
            if fields[0] not in (b"Z", b"X"):
                parents.setdefault(int(fields[1]), []).append(int(name))
    found, ahead = [], [root]
    while ahead:
        below = parents.get(ahead.pop(), [])
        found += below
        ahead += below
    return found


def _reap() -> dict[int, int]:
    ended = {}
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            ended[found[0]] = found[1]
    return ended


def _end_all(program: int, *, patience: float) -> int | None:
    """End everything; return how the program itself ended, if it does here."""
    begun, status = time.monotonic(), None
    asked: set[int] = set()
    while True:
        status = _reap().get(program, status)
        left, passed = descendants(os.getpid()), time.monotonic() - begun
        if not left or passed > _LIMIT:
            return status
        for number in left if passed >= patience else ():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if passed >= patience + GRACE:
                    os.kill(number, signal.SIGKILL)
                elif number not in asked:
                    os.kill(number, signal.SIGTERM)
                    asked.add(number)
        time.sleep(_TURN)


def _start(command: list[str], control: int) -> int:
    with open("/proc/self/environ", "rb") as file:  # ours, as it was before Python chose a locale
        pairs = [pair.partition(b"=") for pair in file.read().split(b"\0") if b"=" in pair]
    number = os.fork()
    if number:
        return number
    try:
        os.close(control)
        os.setsid()
        for each in (signal.SIGPIPE, signal.SIGTERM, signal.SIGCHLD, signal.SIGXFSZ):
            signal.signal(each, signal.SIG_DFL)
        os.execve(  # noqa: S606  # an argument list; there is no shell to start
            command[0], command, {name: value for name, _, value in pairs}
        )
    except OSError as error:
        os.write(2, f"{command[0]} cannot be run: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def _leave(status: int | None) -> None:
    if status is None:
        os._exit(128 + signal.SIGKILL)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    os._exit(code)


def main() -> None:
    """Run ``CONTROL PROGRAM ARGUMENTS...``, and end as the program ended."""
    control, command = int(sys.argv[1]), sys.argv[2:]
    ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0)
    waker, wake = os.pipe()
    for end in (waker, wake):
        os.set_blocking(end, False)
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    program = _start(command, control)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nothing, number)
    poll = select.poll()
    poll.register(control, select.POLLIN | select.POLLHUP)
    poll.register(waker, select.POLLIN)
    while True:
        ready = dict(poll.poll())
        if waker in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(waker, 4096)
        ended = _reap()
        if program in ended:
            _end_all(program, patience=PATIENCE)
            _leave(ended[program])
        if asked or control in ready:
            _leave(_end_all(program, patience=0.0))


if __name__ == "__main__":
    main()
