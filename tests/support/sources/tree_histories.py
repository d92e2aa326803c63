"""
Seeded lives of a file tree: made, changed at random, with values at the edges of every field that a format has.

Everything comes from one random generator, so that a seed is a whole history.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import stat
from pathlib import Path

MIB = 1024 * 1024
SIZES = (0, 1, 511, 512, 513, 4096, 70_000, MIB - 1, MIB, MIB + 1, 2 * MIB + 7)
NAMES = (
    b"plain",
    b"with space",
    b" leading",
    b"trailing ",
    b"trailing.",
    b"-rf",
    b"new\nline",
    b"back\\slash",
    b"\\n",
    b"a=b",
    b"100%",
    b"'\"$`;|&",
    b"*?[x]",
    b"\xff\xfe",
    "ümläut".encode(),
    b"u\xcc\x88",
    b"!",
    b"- x",
    b"+ 1 2",
    b"size=5",
    b"0",
    b"1048576",
    b"n" * 99,
    b"n" * 100,
    b"n" * 101,
    b"\xf0" * 120,
    b"m" * 255,
)
SECONDS = (
    -(2**31) - 1,
    -(2**31),
    -1_000_000_000,
    -1,
    0,
    1,
    999_999_999,
    1_000_000_000,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**32,
    2**33 - 1,
    2**33,
    9_999_999_999,
    10_413_792_000,
)
NANOSECONDS = (0, 1, 999_999_999, 123_456_789, 100_000_000)
MODES = (0o000, 0o400, 0o600, 0o644, 0o755, 0o777, 0o1777, 0o2755, 0o4755, 0o7777)
OWNERS = (0, 1, 1000, 65534, 0o7777777, 0o7777777 + 1, 2**31, 2**32 - 2)
ATTRIBUTES = (b"user.a", b"user.a=b", b"user.%3D", b"user.100%", b"user.x\ny", b"user.\xc3\xbc")
VALUES = (b"", b"x", b"a=b\n", b"\0\xff", b"v" * 3000)


class TreeHistory:
    """One tree and what happens to it; ``odd`` values are at the edges, where they hurt."""

    def __init__(self, root: Path, rng: random.Random, *, odd: bool) -> None:
        self.root, self._rng, self._odd = os.fsencode(root), rng, odd
        os.mkdir(self.root)
        for _ in range(rng.randrange(8, 25)):
            self._add()
        self._dress_all()

    def step(self) -> None:
        """Change some of it."""
        for _ in range(self._rng.randrange(1, 9)):
            self._rng.choice(
                (self._add, self._add, self._write, self._touch, self._remove, self._move)
            )()
        self._dress_all(share=0.2)

    def _add(self) -> None:
        folder = self._rng.choice(self._folders())
        name = self._rng.choice(NAMES) if self._odd else b"f%d" % self._rng.randrange(1000)
        path = os.path.join(folder, name)
        if os.path.lexists(path):
            return
        kinds = ["file"] * 6 + ["folder", "folder", "symlink", "hard link", "fifo", "sparse"]
        kind = self._rng.choice(kinds)
        with contextlib.suppress(OSError):  # a name may be too long for a path of its own
            if kind == "folder" and path.count(b"/") - self.root.count(b"/") < 6:
                os.mkdir(path)
            elif kind == "symlink":
                os.symlink(
                    self._rng.choice((b"plain", b"/nowhere", b"x/" * 80, b"\xff" * 90)), path
                )
            elif kind == "hard link" and (files := self._files()):
                os.link(self._rng.choice(files), path, follow_symlinks=False)
            elif kind == "fifo":
                os.mkfifo(path)
            elif kind == "sparse":
                self._sparse(path)
            else:
                self._fill(path)

    def _fill(self, path: bytes) -> None:
        size = self._rng.choice(SIZES) if self._rng.random() < 0.5 else self._rng.randrange(3000)
        with open(path, "wb") as file:
            file.write(self._content(size))

    def _content(self, size: int) -> bytes:
        part = self._rng.randbytes(min(size, 5000))
        return (part * (size // max(len(part), 1) + 1))[:size]

    def _sparse(self, path: bytes) -> None:
        with open(path, "wb") as file:
            for _ in range(self._rng.randrange(4)):
                file.seek(self._rng.randrange(3 * MIB))
                file.write(self._content(self._rng.randrange(1, 9000)))
            file.truncate(self._rng.randrange(MIB, 4 * MIB))

    def _write(self) -> None:
        files = self._files()
        if not files:
            return
        path = self._rng.choice(files)
        size = os.lstat(path).st_size
        with open(path, "r+b") as file:
            file.seek(self._rng.randrange(size + 1))
            file.write(self._content(self._rng.randrange(1, 3000)))
            if self._rng.random() < 0.3:
                file.truncate(self._rng.randrange(size + 1))

    def _touch(self) -> None:
        everything = self._everything()
        if everything:
            self._dress(self._rng.choice(everything))

    def _remove(self) -> None:
        everything = self._everything()
        if not everything:
            return
        path = self._rng.choice(everything)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)

    def _move(self) -> None:
        everything = self._everything()
        if not everything:
            return
        path = self._rng.choice(everything)
        target = os.path.join(self.root, b"moved-%d" % self._rng.randrange(100))
        if not os.path.lexists(target):
            os.rename(path, target)

    def _dress_all(self, share: float = 1.0) -> None:
        for path in reversed(self._everything()):
            if self._rng.random() < share:
                self._dress(path)
        self._dress(self.root)

    def _dress(self, path: bytes) -> None:
        rng, is_link = self._rng, os.path.islink(path)
        if os.geteuid() == 0:
            owner, group = rng.choice(OWNERS), rng.choice(OWNERS)
            os.chown(
                path, owner if self._odd else 0, group if self._odd else 0, follow_symlinks=False
            )
        if not is_link:
            if self._odd and rng.random() < 0.3 and not stat.S_ISFIFO(os.lstat(path).st_mode):
                with contextlib.suppress(OSError):
                    os.setxattr(path, rng.choice(ATTRIBUTES), rng.choice(VALUES))
            is_folder = os.path.isdir(path)
            mode = rng.choice(MODES) if self._odd else rng.choice((0o644, 0o600, 0o755))
            os.chmod(path, mode | (0o700 if is_folder else 0))
        seconds = rng.choice(SECONDS) if self._odd else rng.randrange(10**9, 2 * 10**9)
        moment = seconds * 10**9 + rng.choice(NANOSECONDS)
        with contextlib.suppress(OSError, OverflowError):  # not every file system has every date
            os.utime(path, ns=(moment, moment), follow_symlinks=False)

    def _everything(self) -> list[bytes]:
        found = []
        for folder, folders, files in os.walk(self.root):
            found += [os.path.join(folder, name) for name in (*folders, *files)]
        return sorted(found)

    def _folders(self) -> list[bytes]:
        return [self.root, *(path for path in self._everything() if _is(path, stat.S_ISDIR))]

    def _files(self) -> list[bytes]:
        return [path for path in self._everything() if _is(path, stat.S_ISREG)]


def _is(path: bytes, kind: object) -> bool:
    return bool(kind(os.lstat(path).st_mode))  # type: ignore[operator]
