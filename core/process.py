"""
The one place where programs are run: an argument list, never a shell, a process group of its own.

A program's output is read as it comes, its errors are kept at their tail, and whatever ends the
caller ends the whole group. Secrets go through files or the environment, never through the
argument list: anybody on the machine can read that.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import select
import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Self

from airflow_backup.core.checksums import Bytes
from airflow_backup.core.errors import EngineError, ToolMissing

TAIL_LINES = 20
GRACE = 3.0
"""Seconds from asking to insisting; Airflow itself ends a cancelled task five seconds after it asked."""
_CHUNK = 1024 * 1024
_LINE = 8192
"""Bytes after which a line of errors is cut: not every program ends its lines."""

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
        user: str | None = None,
        inherit: bool = True,
        descriptors: Collection[int] = (),
        signal_at_our_death: signal.Signals | None = None,
        success_codes: Collection[int] = (0,),
        tail_lines: int = TAIL_LINES,
    ) -> None:
        """
        Start it; ``environment`` comes on top of ours, or stands alone without ``inherit``.

        ``descriptors`` are open files that it gets under their numbers. ``signal_at_our_death`` is
        sent to it by Linux when the thread that runs it ends, even by SIGKILL.
        """
        self.program = os.path.basename(arguments[0])
        self._success_codes = success_codes
        try:
            self._child = subprocess.Popen(
                [*_bound_to_us(signal_at_our_death), *arguments],
                stdin=subprocess.DEVNULL if stdin is None else stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(environment, inherit=inherit),
                cwd=folder,
                start_new_session=True,
                pass_fds=tuple(descriptors),
                user=user,
                group=None if user is None else pwd.getpwnam(user).pw_gid,
                extra_groups=None if user is None else [],
            )
        except FileNotFoundError as error:
            raise ToolMissing(
                f"the program '{self.program}' is not installed",
                hint=f"which {self.program}? on Debian: apt-file search bin/{self.program}",
            ) from error
        except PermissionError as error:
            raise ToolMissing(f"the program '{self.program}' may not be run") from error
        _widen(self._child.stdin)
        _widen(self._child.stdout)
        self._tail: deque[str] = deque(maxlen=tail_lines)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        with _lock:
            _running.add(self)

    def chunks(self, *, tick: float | None = None) -> Iterator[bytes]:
        """Yield the output as it comes; with ``tick``, empty bytes after that many silent seconds."""
        assert self._child.stdout is not None
        output = self._child.stdout.fileno()
        while True:
            if tick is not None and not select.select([output], [], [], tick)[0]:
                yield b""
                continue
            chunk = os.read(output, _CHUNK)
            if not chunk:
                return
            yield chunk

    def read(self, size: int) -> bytes:
        """Return at most ``size`` bytes of the output, none at its end; waits for the first."""
        assert self._child.stdout is not None
        return os.read(self._child.stdout.fileno(), size)

    def write(self, data: Bytes) -> None:
        """Write to the program's input (``stdin=subprocess.PIPE``); BrokenPipeError when it ended."""
        assert self._child.stdin is not None
        self._child.stdin.write(data)
        self._child.stdin.flush()

    def pour(self, chunks: Iterable[Bytes]) -> None:
        """
        Write to the program's input (``stdin=subprocess.PIPE``) and close it.

        A program that stops listening is left to say why: its end, not this, raises.
        """
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._child.stdin as stdin:
            for chunk in chunks:
                stdin.write(chunk)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._child.poll() is None

    def wait_until(self, moment: float) -> None:
        """Wait for the end, at most until ``moment`` (monotonic); EngineError when it takes longer."""
        try:
            self._child.wait(max(0.0, moment - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            raise EngineError(
                f"{self.program} closed its output and did not end in time"
            ) from error

    def stop(self, number: signal.Signals, *, grace: float) -> None:
        """Ask the program itself to end in its own way, and end the group when it does not in time."""
        self._child.send_signal(number)
        try:
            self._child.wait(grace)
        except subprocess.TimeoutExpired:
            self.end()

    @property
    def exit_code(self) -> int | None:
        """Its exit code, the negative number of the signal that ended it, or None while it runs."""
        return self._child.poll()

    @property
    def errors(self) -> str:
        """The last lines of its standard error."""
        return "\n".join(self._tail)

    def wait(self) -> None:
        """Wait for the end; EngineError with the tail of its errors when it failed."""
        code = self._child.wait()
        self._listener.join()
        if code not in self._success_codes:
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
            for pipe in (self._child.stdin, self._child.stdout, self._child.stderr):
                if pipe is not None:
                    with contextlib.suppress(
                        BrokenPipeError
                    ):  # unwritten input of a program that ended
                        pipe.close()

    def _listen(self) -> None:
        assert self._child.stderr is not None
        while line := self._child.stderr.readline(_LINE):
            self._tail.append(line.decode("utf-8", "backslashreplace").rstrip())

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, number)


def _environment(given: Mapping[str, str] | None, *, inherit: bool) -> Mapping[str, str] | None:
    if not inherit:
        return given or {}
    return None if given is None else {**os.environ, **given}


def _bound_to_us(number: signal.Signals | None) -> Sequence[str]:
    setpriv = None if number is None else shutil.which("setpriv")  # util-linux
    return () if number is None or setpriv is None else (setpriv, "--pdeathsig", number.name[3:])


def _widen(pipe: IO[bytes] | None) -> None:
    """Let the program write a whole chunk before it waits: a pipe's usual 64 KiB are sixteen times as many turns."""
    change = getattr(fcntl, "F_SETPIPE_SZ", None)
    if pipe is not None and change is not None:
        with contextlib.suppress(
            OSError
        ):  # a machine may allow less, and the usual size serves too
            fcntl.fcntl(pipe.fileno(), change, _CHUNK)


def run(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    user: str | None = None,
) -> Finished:
    """
    Run a short program to its end; EngineError when it fails.

    >>> run(["echo", "hello"]).output
    b'hello\\n'
    """
    with Process(arguments, environment=environment, user=user) as process:
        output = b"".join(process.chunks())
    return Finished(output, process.errors)


def feed(
    arguments: Sequence[str],
    chunks: Iterable[Bytes],
    *,
    environment: Mapping[str, str] | None = None,
    user: str | None = None,
) -> Finished:
    """
    Run a program on what ``chunks`` give it to read; EngineError when it fails.

    Of its output the last megabyte is kept.

    >>> feed(["tr", "a-z", "A-Z"], [b"hel", b"lo"]).output
    b'HELLO'
    """
    kept: deque[bytes] = deque(maxlen=2)
    with Process(arguments, environment=environment, user=user, stdin=subprocess.PIPE) as process:
        reader = threading.Thread(target=lambda: kept.extend(process.chunks()), daemon=True)
        reader.start()
        process.pour(chunks)
        reader.join()
    return Finished(b"".join(kept), process.errors)


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
