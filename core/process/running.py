"""
The programs that this process runs: end all of them, or let all of them stand still and go on.

What is told here reaches programs that say nothing for an hour, and whoever waits for them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from airflow_backup.core.process import pause_guard
from airflow_backup.core.process.family import begun, signal_each
from airflow_backup.core.process.launch import launch


class Program(Protocol):
    """A program that runs for this process and can be ended or suspended."""

    def ask_to_end(self) -> None:
        """Ask it to end, and insist after a grace period, without waiting for it."""
        ...

    def suspend(self) -> list[int]:
        """Let it and all that it started stand still; return their numbers."""
        ...


_running: set[Program] = set()
_lock = threading.RLock()  # a signal handler may come in while its thread holds it
_is_paused = False  # no Event: its lock must not be waited for in a signal handler
_TURN = 0.1
_release: Callable[[], None] | None = None


def add(program: Program) -> None:
    """Note that a program runs."""
    with _lock:
        _running.add(program)


def discard(program: Program) -> None:
    """Note that a program has ended."""
    with _lock:
        _running.discard(program)


def do_while_running(program: Program, act: Callable[[], None]) -> None:
    """Call ``act`` unless the program has ended: its number may belong to somebody else by now."""
    with _lock:
        if program in _running:
            act()


@contextlib.contextmanager
def starting() -> Iterator[None]:
    """Start and add a program in the block: at once, or when what stands still goes on; none slips past a pause."""
    while True:
        with _lock:
            if not _is_paused:
                yield
                return
        time.sleep(_TURN)


def end_all() -> None:
    """
    Ask every program that this process runs to end, and insist after a grace period.

    Made for signal handlers: it waits for nothing, because the thread that it interrupted may
    be the one that waits for the program. What stands still goes on, for else it could not end.
    """
    with _lock:
        running = list(_running)
    for program in running:
        program.ask_to_end()
    resume_all()


def pause_all() -> None:
    """
    Let every program that this process runs stand still (SIGSTOP), with all that it started.

    A small process watches over them: when this one is gone, it lets them go on, and ends them.
    """
    global _release, _is_paused
    with _lock:
        if _is_paused:
            return
        _is_paused = True
        stopped = [number for program in list(_running) for number in program.suspend()]
        since = {number: begun(number) for number in stopped}
        guarded = [f"{number}:{moment}" for number, moment in since.items()]
        try:
            release_guard = _start_guard(guarded) if stopped else None
        except BaseException:
            signal_each(stopped, signal.SIGCONT)
            _is_paused = False
            raise

        def release() -> None:
            ours = [number for number, moment in since.items() if begun(number) == moment]
            signal_each(ours, signal.SIGCONT)
            if release_guard is not None:
                release_guard()

        _release = release


def resume_all() -> None:
    """Let what stands still go on; nothing to do where nothing does."""
    global _release, _is_paused
    with _lock:
        release, _release = _release, None
        if release is not None:
            release()
        _is_paused = False


def _start_guard(members: list[str]) -> Callable[[], None]:
    theirs, ours = os.pipe()
    try:
        command = [sys.executable, "-I", "-S", pause_guard.__file__, str(theirs), *members]
        child, _ = launch(
            command,
            name="pause_guard",
            environment=None,
            stdin=None,
            folder=None,
            user=None,
            descriptors=(theirs,),
            contained=False,
            signal_at_our_death=None,
        )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)

    def release() -> None:
        with contextlib.suppress(OSError):
            os.write(ours, b"1")
        os.close(ours)
        child.wait()
        for pipe in (child.stdout, child.stderr):
            if pipe is not None:
                pipe.close()

    return release
