"""
Independent zstd frames: the only place that knows which zstd library this Python has.

A stream is cut into frames of :data:`FRAME_SIZE` raw bytes, each compressed for itself, with
its length and zstd's own content checksum inside. Frames laid end to end are a valid zstd
file (RFC 8878, section 3), so ``zstd -d`` reads what we write, and one damaged frame costs no
more than itself.
"""

from __future__ import annotations

import sys
import threading

from airflow_backup.core.errors import ConfigError, VerifyError
from airflow_backup.core.format.checksums import Bytes

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FRAME_SIZE = 1024 * 1024
DEFAULT_LEVEL = 3
LEVELS = range(1, 20)


class FrameCopier:
    """Leaves frames as they are, for a source that is compressed already."""

    def compress(self, raw: Bytes) -> bytes:
        """Return the bytes of a frame that is already compressed as they are."""
        return bytes(raw)


class FrameCompressor:
    """Compresses frames; safe to share between threads, each keeps a context of its own."""

    def __init__(self, level: int = DEFAULT_LEVEL) -> None:
        if level not in LEVELS:
            raise ConfigError(
                f"no zstd level {level}", hint=f"use a level from 1 to {LEVELS.stop - 1}"
            )
        self.level = level
        self._own = threading.local()

    def compress(self, raw: Bytes) -> bytes:
        """
        Compress ``raw`` into one whole frame.

        >>> frame = FrameCompressor().compress(b"x" * 100)
        >>> decompress(frame, raw_size=100) == b"x" * 100
        True
        """
        context = self._context()
        context.set_pledged_input_size(memoryview(raw).nbytes)
        return context.compress(raw, zstd.ZstdCompressor.FLUSH_FRAME)

    def _context(self) -> zstd.ZstdCompressor:
        found: zstd.ZstdCompressor | None = getattr(self._own, "context", None)
        if found is None:
            parameter = zstd.CompressionParameter
            found = self._own.context = zstd.ZstdCompressor(
                options={parameter.compression_level: self.level, parameter.checksum_flag: 1}
            )
        return found


_BOUNDED: dict[int, int] = {zstd.DecompressionParameter.window_log_max: 24}
"""A window of 16 MiB, which is as much as a frame may hold (`core.manifest.MAX_FRAME_SIZE`)."""


def decompress(frame: Bytes, *, raw_size: int) -> bytes:
    """
    Decompress one frame that must hold exactly ``raw_size`` bytes; raise VerifyError otherwise.

    Output and window are bounded before anything is decoded, so a hostile frame cannot fill memory.

    >>> decompress(b"not zstd", raw_size=3)
    Traceback (most recent call last):
    airflow_backup.core.errors.VerifyError: a frame is not zstd data
    """
    try:
        decoder = zstd.ZstdDecompressor(options=_BOUNDED)
        raw = decoder.decompress(frame, max_length=raw_size + 1)
    except zstd.ZstdError as error:
        raise VerifyError("a frame is not zstd data") from error
    if len(raw) != raw_size or not decoder.eof or decoder.unused_data:
        raise VerifyError(f"a frame does not hold the {raw_size} bytes that the manifest states")
    return raw
