"""
A seam under every read of a source: chosen calls fail, come short, or find something changed.

It stands in for `os.open`, `os.read`, `os.preadv`, `os.lseek` where it looks for holes, `os.scandir`, `os.listxattr`,
`os.getxattr` and `os.readlink`, and lets everything outside the source pass.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

Strike = Callable[[str, str, int], object]
"""
Told of each call, the path it concerns (relative to the source) and where in the file it reads.

It raises what the call shall raise, or returns a limit of bytes for a read that shall come short.
"""

_CALLS = ("open", "read", "preadv", "lseek", "scandir", "listxattr", "getxattr", "readlink")


@contextmanager
def struck(root: Path, strike: Strike) -> Iterator[None]:
    """Ask ``strike`` before each call that reads below ``root``."""
    seam = _Seam(os.path.realpath(root), strike)
    with pytest.MonkeyPatch.context() as patch:
        for name in _CALLS:
            patch.setattr(os, name, seam.context(name, getattr(os, name)))
        yield


class _Seam:
    def __init__(self, root: str, strike: Strike) -> None:
        self._root, self._strike = root, strike
        self._readlink, self._lseek = os.readlink, os.lseek

    def context(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(what: Any, *given: Any, **named: Any) -> Any:
            if name == "lseek" and given[1] not in (os.SEEK_DATA, os.SEEK_HOLE):
                return real(what, *given)
            path = self._path(what, named.get("dir_fd"))
            if path is None:
                return real(what, *given, **named)
            limit = self._strike(name, path, self._offset(name, what, given))
            if name == "read" and isinstance(limit, int):
                return real(what, min(given[0], limit))
            if name == "preadv" and isinstance(limit, int):
                return real(what, [memoryview(given[0][0])[:limit]], given[1])
            return real(what, *given, **named)

        return call

    def _path(self, what: Any, folder: int | None) -> str | None:
        if isinstance(what, int):
            whole = self._of(what)
        elif folder is not None:
            whole = os.path.join(self._of(folder), os.fsdecode(what))
        else:
            whole = os.path.abspath(os.fsdecode(what))
        if whole != self._root and not whole.startswith(self._root + "/"):
            return None
        return os.path.relpath(whole, self._root)

    def _of(self, descriptor: int) -> str:
        return self._readlink(f"/proc/self/fd/{descriptor}")

    def _offset(self, name: str, what: Any, given: tuple[Any, ...]) -> int:
        if name == "preadv":
            return int(given[1])
        return self._lseek(what, 0, os.SEEK_CUR) if name == "read" else 0


def read_error(number: int = errno.EIO) -> OSError:
    """Return the error of a disk that cannot be read."""
    return OSError(number, os.strerror(number))
