"""
Processes that make the small files of a restore, because one process alone waits for the kernel.

To make a small file is six calls of the system and no work; two processes make nearly twice as many, and
Python's threads do not, for they wait for each other at each call. Helpers get small files through a
pipe, in the order of the archive, and make them with the code and in the restore root of the restore itself.
They know no repository and no secret. Folders, links and large files are made by the restore; what
is left to do for a folder when its content is there follows its files to the helper that made them.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from typing import NoReturn

from airflow_backup.core import errors
from airflow_backup.core.errors import EngineError, ToolMissing
from airflow_backup.core.format.checksums import Bytes
from airflow_backup.core.process.process import PIPE, Process
from airflow_backup.core.process.python import module_command
from airflow_backup.engines.files.helpers.messages import BATCH, FACTS, SETTLE
from airflow_backup.engines.files.tar.member import Member

_MODULE = "airflow_backup.engines.files.helpers.process"
_SMALL = 256 * 1024
_BATCH = 256 * 1024
_BEFORE = 256
_MOST = 3
_MOST_WAITS = 100
_ENTER = 0o500


class Helpers:
    """
    Makes small files below the open folder ``target``, once there were enough to be worth a process.

    ``running`` ends them; `finish` before that waits for them, and raises what failed.
    """

    def __init__(self, target: int, running: ExitStack) -> None:
        self._target, self._running = target, running
        self._all: list[_Helper] = []
        self._of: dict[bytes, _Helper] = {}
        self._number = min(_MOST, _cores())
        self._before = _BEFORE if self._number > 1 else sys.maxsize
        self._waits = 0

    def wants(self, member: Member) -> bool:
        """Whether a regular file is one for them: small, and nothing special about it."""
        if self._before:
            self._before -= 1
            return False
        if not self._all:
            self._begin()
        return bool(self._all) and member.size <= _SMALL and _is_plain(member)

    def file(self, member: Member, content: Iterable[memoryview]) -> None:
        """Give a small file to a helper process, which writes it."""
        folder = member.name.rpartition(b"/")[0]
        helper = self._of.get(folder)
        if helper is None:
            helper = self._of[folder] = min(self._all, key=lambda helper: helper.sent)
        helper.send(member, content)

    def dress(self, member: Member) -> bool:
        """Have a folder's attributes set behind its files; False when they are left to the caller."""
        name = member.name.rstrip(b"/")
        helper = self._of.pop(b"" if name == b"." else name, None)
        if member.mode & _ENTER != _ENTER or not _is_plain(member):
            self.settle()  # whoever still works below might not get in any more
        elif helper is not None:
            helper.send(member)
            return True
        return False

    def settle(self) -> None:
        """Wait until all that was sent is done; who asks for it often is better off alone."""
        waiting = [helper for helper in self._all if helper.is_busy]
        for helper in waiting:
            helper.ask()
        for helper in waiting:
            helper.hear()
        self._waits += bool(waiting)
        if self._waits > _MOST_WAITS:
            self._before = sys.maxsize

    def finish(self) -> None:
        """Wait until everything is done; BackupError when something failed."""
        for helper in self._all:
            helper.end()
        for helper in self._all:
            helper.answer()

    def _begin(self) -> None:
        try:
            for _ in range(self._number):
                process = self._running.enter_context(_start(self._target))
                self._all.append(_Helper(process))
        except (OSError, ToolMissing):  # no further process here: it is slower alone, and not worse
            self._before = sys.maxsize


class _Helper:
    """One of them, and what waits to be sent to it."""

    def __init__(self, process: Process) -> None:
        self.sent = 0
        self.is_busy = False
        self._process = process
        self._batch = bytearray(BATCH.size)

    def send(self, member: Member, content: Iterable[memoryview] = ()) -> None:
        """Send a member in time: a batch is worth a call, a member is not."""
        size = member.size if content else 0
        self._add(
            member.name, member.kind, member.mode, member.uid, member.gid, size, member.mtime_ns
        )
        for part in content:
            self._batch += part  # not kept as it is: a few bytes would hold a whole frame in memory
        self.is_busy = True
        if len(self._batch) >= _BATCH:
            self._flush()

    def ask(self) -> None:
        """Ask for an answer when all that was sent is done."""
        self._add(b"", SETTLE, 0, 0, 0, 0, 0)
        self._flush()

    def hear(self) -> None:
        """Wait for the answer to that."""
        if self._process.read(1) != SETTLE:
            self._fail()
        self.is_busy = False

    def end(self) -> None:
        """Say that this is all."""
        self._flush()
        self._write(BATCH.pack(0))

    def answer(self) -> None:
        """Wait for its last word, and raise what it says went wrong."""
        told = b"".join(self._process.chunks())
        if not told:
            self._process.wait()
            raise EngineError("a helper of the restore ended and said nothing")
        answer = json.loads(told)
        if answer:
            raise getattr(errors, answer["error"])(answer["message"], hint=answer["hint"])

    def _add(self, name: bytes, kind: bytes, *numbers: int) -> None:
        self._batch += FACTS.pack(len(name), kind[0], *numbers)
        self._batch += name

    def _flush(self) -> None:
        size = len(self._batch) - BATCH.size
        if size:
            BATCH.pack_into(self._batch, 0, size)
            self._write(self._batch)
            self.sent += size
            self._batch = bytearray(BATCH.size)

    def _write(self, data: Bytes) -> None:
        try:
            self._process.write(data)
        except BrokenPipeError:
            self._fail()

    def _fail(self) -> NoReturn:
        self.answer()
        raise EngineError("a helper of the restore ended before its time")


def _start(target: int) -> Process:
    return Process(
        module_command(_MODULE, str(target)),
        stdin=PIPE,
        descriptors=[target],
    )


def _is_plain(member: Member) -> bool:
    """Whether it has no attributes, and its numbers fit into a message: years after 2262 do not."""
    return (
        len(member.records) <= (b"mtime" in member.records)
        and abs(member.mtime_ns) < 1 << 63
        and max(member.uid, member.gid) < 1 << 32
    )


def _cores() -> int:
    """Return how many cores this process may use; where the system does not tell, how many there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
