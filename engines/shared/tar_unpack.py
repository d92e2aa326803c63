"""
Unpacks tar archives that others wrote: the streams of stored sets, and what git gives out.

What an archive may write is decided here and not by Python's own filter, because the 3.11 of some
distributions has none: files, folders, and symbolic links that stay inside; below the target and
nowhere else; nothing that belongs to somebody else, no device, no bit that gives rights away.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from airflow_backup.core.errors import VerifyError
from airflow_backup.core.progress import Reporter
from airflow_backup.engines.protocol import SetReader
from airflow_backup.engines.shared.restore_root import RestoreRoot, open_target, split

_BUFFER = 1024 * 1024
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def opened(reader: SetReader, stream: str, reporter: Reporter) -> Iterator[tarfile.TarFile]:
    """Open a stream of a set as an archive; VerifyError where it is none."""
    archive = io.BufferedReader(_Blocks(reader.blocks(stream), reporter), _BUFFER)
    try:
        with tarfile.open(fileobj=archive, mode="r|") as tar:
            yield tar
    except tarfile.TarError as error:
        raise VerifyError(
            f"'{stream}' of set '{reader.manifest.set_id}' cannot be unpacked: {error}"
        ) from error


def unpack(reader: SetReader, stream: str, target: Path, reporter: Reporter) -> tuple[int, int]:
    """Unpack a stream into the empty folder ``target``; return its files and their bytes."""
    with opened(reader, stream, reporter) as tar:
        return unpack_all(tar, target)


def unpack_all(tar: tarfile.TarFile, target: Path) -> tuple[int, int]:
    """
    Unpack an open archive into the empty folder ``target``; return its files and their bytes.

    VerifyError where a member would lie elsewhere, lead elsewhere, or is no file, folder or link.
    """
    files = size = 0
    root = RestoreRoot(open_target(target))
    try:
        for member in tar:
            _extract(tar, member, root)
            files += member.isfile()
            size += member.size
        root.close()
    except BaseException:
        root.abandon()
        raise
    return files, size


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, root: RestoreRoot) -> None:
    name = os.fsencode(member.name).removeprefix(b"./")
    if member.isdir():
        if name not in (b".", b""):
            root.enter(name, _leave)
        return
    if not (member.isreg() or member.issym()):
        raise VerifyError(
            f"refused '{member.name}': it is no file, folder or symbolic link",
            hint="who made this archive?",
        )
    if member.issym():
        to = os.fsencode(member.linkname)
        if not leads_inside(name, to):
            raise VerifyError(
                f"refused the link '{member.name}' to '{member.linkname}'",
                hint="it leads out of the target; who made this archive?",
            )
        folder, last = root.parent_of(name)
        os.symlink(to, last, dir_fd=folder)
        return
    content = tar.extractfile(member)
    assert content is not None  # a file has one
    folder, last = root.parent_of(name)
    # As much as Python's own filter leaves: nobody else may write, and the owner may always read.
    with os.fdopen(os.open(last, _NEW, member.mode & 0o755 | 0o600, dir_fd=folder), "wb") as out:
        shutil.copyfileobj(content, out, _BUFFER)
        out.flush()
        os.utime(out.fileno(), (member.mtime, member.mtime))


def _leave(folder: int) -> None:
    """Leave a folder as it was made: for its owner alone."""


def leads_inside(name: bytes, to: bytes) -> bool:
    """
    Tell whether a symbolic link stays below the folder that is unpacked into.

    Its own folder is a real one, so it may go up as far as that is deep. After that it only goes
    down: what follows a folder may be another link, and ``..`` behind one leads anywhere.

    >>> leads_inside(b"a/b/link", b"../../c"), leads_inside(b"a/link", b"../../c")
    (True, False)
    >>> leads_inside(b"link", b"a/../b"), leads_inside(b"link", b"/etc/passwd")
    (False, False)
    """
    if to.startswith(b"/") or not to or b"\0" in to:
        return False
    parts = [part for part in to.split(b"/") if part not in (b"", b".")]
    up = 0
    while up < len(parts) and parts[up] == b"..":
        up += 1
    return up < len(split(name)) and b".." not in parts[up:]


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
                fits = member.isreg() and names.fullmatch(member.name)
                file = tar.extractfile(member) if fits else None
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
