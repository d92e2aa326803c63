"""File trees that are hard to back up, and everything that must be equal after a restore."""

from __future__ import annotations

import os
import random
import stat
from pathlib import Path

Tree = dict[bytes, tuple[object, ...]]


def tree_at(root: Path, *, owners: bool = True) -> Tree:
    """Return what must survive, by relative path: kind, mode, times, links, content, attributes."""
    found: Tree = {}
    numbers: dict[tuple[int, int], int] = {}
    base = os.fsencode(root)
    for folder, folders, files in os.walk(base):
        for name in [b"", *folders, *files]:
            path = os.path.join(folder, name) if name else folder
            relative = os.path.relpath(path, base)
            look = os.lstat(path)
            same = numbers.setdefault((look.st_dev, look.st_ino), len(numbers))
            linked = look.st_nlink > 1 and stat.S_ISREG(look.st_mode)
            found[relative] = (
                stat.S_IFMT(look.st_mode),
                stat.S_IMODE(look.st_mode),
                look.st_mtime_ns,
                (look.st_uid, look.st_gid) if owners else None,
                same if linked else None,
                os.readlink(path) if stat.S_ISLNK(look.st_mode) else None,
                _content(path) if stat.S_ISREG(look.st_mode) else None,
                _attributes(path, look),
            )
    return _with_link_groups(found)


def _with_link_groups(found: Tree) -> Tree:
    groups: dict[object, bytes] = {}
    for path in sorted(found):
        if found[path][4] is not None:
            groups.setdefault(found[path][4], path)
    return {
        path: (*look[:4], groups[look[4]] if look[4] is not None else None, *look[5:])
        for path, look in found.items()
    }


def _content(path: bytes) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _attributes(path: bytes, look: os.stat_result) -> dict[str, bytes]:
    if not (stat.S_ISREG(look.st_mode) or stat.S_ISDIR(look.st_mode)):
        return {}
    return {name: os.getxattr(path, name) for name in os.listxattr(path)}


def make_tree(root: Path, *, seed: int = 1) -> None:
    """Make a tree with one of everything; as root also owners and read-only folders."""
    rng = random.Random(seed)
    root.mkdir()
    _make_names(root, rng)
    _make_kinds(root, rng)
    _make_times(root)


def _make_names(root: Path, rng: random.Random) -> None:
    base = os.fsencode(root)
    names = [
        b"plain",
        b"with space",
        b"-dash",
        b".hidden",
        b"new\nline",
        b"back\\slash",
        b"tab\tand\x01control",
        "ümlaut".encode(),
        b"u\xcc\x88mlaut, decomposed",
        b"\xff\xfe not utf-8",
        b"n" * 255,
        b"\xfe" * 200,
        b"n" * 100,
        b"n" * 101,
        b"trailing.",
    ]
    for name in names:
        with open(os.path.join(base, name), "wb") as file:
            file.write(rng.randbytes(rng.randrange(3000)))
    deep = base
    for depth in range(12):
        deep = os.path.join(deep, b"folder-%d-" % depth + b"x" * 40)
        os.mkdir(deep)
    with open(os.path.join(deep, b"\xff" * 30), "wb") as file:
        file.write(b"deep")


def _make_kinds(root: Path, rng: random.Random) -> None:
    (root / "empty-folder").mkdir()
    (root / "empty").write_bytes(b"")
    (root / "block").write_bytes(rng.randbytes(512))
    (root / "large").write_bytes(rng.randbytes(3_000_001) + bytes(2_000_000))
    (root / "exactly-one-frame").write_bytes(rng.randbytes(1024 * 1024))
    (root / "link").symlink_to("plain")
    (root / "dangling").symlink_to("/nowhere/" + "far/" * 50)
    (root / "link-to-folder").symlink_to("empty-folder")
    (root / "odd-link").symlink_to(os.fsdecode(b"\xff" * 150))
    os.link(root / "block", root / "hard-link")
    os.link(root / "block", root / "empty-folder" / "another-hard-link")
    os.mkfifo(root / "fifo", 0o640)
    for mode in (0o000, 0o400, 0o755, 0o1777, 0o2750, 0o4711):
        file = root / f"mode-{mode:o}"
        file.write_bytes(b"x")
        file.chmod(mode)
    closed = root / "read-only-folder"
    closed.mkdir()
    (closed / "inside").write_bytes(b"x")
    closed.chmod(0o555)
    with (root / "sparse").open("wb") as holes:
        holes.write(b"head")
        holes.seek(3_000_000)
        holes.write(b"middle")
        holes.truncate(8_000_000)
    if os.geteuid() == 0:
        os.chown(root / "plain", 1234, 4321)
        os.chown(root / "large", 3_000_000_000, 3_000_000_001)
    _try_attribute(root / "plain", "user.comment", b"with\0zero")
    _try_attribute(root / "empty-folder", "user.comment", b"a folder")
    _try_attribute(root / "mode-400", "user.comment", b"read-only")


