"""Puts stored PostgreSQL sets back: files for ``pg_restore``, or a data folder that a server can start on."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from airflow_backup.core import process
from airflow_backup.core.errors import EngineError, VerifyError
from airflow_backup.core.progress import Reporter
from airflow_backup.engines.protocol import RestoreReport, SetReader

_NOT_CHECKED = "{program} is not at hand: what was restored is as it was stored, and was not {what}"


def restore_logical(
    reader: SetReader, target: Path, reporter: Reporter, *, streams: Sequence[str]
) -> RestoreReport:
    """Write the dump and the roles as files, and decode the dump as a whole."""
    reporter.begin("restoring", bytes_total=reader.manifest.totals.bytes_read)
    written = 0
    for name in streams:
        with (target / name).open("xb") as file:
            for block in reader.blocks(name):
                file.write(block)
                written += len(block)
                reporter.advance(bytes_done=len(block))
    reporter.begin("checking")
    warnings = []
    if shutil.which("pg_restore") is None:
        warnings.append(_NOT_CHECKED.format(program="pg_restore", what="decoded"))
    else:
        # Listing the contents passes for a dump that was cut; only decoding reads it all.
        _prove(["pg_restore", "--file=/dev/null", str(target / streams[0])], reader)
    reporter.finish()
    return RestoreReport(files=len(streams), bytes_written=written, warnings=warnings)


def restore_physical(reader: SetReader, target: Path, reporter: Reporter) -> RestoreReport:
    """Unpack the data folder, and verify it against the backup manifest inside."""
    reporter.begin("restoring", bytes_total=reader.manifest.totals.bytes_read)
    archive = io.BufferedReader(_Blocks(reader.blocks("base.tar"), reporter), 1024 * 1024)
    files = 0
    with tarfile.open(fileobj=archive, mode="r|") as tar:
        for member in tar:
            tar.extract(member, target, filter="data")
            files += member.isfile()
    target.chmod(0o700)  # the server refuses a folder that others may read
    reporter.begin("checking")
    warnings = []
    verify = shutil.which("pg_verifybackup")
    if verify is None:
        warnings.append(_NOT_CHECKED.format(program="pg_verifybackup", what="verified"))
    else:
        _prove([verify, "--no-parse-wal", "--exit-on-error", str(target)], reader)
    reporter.finish()
    return RestoreReport(
        files=files, bytes_written=reader.manifest.totals.bytes_read, warnings=warnings
    )


def _prove(command: Sequence[str], reader: SetReader) -> None:
    try:
        process.run(command)
    except EngineError as error:
        raise VerifyError(
            f"set '{reader.manifest.set_id}' is not whole: {error.message}"
        ) from error


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
