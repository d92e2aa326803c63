"""Proves a set of files: the archive and the index tell the same story, and so does a restored tree."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from airflow_backup.core.errors import EngineError, VerifyError
from airflow_backup.core.text.names import shown
from airflow_backup.engines.files.chain import ARCHIVE, INDEX, PATCHES
from airflow_backup.engines.files.index import UNREAD, IndexReader, lines_of, unescaped
from airflow_backup.engines.files.structure import size_of
from airflow_backup.engines.files.tar import writer as tar
from airflow_backup.engines.protocol import SetReader

_MOST_NAMED = 20
_LONG = 4000
"""Bytes of a path; Linux takes 4,096 at once."""

_FORMATS = {
    stat.S_IFREG: tar.REGULAR,
    stat.S_IFDIR: tar.FOLDER,
    stat.S_IFLNK: tar.SYMLINK,
    stat.S_IFIFO: tar.FIFO,
}
_NOT_RESTORED = frozenset({tar.CHARACTER_DEVICE, tar.BLOCK_DEVICE})


def check_edges(stored: SetReader) -> list[str]:
    """Look at the first header and the end marker of each archive, and at the end of the index."""
    manifest = stored.manifest
    checks = []
    for stream in (ARCHIVE, PATCHES, INDEX):
        size = size_of(manifest, stream)
        if stream == PATCHES and not manifest.pieces_of(PATCHES):
            continue
        tail = b"".join(stored.blocks(stream, max(size - len(tar.END), 0), size))
        if stream == INDEX:
            if not tail.endswith(b"\n"):
                raise VerifyError(f"the index of set '{manifest.set_id}' has no last line")
        else:
            _check_archive(stored, stream, tail)
        checks.append(f"beginning and end of {stream}")
    return checks


def _check_archive(stored: SetReader, stream: str, tail: bytes) -> None:
    if tail != tar.END:
        raise VerifyError(
            f"{stream} of set '{stored.manifest.set_id}' has no end marker",
            hint="was the dump cut? take a full set",
        )
    head = b"".join(stored.blocks(stream, 0, tar.BLOCK))
    if head != bytes(tar.BLOCK) and head[257:262] != b"ustar":
        raise VerifyError(f"{stream} of set '{stored.manifest.set_id}' is not a tar archive")


def check_tree(last: SetReader, target: Path) -> int:
    """Compare a restored tree with the index: kind, size, mode and time of each entry."""
    count = 0
    own = os.geteuid() == 0
    base = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for fields in _lines(last):
            kind, size, mtime, mode = fields[0], int(fields[3]), int(fields[4]), int(fields[7], 8)
            name = unescaped(fields[10])
            if kind in _NOT_RESTORED:
                continue
            count += 1
            found = _stat(base, name)
            _check_entry(name, kind, size, found)
            if kind != tar.SYMLINK:
                keeps = 0o7777 if own else 0o1777
                if stat.S_IMODE(found.st_mode) != mode & keeps or found.st_mtime_ns != mtime:
                    raise VerifyError(f"'{shown(name)}' came back with other attributes")
    finally:
        os.close(base)
    return count


def concerned(stored: SetReader, stream: str, begin: int, end: int) -> list[str]:
    """Name the files that have content in a part of an archive."""
    if stream not in (ARCHIVE, PATCHES):
        return []
    letter = b"f" if stream == ARCHIVE else b"p"
    own = letter + b"%d" % int(stored.manifest.state.get("link", 0))
    found: list[str] = []
    before: bytes | None = None
    for offset, name in _places(stored, own):
        if offset >= end:
            break
        if offset > begin and before is not None and before not in map(os.fsencode, found):
            found.append(os.fsdecode(before))
        before = name
    if before is not None:
        found.append(os.fsdecode(before))
    return [shown(os.fsencode(name)) for name in dict.fromkeys(found)][:_MOST_NAMED]


def _places(stored: SetReader, own: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield where in an archive each entry begins, and each block of one that was stored in parts."""
    for record in IndexReader(stored.blocks(INDEX)):
        if record.where == own:
            yield record.offset, record.path
        for block in record.blocks:
            if block.where == own and own[:1] == b"p":
                yield block.offset, record.path


def _lines(last: SetReader) -> Iterator[list[bytes]]:
    for line in lines_of(last.blocks(INDEX)):
        if line[:1] not in b"+-" + UNREAD:
            yield line.split(b" ", 10)


def _stat(base: int, name: bytes) -> os.stat_result:
    try:
        if len(name) < _LONG:
            return os.stat(name, dir_fd=base, follow_symlinks=False)
        return _stat_far(base, name)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise VerifyError(f"'{shown(name)}' did not come back") from error
    except OSError as error:  # what cannot be looked at says nothing of the set
        why = (error.strerror or str(error)).lower()
        raise EngineError(f"cannot look at the restored '{shown(name)}': {why}") from error


def _stat_far(base: int, name: bytes) -> os.stat_result:
    """Go folder by folder: a path may be longer than the system takes at once."""
    *folders, last = name.split(b"/")
    here = os.dup(base)
    try:
        for folder in folders:
            below = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = below
        return os.stat(last, dir_fd=here, follow_symlinks=False)
    finally:
        os.close(here)


def _check_entry(name: bytes, kind: bytes, size: int, found: os.stat_result) -> None:
    expected = tar.REGULAR if kind == tar.HARD_LINK else kind
    if _FORMATS.get(stat.S_IFMT(found.st_mode)) != expected:
        raise VerifyError(f"'{shown(name)}' came back as something else")
    if kind == tar.REGULAR and found.st_size != size:
        raise VerifyError(f"'{shown(name)}' came back with {found.st_size} bytes instead of {size}")
