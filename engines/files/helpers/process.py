"""One of the :mod:`.files_helpers`: ``python -m airflow_backup.engines.files.helpers.process DESCRIPTOR``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator

from airflow_backup.core.errors import BackupError, EngineError
from airflow_backup.core.progress import Reporter
from airflow_backup.engines.files.helpers.messages import BATCH, FACTS, SETTLE
from airflow_backup.engines.files.helpers.unpacking import Unpacking
from airflow_backup.engines.files.tar.member import Member
from airflow_backup.engines.shared.restore_root import RestoreRoot


class Incoming:
    """What comes through the pipe, as an archive; see :class:`.files_unpacking.Archive`."""

    def __init__(self, pipe: int, answers: int) -> None:
        self._pipe, self._answers = pipe, answers
        self._content = memoryview(b"")

    def __iter__(self) -> Iterator[Member]:
        while size := BATCH.unpack(self._exactly(BATCH.size))[0]:
            yield from self._members(memoryview(self._exactly(size)))

    def content(self) -> Iterator[memoryview]:
        """Yield the content of the current member."""
        yield self._content

    def whole_content(self) -> memoryview:
        """Return the whole content of the file that was sent."""
        return self._content

    def sparse_segments(self) -> list[tuple[int, int]]:
        """No sparse file is sent."""
        return []

    def take(self, size: int) -> Iterator[memoryview]:
        """No sparse file is sent."""
        raise EngineError("a helper was sent a sparse file")

    def _members(self, batch: memoryview) -> Iterator[Member]:
        at = 0
        while at < len(batch):
            length, kind, mode, uid, gid, size, mtime_ns = FACTS.unpack_from(batch, at)
            at += FACTS.size
            if kind == SETTLE[0]:
                os.write(self._answers, SETTLE)
                continue
            name = bytes(batch[at : at + length])
            at += length
            self._content = batch[at : at + size]
            at += size
            yield Member(name, b"%c" % kind, mode, uid, gid, size, mtime_ns, b"")

    def _exactly(self, size: int) -> bytearray:
        found = bytearray(size)
        view = memoryview(found)
        while view:
            count = os.readv(self._pipe, [view])
            if not count:
                raise EngineError("the restore ended before its helper")
            view = view[count:]
        return found


def main(target: int) -> None:
    """Make what comes, and say how it went."""
    pipe, answers = sys.stdin.fileno(), sys.stdout.fileno()
    answer = {}
    try:
        root = RestoreRoot(target)
        Unpacking(Incoming(pipe, answers), root, Reporter()).run()
        root.close()
    except BackupError as error:
        answer = {"error": type(error).__name__, "message": error.message, "hint": error.hint}
    os.write(answers, json.dumps(answer).encode())


if __name__ == "__main__":
    main(int(sys.argv[1]))
