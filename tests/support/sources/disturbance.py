"""
Somebody who works in a tree while it is read: files grow, are cut, rewritten, replaced, removed, become something
else.
"""

from __future__ import annotations

import os
import random
import stat
import threading
from collections.abc import Callable

Change = Callable[[bytes], None]


class Disturbance:
    """
    Changes a file right before some of the calls that read it; see :class:`.source_faults.Strike`.

    ``touched`` are the paths of which nobody can say what a set should have; those of ``always`` were files all
    the time, so a set must have them.
    """

    def __init__(self, root: bytes, rng: random.Random, *, share: float = 0.02) -> None:
        self.touched: set[bytes] = set()
        self.always: set[bytes] = set()
        self._root, self._rng, self._share = root, rng, share
        self._busy = threading.Lock()
        self._gone: set[bytes] = set()

    def strike(self, path: str) -> None:
        """Change what lies at ``path``, now and then."""
        # What is done here goes through the same calls, and large files are read by several threads.
        if not self._busy.acquire(blocking=False):
            return
        try:
            if self._rng.random() < self._share:
                self._change(os.fsencode(path))
        finally:
            self._busy.release()

    def _change(self, path: bytes) -> None:
        whole = os.path.join(self._root, path)
        if not os.path.lexists(whole) or not stat.S_ISREG(os.lstat(whole).st_mode):
            return
        names = self._names_of(whole)
        staying = (self._append, self._cut, self._rewrite, self._replace)
        going = (self._remove, self._become_folder, self._become_link)
        change = self._rng.choice((*staying, *staying, *going))
        self.touched.update(names)
        if change in staying:
            self.always |= names
        else:
            self.always.discard(path)
            self._gone.add(path)
        if change not in (self._append, self._cut, self._rewrite):
            self.touched.add(os.path.dirname(path) or b".")
        self.always -= self._gone
        change(whole)

    def _names_of(self, whole: bytes) -> set[bytes]:
        look = os.lstat(whole)
        found = set()
        for folder, _, files in os.walk(self._root):
            for name in files:
                path = os.path.join(folder, name)
                other = os.lstat(path)
                if (other.st_dev, other.st_ino) == (look.st_dev, look.st_ino):
                    found.add(os.path.relpath(path, self._root))
        return found

    def _append(self, path: bytes) -> None:
        with open(path, "ab") as file:
            file.seek(self._rng.choice((0, 0, 3_000_000)), os.SEEK_END)
            file.write(self._rng.randbytes(self._rng.choice((1, 700, 70_000))))

    def _cut(self, path: bytes) -> None:
        os.truncate(path, self._rng.randrange(os.path.getsize(path) + 1))

    def _rewrite(self, path: bytes) -> None:
        with open(path, "wb") as file:
            file.write(self._rng.randbytes(self._rng.choice((0, 5000, 1_200_000))))

    def _replace(self, path: bytes) -> None:
        other = os.path.join(os.path.dirname(self._root), b"other")
        with open(other, "wb") as file:
            file.write(self._rng.randbytes(self._rng.choice((0, 5000, 1_200_000))))
        os.replace(other, path)

    def _remove(self, path: bytes) -> None:
        os.unlink(path)

    def _become_folder(self, path: bytes) -> None:
        os.unlink(path)
        os.mkdir(path)

    def _become_link(self, path: bytes) -> None:
        os.unlink(path)
        os.symlink(b"anywhere", path)
