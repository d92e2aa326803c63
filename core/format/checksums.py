"""Fingerprints of what is stored: one algorithm for whole pieces, a short one for each frame."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from airflow_backup.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

Bytes = bytes | bytearray | memoryview

DEFAULT_ALGORITHM = "sha256"
FRAME_ALGORITHM: Final = "blake3-128"
FRAME_DIGITS = 32


class Hasher(Protocol):
    """What :mod:`hashlib` objects and blake3 have in common."""

    def update(self, data: Bytes, /) -> object:
        """Add bytes."""
        ...

    def hexdigest(self) -> str:
        """Return the digest so far in lower-case hex."""
        ...


def _blake3() -> Hasher:
    from blake3 import blake3  # a compiled library: loaded only where bytes are hashed

    return blake3()


_MAKERS: dict[str, Callable[[], Hasher]] = {
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
    # Offered because sites compare with digests that other tools made; never the default.
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "md5": lambda: hashlib.md5(usedforsecurity=False),
    "blake3": _blake3,
}
ALGORITHMS = tuple(_MAKERS)


def hasher(algorithm: str) -> Hasher:
    """
    Begin a digest with one of the known algorithms.

    >>> digest = hasher("md5")
    >>> _ = digest.update(b"abc")
    >>> digest.hexdigest()
    '900150983cd24fb0d6963f7d28e17f72'
    >>> hasher("crc32")
    Traceback (most recent call last):
    airflow_backup.core.errors.ConfigError: no checksum algorithm 'crc32'
    HINT: use one of sha256, sha512, sha1, md5, blake3
    """
    try:
        return _MAKERS[algorithm]()
    except KeyError:
        raise ConfigError(
            f"no checksum algorithm '{algorithm}'", hint=f"use one of {', '.join(ALGORITHMS)}"
        ) from None


def digest_of(chunks: Iterable[Bytes], algorithm: str = DEFAULT_ALGORITHM) -> str:
    """
    Digest chunks as one stream.

    >>> digest_of([b"a", b"bc"], "md5")
    '900150983cd24fb0d6963f7d28e17f72'
    """
    running = hasher(algorithm)
    for chunk in chunks:
        running.update(chunk)
    return running.hexdigest()


def frame_checksum(stored: Bytes) -> str:
    """
    Fingerprint one stored frame: the first 128 bits of its BLAKE3, as 32 hex digits.

    >>> frame_checksum(b"abc")
    '6437b3ac38465133ffb63b75273a8db5'
    """
    from blake3 import blake3

    return blake3(stored).hexdigest(16)
