"""
The one place where programs are run: an argument list, never a shell, a clean environment, a group of its own.

A program's output is read as it comes, its errors are kept at their tail, and whatever ends the
caller ends the whole group. Nothing is waited for without a limit once a program has ended: what it left
behind may hold its pipes for ever. Secrets go through files or the environment, never through the
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
import sys
import threading
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Self

from airflow_backup.core.errors import ConfigError, EngineError, ToolMissing
from airflow_backup.core.format.checksums import Bytes
from airflow_backup.core.process import containment
from airflow_backup.core.process.environment import clean, is_steering

PIPE = subprocess.PIPE
"""For ``stdin`` of a program that is written to; nothing else of `subprocess` is for other modules."""

TAIL_LINES = 20
GRACE = 3.0
"""Seconds from asking to insisting; Airflow itself ends a cancelled task five seconds after it asked."""
HELD = 2.0
"""Seconds that a pipe is read on in silence after its program has ended: something else holds it."""
_FLOWS = 60.0
"""Seconds that output may still come after its program has ended."""
_LINGERS = 900.0
"""Seconds in which a program that closed its output must end."""
_UNKILLABLE = 10.0
"""Seconds after SIGKILL; then the kernel holds it, in a disk that is gone for example."""
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
        descriptors: Collection[int] = (),
        contained: bool = False,
        signal_at_our_death: signal.Signals | None = None,
        success_codes: Collection[int] = (0,),
        tail_lines: int = TAIL_LINES,
        name: str | None = None,
    ) -> None:
        """
        Start it with ``environment`` and, of ours, with nothing but paths, language and zone.

        ``descriptors`` are open files that it gets under their numbers. ``signal_at_our_death`` is
        sent to it by Linux when the thread that runs it ends, even by SIGKILL. ``contained``: all that
        it starts ends with it, also what left its group and its session, and when we are killed. ``name`` is
        what messages call it, where another program runs it.
        """
        self.program = name or os.path.basename(arguments[0])
        self._success_codes = success_codes
        self._control: int | None = None
        passed, command = list(descriptors), list(arguments)
        if contained and _CONTAINS:
            command[0] = _found(command[0])
            theirs, self._control = os.pipe()
            passed.append(theirs)
            command = [sys.executable, "-I", "-S", containment.__file__, str(theirs), *command]
        try:
            self._child = subprocess.Popen(
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
            )
        except FileNotFoundError as error:
            raise ToolMissing(
                f"the program '{self.program}' is not installed",
                hint=f"which {self.program}? on Debian: apt-file search bin/{self.program}",
            ) from error
        except PermissionError as error:
            raise ToolMissing(f"the program '{self.program}' may not be run") from error
        finally:
            if self._control is not None:
                os.close(passed[-1])
            if self._control is not None and not hasattr(self, "_child"):
                os.close(self._control)
        _widen(self._child.stdin)
        _widen(self._child.stdout)
        if self._child.stdin is not None:
            os.set_blocking(self._child.stdin.fileno(), False)
        self._ended_at: float | None = None
        self._deaf_from: float | None = None
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
            if not _is_ready(output, select.POLLIN, 1.0 if tick is None else tick):
                if self._ended_for() > HELD:
                    return
                if tick is not None:
                    yield b""
                continue
            chunk = os.read(output, _CHUNK)
            if not chunk:
                return
            if self._ended_at is not None and self._ended_for() > _FLOWS:
                raise EngineError(f"{self.program} ended, and what it started writes on")
            yield chunk

    def read(self, size: int) -> bytes:
        """Return at most ``size`` bytes of the output, none at its end; waits for the first."""
        assert self._child.stdout is not None
        output = self._child.stdout.fileno()
        while not _is_ready(output, select.POLLIN, 1.0):
            if self._ended_for() > HELD:
                return b""
        return os.read(output, size)

    def write(self, data: Bytes) -> None:
        """Write to the program's input (``stdin=PIPE``); BrokenPipeError when it ended."""
        assert self._child.stdin is not None
        number, left = self._child.stdin.fileno(), memoryview(data).cast("B")
        while left:
            try:
                left = left[os.write(number, left) :]
            except BlockingIOError:
                if not _is_ready(number, select.POLLOUT, 1.0) and self._ended_for() > HELD:
                    raise BrokenPipeError(f"{self.program} has ended") from None

    def pour(self, chunks: Iterable[Bytes]) -> None:
        """
        Write to the program's input (``stdin=PIPE``) and close it.

        A program that stops listening is left to say why: its end, not this, raises.
        """
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._child.stdin:
            for chunk in chunks:
                self.write(chunk)

    def feed(self, chunks: Iterable[Bytes]) -> bytes:
        """
        Write ``chunks`` to the program's input (``stdin=PIPE``) and read its output meanwhile.

        Returns the last megabyte of the output. What ``chunks`` raises ends the program and is raised.
        """
        kept: deque[bytes] = deque(maxlen=2)
        reader = threading.Thread(target=lambda: kept.extend(self.chunks()), daemon=True)
        reader.start()
        try:
            self.pour(chunks)
        except BaseException:
            self.end()  # so that the reader has an end, before its pipe is closed
            raise
        finally:
            reader.join()
        return b"".join(kept)

    def _ended_for(self) -> float:
        """Return for how many seconds it has been known that the program ended; 0 while it runs."""
        if self._child.poll() is None:
            return 0.0
        if self._ended_at is None:
            self._ended_at = time.monotonic()
        return time.monotonic() - self._ended_at

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
        code = self._wait_for_end()
        self._stop_listening()
        if code not in self._success_codes:
            how = f"was ended by {_signal_name(-code)}" if code < 0 else f"failed with code {code}"
            told = f": {self.errors}" if self.errors else ""
            raise EngineError(f"{self.program} {how}{told}")

    def _wait_for_end(self) -> int:
        """Wait as long as it may still write; once it closed its output, not for ever."""
        assert self._child.stdout is not None
        closed_at: float | None = None
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self._child.wait(1.0)
            if self._child.stdout.closed or _is_hung_up(self._child.stdout.fileno()):
                closed_at = closed_at or time.monotonic()
                if time.monotonic() - closed_at > _LINGERS:
                    self.end()
                    raise EngineError(f"{self.program} closed its output and did not end in time")

    def _stop_listening(self) -> None:
        """Take what it still said on its standard error; who holds that open is not waited for."""
        self._listener.join(HELD)
        if self._listener.is_alive():
            self._signal(signal.SIGKILL)  # what is left of its group
            self._deaf_from = time.monotonic()
            self._listener.join(HELD)

    def end(self) -> None:
        """End the whole group: ask, then, after a grace period, insist."""
        self._signal(signal.SIGTERM)
        try:
            self._child.wait(self._grace)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self._signal(signal.SIGKILL)  # whoever of the group ignored the first one
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(_UNKILLABLE)

    @property
    def _grace(self) -> float:
        # One that is contained asks, and insists, itself; only it knows all that must end.
        return GRACE if self._control is None else containment.GRACE + 2 * GRACE

    def ask_to_end(self) -> None:
        """Ask the group to end, and insist after a grace period, without waiting for it."""
        self._signal(signal.SIGTERM)
        insist = threading.Timer(self._grace, self._insist)
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
            self._stop_listening()
            if self._control is not None:
                os.close(self._control)
            for pipe in (self._child.stdin, self._child.stdout, self._child.stderr):
                if pipe is not None:
                    with contextlib.suppress(
                        BrokenPipeError
                    ):  # unwritten input of a program that ended
                        pipe.close()

    def _listen(self) -> None:
        assert self._child.stderr is not None
        number, rest = self._child.stderr.fileno(), b""
        while self._deaf_from is None:
            if not _is_ready(number, select.POLLIN, 0.2):
                continue
            chunk = os.read(number, _LINE)
            if not chunk:
                break
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._keep(line)
            if len(rest) >= _LINE:
                self._keep(rest)
                rest = b""
        if rest:
            self._keep(rest)

    def _keep(self, line: bytes) -> None:
        self._tail.append(line.decode("utf-8", "backslashreplace").rstrip())

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, number)


def _environment(given: Mapping[str, str] | None) -> Mapping[str, str]:
    steering = sorted(filter(is_steering, given or {}))
    if steering:
        raise ConfigError(f"the variable {steering[0]} is passed on to no program")
    return {**clean(), **(given or {})}


def _is_ready(number: int, event: int, seconds: float) -> bool:
    """Whether a pipe can be read or written, or its other end is gone; waits at most ``seconds``."""
    poll = select.poll()  # select() knows only the first 1,024 descriptors
    poll.register(number, event)
    return bool(poll.poll(seconds * 1000))


def _is_hung_up(number: int) -> bool:
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return any(events & select.POLLHUP and not events & select.POLLIN for _, events in poll.poll(0))


_CONTAINS = sys.platform == "linux" and os.path.isdir("/proc/self")


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
    with Process(arguments, environment=environment, user=user, stdin=subprocess.PIPE) as process:
        output = process.feed(chunks)
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
