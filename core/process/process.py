"""
The one place where programs are run: an argument list, never a shell, a clean environment, a group of its own.

A program's output is read as it comes, its errors are kept at their tail, and whatever ends the
caller ends the whole group. Nothing is waited for without a limit once a program has ended: what it left
behind may hold its pipes for ever. Secrets go through files or the environment, never through the
argument list: anybody on the machine can read that.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import IO, Self

from airflow_backup.core.errors import EngineError
from airflow_backup.core.format.checksums import Bytes
from airflow_backup.core.process import containment, running
from airflow_backup.core.process.family import signal_name, suspend
from airflow_backup.core.process.launch import launch
from airflow_backup.core.process.pipes import CHUNK, Tail, is_hung_up, is_ready, widen

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
        with running.starting():
            self._child, self._control = launch(
                arguments,
                name=self.program,
                environment=environment,
                stdin=stdin,
                folder=folder,
                user=user,
                descriptors=descriptors,
                contained=contained,
                signal_at_our_death=signal_at_our_death,
            )
            running.add(self)
        widen(self._child.stdin)
        widen(self._child.stdout)
        if self._child.stdin is not None:
            os.set_blocking(self._child.stdin.fileno(), False)
        self._ended_at: float | None = None
        assert self._child.stderr is not None
        self._tail = Tail(self._child.stderr, lines=tail_lines)

    def chunks(self, *, tick: float | None = None) -> Iterator[bytes]:
        """Yield the output as it comes; with ``tick``, empty bytes after that many silent seconds."""
        assert self._child.stdout is not None
        output = self._child.stdout.fileno()
        while True:
            if not is_ready(output, select.POLLIN, 1.0 if tick is None else tick):
                if self._ended_for() > HELD:
                    return
                if tick is not None:
                    yield b""
                continue
            chunk = os.read(output, CHUNK)
            if not chunk:
                return
            if self._ended_at is not None and self._ended_for() > _FLOWS:
                raise EngineError(f"{self.program} ended, and what it started writes on")
            yield chunk

    def read(self, size: int) -> bytes:
        """Return at most ``size`` bytes of the output, none at its end; waits for the first."""
        assert self._child.stdout is not None
        output = self._child.stdout.fileno()
        while not is_ready(output, select.POLLIN, 1.0):
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
                if not is_ready(number, select.POLLOUT, 1.0) and self._ended_for() > HELD:
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

    def feed(self, chunks: Iterable[Bytes], *, kept_chunks: int | None = 2) -> bytes:
        """
        Write ``chunks`` to the program's input (``stdin=PIPE``) and read its output meanwhile.

        Returns the last megabyte of the output, all of it with ``kept_chunks=None``. What ``chunks`` raises ends
        the program and is raised.
        """
        kept: deque[bytes] = deque(maxlen=kept_chunks)
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
        return self.exit_code is None

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
        return self._tail.text

    def wait(self) -> None:
        """Wait for the end; EngineError with the tail of its errors when it failed."""
        code = self._wait_for_end()
        self._stop_listening()
        if code not in self._success_codes:
            how = f"was ended by {signal_name(-code)}" if code < 0 else f"failed with code {code}"
            told = f": {self.errors}" if self.errors else ""
            raise EngineError(f"{self.program} {how}{told}")

    def _wait_for_end(self) -> int:
        """Wait as long as it may still write; once it closed its output, not for ever."""
        assert self._child.stdout is not None
        closed_at: float | None = None
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self._child.wait(1.0)
            if self._child.stdout.closed or is_hung_up(self._child.stdout.fileno()):
                closed_at = closed_at or time.monotonic()
                if time.monotonic() - closed_at > _LINGERS:
                    self.end()
                    raise EngineError(f"{self.program} closed its output and did not end in time")

    def _stop_listening(self) -> None:
        """Take what it still said on its standard error; who holds that open is not waited for."""
        if not self._tail.ended_within(HELD):
            self._signal(signal.SIGKILL)  # what is left of its group
            self._tail.stop(HELD)

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

    def suspend(self) -> list[int]:
        """Let it and all that it started stand still; return their numbers."""
        if self._child.poll() is not None:
            return []
        return suspend(self._child.pid, itself=self._control is None)

    def _insist(self) -> None:
        running.do_while_running(self, lambda: self._signal(signal.SIGKILL))

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
            running.discard(self)
            self._stop_listening()
            if self._control is not None:
                os.close(self._control)
            for pipe in (self._child.stdin, self._child.stdout, self._child.stderr):
                if pipe is not None:
                    with contextlib.suppress(
                        BrokenPipeError
                    ):  # unwritten input of a program that ended
                        pipe.close()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, number)
