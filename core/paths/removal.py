"""Removes a folder tree of any depth, of which nothing is followed: what a restore made may be thousands deep."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(path: Path | str) -> None:
    """
    Remove a folder and all below it; OSError when something cannot be removed.

    One folder is open at a time, and no name is longer than one segment: neither the depth of the tree nor the
    length of its paths matters, and a link that is put in the place of a folder meanwhile leads nowhere.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> os.makedirs(folder + "/a/b")
    >>> remove_tree(folder)
    >>> os.path.exists(folder)
    False
    """
    here = os.open(path, _FOLDER)
    try:
        above: list[tuple[bytes, list[bytes]]] = []
        left = _emptied(here)
        while left or above:
            if left:
                name = left.pop()
                below = _enter(name, here)
                os.close(here)
                here = below
                above.append((name, left))
                left = _emptied(here)
                continue
            name, left = above.pop()
            parent = os.open("..", _FOLDER, dir_fd=here)
            os.close(here)
            here = parent
            os.rmdir(name, dir_fd=here)
    finally:
        os.close(here)
    os.rmdir(path)


def _enter(name: bytes, parent: int) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except PermissionError:
        os.chmod(name, 0o700, dir_fd=parent)
        return os.open(name, _FOLDER, dir_fd=parent)


def _emptied(folder: int) -> list[bytes]:
    """Remove everything from a folder but its folders, and return their names."""
    folders: list[bytes] = []
    with os.scandir(folder) as entries:
        found = [(os.fsencode(each.name), each.is_dir(follow_symlinks=False)) for each in entries]
    with contextlib.suppress(
        OSError
    ):  # where it is not ours to change, removing says what is wrong
        os.fchmod(folder, 0o700)
    for name, is_folder in found:
        if is_folder:
            folders.append(name)
        else:
            os.unlink(name, dir_fd=folder)
    return folders
