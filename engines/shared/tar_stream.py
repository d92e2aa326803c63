"""Writes files into a stream of a set as a tar archive, for engines that have a few large files."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow_backup.core.progress import Reporter
from airflow_backup.engines.protocol import Stream

_CHUNK = 1024 * 1024


@contextmanager
def open_tar(stream: Stream, reporter: Reporter) -> Iterator[tarfile.TarFile]:
    """Yield an archive to add files to; it is ended when the block ends without an error."""
    writer: Any = _Writer(stream, reporter)  # tarfile asks for no more than `write`
    tar = tarfile.open(fileobj=writer, mode="w|", bufsize=_CHUNK, format=tarfile.PAX_FORMAT)  # noqa: SIM115  # below
    tar.copybufsize = _CHUNK  # type: ignore[attr-defined]  # 16 KiB at a time are slow
    yield tar
    tar.close()  # not after an error: an archive that was cut must not look whole


class _Writer:
    """What tarfile writes to."""

    def __init__(self, stream: Stream, reporter: Reporter) -> None:
        self._stream, self._reporter = stream, reporter

    def write(self, data: bytes) -> int:
        self._stream.write(bytes(data))
        self._reporter.advance(bytes_done=len(data))
        return len(data)
