"""Makes the data: many small files, and one large file that half compresses. The same every time."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

SMALL_FILES = 100_000
LARGE_SIZE = 4 * 1024**3
MIB = 1024 * 1024


def half_compressible(rng: random.Random, size: int) -> bytes:
    """Return bytes of which zstd saves about half: runs of noise, and of words that repeat."""
    noise = rng.randbytes(size // 2)
    words = (b"the quick brown fox %d jumps over the lazy dog " % rng.randrange(1000)) * 2
    text = words * (size // 2 // len(words) + 1)
    out = bytearray()
    for at in range(0, size // 2, 512):
        out += noise[at : at + 512] + text[at : at + 512]
    return bytes(out[:size]).ljust(size, b"x")


def make(folder: Path) -> None:
    """Make what is not there yet."""
    if not (folder / "small").exists():
        _make_small(folder / "small.part")
        (folder / "small.part").rename(folder / "small")
    if not (folder / "large").exists():
        _make_large(folder / "large.part")
        (folder / "large.part").rename(folder / "large")


def _make_small(root: Path) -> None:
    rng = random.Random(1)
    for number in range(SMALL_FILES):
        folder = root / f"{number // 5000:03}" / f"{number // 100 % 50:03}"
        if number % 100 == 0:
            folder.mkdir(parents=True, exist_ok=True)
        content = half_compressible(rng, rng.randrange(1024, 16_385))
        (folder / f"{number:06}.dat").write_bytes(content)


def _make_large(root: Path) -> None:
    rng = random.Random(2)
    root.mkdir()
    with (root / "disk.img").open("wb") as file:
        for _ in range(LARGE_SIZE // MIB):
            file.write(half_compressible(rng, MIB))


def change_small(root: Path, seed: int) -> None:
    """Write one file in a hundred anew."""
    rng = random.Random(seed)
    for path in rng.sample(sorted(root.rglob("*.dat")), SMALL_FILES // 100):
        path.write_bytes(half_compressible(rng, path.stat().st_size))
    time.sleep(0.1)


def change_large(root: Path, seed: int) -> None:
    """Write one mebibyte in a hundred anew."""
    rng = random.Random(seed)
    with (root / "disk.img").open("r+b") as file:
        for block in rng.sample(range(LARGE_SIZE // MIB), LARGE_SIZE // MIB // 100):
            file.seek(block * MIB)
            file.write(half_compressible(rng, MIB))
    os.sync()
    time.sleep(0.1)
