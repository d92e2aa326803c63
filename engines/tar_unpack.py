"""Unpacks the tar streams of stored sets."""

from __future__ import annotations

import io
import re
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from airflow_backup.core.errors import VerifyError
from airflow_backup.core.progress import Reporter
from airflow_backup.engines.protocol import SetReader

_BUFFER = 1024 * 1024


@contextmanager
def opened(reader: SetReader, stream: str, reporter: Reporter) -> Iterator[tarfile.TarFile]:
    """Open a stream of a set as an archive; VerifyError where it is none."""
    archive = io.BufferedReader(_Blocks(reader.blocks(stream), reporter), _BUFFER)
    try:
        with tarfile.open(fileobj=archive, mode="r|") as tar:
            tar.copybufsize = _BUFFER  # type: ignore[attr-defined]  # 16 KiB at a time are slow
            yield tar
    except tarfile.TarError as error:
        raise VerifyError(
            f"'{stream}' of set '{reader.manifest.set_id}' cannot be unpacked: {error}"
        ) from error


def unpack(reader: SetReader, stream: str, target: Path, reporter: Reporter) -> tuple[int, int]:
    """Unpack a stream into ``target``; return its files and their bytes."""
    files = size = 0
    with opened(reader, stream, reporter) as tar:
        for member in tar:
            tar.extract(member, target, filter="data")
            files += member.isfile()
            size += member.size
    return files, size


def unpack_logs(
    logs: Sequence[SetReader],
    stream: str,
    folder: Path,
    reporter: Reporter,
    *,
    names: re.Pattern[str],
    what: str,
) -> None:
    """
    Write the log files of several sets; a later copy of one holds more than an earlier one.

    VerifyError where a name does not match ``names``; ``what`` is what it should be.
    """
    for log in logs:
        with opened(log, stream, reporter) as tar:
            for member in tar:
                file = tar.extractfile(member) if names.fullmatch(member.name) else None
                if file is None:
                    raise VerifyError(
                        f"set '{log.manifest.set_id}' holds '{member.name}', which is no {what}"
                    )
                with (folder / member.name).open("wb") as out:
                    shutil.copyfileobj(file, out, _BUFFER)


class _Blocks(io.RawIOBase):
    """Blocks as a file that tarfile can read."""

    def __init__(self, blocks: Iterator[bytes], reporter: Reporter) -> None:
        self._blocks, self._reporter, self._left = blocks, reporter, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        room = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        while not self._left:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._left = memoryview(block)
            self._reporter.advance(bytes_done=len(block))
        count = min(len(room), len(self._left))
        room[:count] = self._left[:count]
        self._left = self._left[count:]
        return count
