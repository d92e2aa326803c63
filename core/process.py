"""
The one place where programs are run: an argument list, never a shell, a process group of its own.

A program's output is read as it comes, its errors are kept at their tail, and whatever ends the
caller ends the whole group. Secrets go through files or the environment, never through the
argument list: anybody on the machine can read that.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Self

from airflow_backup.core.errors import EngineError, ToolMissing

TAIL_LINES = 20
GRACE = 3.0
"""Seconds from asking to insisting; Airflow itself ends a cancelled task five seconds after it asked."""
_CHUNK = 1024 * 1024

_running: set[Process] = set()
_lock = threading.RLock()  # a signal handler may come in while its thread holds it


@dataclass(frozen=True, slots=True)
class Finished:
    """What a short program said."""

    output: bytes
    errors: str


class Process:
    """
    A running program; used in a ``with`` block, at whose end it must have succeeded.

    >>> with Process(["echo", "hello"]) as echo:
    ...     b"".join(echo.chunks())
    b'hello\\n'
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        stdin: int | IO[bytes] | None = None,
        folder: str | None = None,
    ) -> None:
        self.program = os.path.basename(arguments[0])
        try:
            self._child = subprocess.Popen(
                list(arguments),
                stdin=subprocess.DEVNULL if stdin is None else stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=None if environment is None else {**os.environ, **environment},
                cwd=folder,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise ToolMissing(
                f"the program '{self.program}' is not installed",
                hint=f"which {self.program}? on Debian: apt-file search bin/{self.program}",
            ) from error
        except PermissionError as error:
            raise ToolMissing(f"the program '{self.program}' may not be run") from error
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        with _lock:
            _running.add(self)

    def chunks(self) -> Iterator[bytes]:
        """Yield the output as it comes."""
        assert self._child.stdout is not None
        while chunk := os.read(self._child.stdout.fileno(), _CHUNK):
            yield chunk

    @property
    def errors(self) -> str:
        """The last lines of its standard error."""
        return "\n".join(self._tail)

    def wait(self) -> None:
        """Wait for the end; EngineError with the tail of its errors when it failed."""
        code = self._child.wait()
        self._listener.join()
        if code:
            how = f"was ended by {_signal_name(-code)}" if code < 0 else f"failed with code {code}"
            told = f": {self.errors}" if self.errors else ""
            raise EngineError(f"{self.program} {how}{told}")

    def end(self) -> None:
        """End the whole group: ask, then, after a grace period, insist."""
        self._signal(signal.SIGTERM)
        try:
            self._child.wait(GRACE)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self._signal(signal.SIGKILL)  # whoever of the group ignored the first one
            self._child.wait()

    def ask_to_end(self) -> None:
        """Ask the group to end, and insist after a grace period, without waiting for it."""
        self._signal(signal.SIGTERM)
        insist = threading.Timer(GRACE, self._insist)
        insist.daemon = True
        insist.start()

    def _insist(self) -> None:
        with _lock:
            if self in _running:  # its number may belong to somebody else by now
                self._signal(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self.wait()
            else:
                self.end()
        finally:
            with _lock:
                _running.discard(self)
            self._listener.join()
            for pipe in (self._child.stdout, self._child.stderr):
                if pipe is not None:
                    pipe.close()

    def _listen(self) -> None:
        assert self._child.stderr is not None
        for line in self._child.stderr:
            self._tail.append(line.decode("utf-8", "backslashreplace").rstrip())

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, number)


def run(arguments: Sequence[str], *, environment: Mapping[str, str] | None = None) -> Finished:
    """
    Run a short program to its end; EngineError when it fails.

    >>> run(["echo", "hello"]).output
    b'hello\\n'
    """
    with Process(arguments, environment=environment) as process:
        output = b"".join(process.chunks())
    return Finished(output, process.errors)


def end_all() -> None:
    """
    Ask every program that this process runs to end, and insist after a grace period.

    Made for signal handlers: it waits for nothing, because the thread that it interrupted may
    be the one that waits for the program.
    """
    with _lock:
        running = list(_running)
    for process in running:
        process.ask_to_end()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