def _try_attribute(path: Path, name: str, value: bytes) -> None:
    try:
        os.setxattr(path, name, value)
    except OSError:
        return  # this file system has none


def _make_times(root: Path) -> None:
    for name, moment in {
        "plain": 1_700_000_000_123_456_789,
        "empty": 0,
        "block": 1_000_000_000_000_000_000,
        "large": 999_999_999_999_999_999,
        "mode-755": 4_000_000_000_000_000_001,
        "empty-folder": 1_600_000_000_000_000_007,
    }.items():
        os.utime(root / name, ns=(moment, moment))
    os.utime(root / "link", ns=(1, 1_500_000_000_000_000_009), follow_symlinks=False)
    try:
        os.utime(root / "mode-400", ns=(-1_500_000_000, -1_500_000_000))
    except OSError:
        return  # before 1970, which this file system cannot say


def change_tree(root: Path, step: int) -> None:
    """Change a tree of `make_tree` in every way that a set must notice; each step another one."""
    rng = random.Random(step)
    for change in (_change_contents, _change_attributes, _change_names, _change_large):
        change(root, rng, step)


def _change_contents(root: Path, rng: random.Random, step: int) -> None:
    (root / f"new-{step}").write_bytes(rng.randbytes(2000))
    (root / "with space").write_bytes(rng.randbytes(rng.randrange(5000)))
    with (root / "plain").open("r+b") as file:  # the same size
        file.write(rng.randbytes(1))
    (root / "read-only-folder").chmod(0o755)
    (root / "read-only-folder" / "inside").unlink(missing_ok=True)
    (root / "read-only-folder").chmod(0o555)


def _change_attributes(root: Path, rng: random.Random, step: int) -> None:
    (root / "mode-755").chmod(0o700 + step % 8)
    _try_attribute(root / "empty-folder", "user.comment", rng.randbytes(20))
    _try_attribute(root / "block", "user.step", str(step).encode())
    if os.geteuid() == 0:
        os.chown(root / "empty", 1000 + step, 2000)
    os.utime(root / ".hidden", ns=(1, 1_650_000_000_000_000_000 + step))


def _change_names(root: Path, rng: random.Random, step: int) -> None:
    old, new = root / f"moved-{step - 1}", root / f"moved-{step}"
    if not old.exists():
        old.mkdir()
        (old / "below").write_bytes(b"below")
        (old / "below.txt").write_bytes(b"sorts otherwise than its path")
    old.rename(new)
    (root / "link").unlink()
    (root / "link").symlink_to(f"new-{step}")
    hard = root / "a-first-name-of-block"
    if hard.exists():
        hard.unlink()
    else:
        os.link(root / "block", hard)
    turned = root / "turns"
    if turned.is_dir():
        (turned / "inside").unlink()
        turned.rmdir()
        turned.write_bytes(b"a file now")
    else:
        turned.unlink(missing_ok=True)
        turned.mkdir()
        (turned / "inside").write_bytes(b"a folder now")


def _change_large(root: Path, rng: random.Random, step: int) -> None:
    with (root / "large").open("r+b") as file:
        file.seek(rng.randrange(4_000_000))
        file.write(rng.randbytes(100))
        if step % 2:
            file.truncate(4_500_000 + step)
    with (root / "sparse").open("r+b") as file:
        file.seek(1_000_000 * step)
        file.write(rng.randbytes(100))
        file.truncate(8_000_000 - step * 4096)
    large = root / "exactly-one-frame"
    large.write_bytes(rng.randbytes(1024 * 1024 - 1 + step % 3))
