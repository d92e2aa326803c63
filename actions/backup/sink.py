"""
From an engine's streams to the pieces of a set.

A stream is cut into frames of 1 MiB; two threads compress and fingerprint them; one thread for
each stream hashes and stores them in order. A piece ends before it would grow past
``piece_size`` stored bytes, so ``cat <stream>.*.zst | zstd -d`` gives the stream back. At most
``_AHEAD`` frames wait anywhere, so the engine waits when the storage is slower than the source.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Protocol, Self

from airflow_backup.actions.backup.limits.throttle import RunningThrottle
from airflow_backup.actions.backup.piece_writer import PieceWriter
from airflow_backup.actions.sets.encryption import Seal
from airflow_backup.core.errors import (
    BackupError,
    EngineError,
    StorageError,
    StorageThrottled,
    StorageUnavailable,
)
from airflow_backup.core.format.checksums import Bytes, frame_checksum
from airflow_backup.core.format.codec import DEFAULT_LEVEL, FRAME_SIZE, FrameCompressor, FrameCopier
from airflow_backup.core.format.pieces import Piece
from airflow_backup.storage.protocol import Storage

logger = logging.getLogger(__name__)

PIECE_SIZE = 256 * 1024 * 1024
THREADS = 2
_AHEAD = 8

_Frame = tuple[bytes, int, str]


class Compressor(Protocol):
    """Makes a frame of raw bytes; shared by threads."""

    def compress(self, raw: Bytes) -> bytes:
        """Return the frame."""
        ...


class PieceSink:
    """
    Takes the streams of one set and stores them as pieces below ``prefix``.

    ``token`` goes into every piece's name. It is new for every attempt, so an attempt that was
    given up for dead and still writes can never mix its pieces with those of its successor.
    """

    def __init__(
        self,
        storage: Storage,
        prefix: str,
        *,
        token: str,
        algorithm: str,
        level: int | None = DEFAULT_LEVEL,
        piece_size: int = PIECE_SIZE,
        encryption: Seal | None = None,
        throttle: RunningThrottle | None = None,
        before_each: Callable[[], None] = lambda: None,
    ) -> None:
        self._storage, self._prefix, self._token = storage, prefix, token
        self._algorithm, self._piece_size = algorithm, piece_size
        self._compressor: Compressor = FrameCopier() if level is None else FrameCompressor(level)
        self._suffix = "" if level is None else ".zst"
        self._before_each = before_each
        self._encryption, self._throttle = encryption, throttle or RunningThrottle()
        self._workers = ThreadPoolExecutor(THREADS, thread_name_prefix="compress")
        self._streams: dict[str, PieceStream] = {}

    def stream(self, name: str, *, is_index: bool = False) -> PieceStream:
        """Begin a stream; the next incremental's worker will read an index, with public keys only."""
        if name in self._streams:
            raise EngineError(f"the stream '{name}' was already written")
        pieces = PieceWriter(
            self._storage,
            self._prefix,
            stream=name,
            token=self._token,
            algorithm=self._algorithm,
            piece_size=self._piece_size,
            suffix=self._suffix if self._encryption is None else f"{self._suffix}.age",
            recipients=() if self._encryption is None else self._encryption.of(is_index=is_index),
            upload=self._throttle.upload,
            before_each=self._before_each,
        )
        begun = PieceStream(pieces, self._workers, self._compressor, self._throttle)
        self._streams[name] = begun
        return begun

    def finish(self) -> tuple[Piece, ...]:
        """Return the pieces of all streams, stored and durable."""
        self._workers.shutdown()
        unfinished = [name for name, stream in self._streams.items() if not stream.is_complete]
        if unfinished:
            raise EngineError(f"the stream '{unfinished[0]}' was not finished")
        return tuple(piece for each in self._streams.values() for piece in each.pieces.done)

    def abort(self) -> None:
        """Remove every piece; what cannot be removed is left for the retry and for ``sync``."""
        self._throttle.end()
        for stream in self._streams.values():
            stream.abort()
        self._workers.shutdown(cancel_futures=True)
        for stream in self._streams.values():
            for piece in stream.pieces.done:
                try:
                    self._storage.delete(self._prefix + piece.name)
                except (StorageUnavailable, StorageThrottled) as error:
                    # It was asked for minutes; to ask for every piece would take hours.
                    logger.warning("pieces of a failed attempt stay behind: %s", error.message)
                    return
                except BackupError as error:
                    logger.warning("a piece of a failed attempt stays behind: %s", error.message)


class PieceStream:
    """One stream of a :class:`PieceSink`; not to be shared between threads."""

    def __init__(
        self,
        pieces: PieceWriter,
        workers: ThreadPoolExecutor,
        compressor: Compressor,
        throttle: RunningThrottle,
    ) -> None:
        self.pieces, self._throttle = pieces, throttle
        self.is_complete = False
        self._workers, self._compressor = workers, compressor
        self._parts: list[Bytes] = []
        self._size = 0
        self._cut_at = 0
        self._error: BaseException | None = None
        self._ahead: queue.Queue[Future[_Frame] | None] = queue.Queue(_AHEAD)
        self._keeper = threading.Thread(target=self._keep, name="store", daemon=True)
        self._keeper.start()

    @property
    def position(self) -> int:
        """Bytes written so far, before compression and encryption."""
        return self._cut_at + self._size

    @property
    def room(self) -> int:
        """Bytes until the frame is full."""
        return FRAME_SIZE - self._size

    def write(self, data: Bytes, /) -> None:
        """Add bytes."""
        self._parts.append(data)
        self._size += len(data)
        if self._size >= FRAME_SIZE:
            self._cut()

    def finish(self) -> None:
        """Store what is left and wait until the pieces are durable."""
        if self._size or not self._cut_at:
            self._submit(b"".join(self._parts))
        self._stop()
        if self._error is not None:
            raise self._error
        self.is_complete = True

    def abort(self) -> None:
        """End the threads and leave no unfinished piece."""
        self._throttle.end()
        if self._error is None:
            self._error = EngineError("the stream was given up")
        self._stop()
        self.pieces.abort()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.finish()
        else:
            self.abort()

    def _cut(self) -> None:
        whole = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        view = memoryview(whole)
        end = len(view) - len(view) % FRAME_SIZE
        for begin in range(0, end, FRAME_SIZE):
            self._submit(view[begin : begin + FRAME_SIZE])
        self._parts = [bytes(view[end:])] if end < len(view) else []
        self._size = len(view) - end

    def _submit(self, raw: Bytes) -> None:
        if self._error is not None:
            raise self._error
        self._throttle.before_reading(len(raw))
        self._cut_at += len(raw)
        self._throttle.put(self._ahead, self._workers.submit(_encode, self._compressor, raw))

    def _stop(self) -> None:
        if self._keeper.is_alive():
            self._throttle.put(self._ahead, None)
        self._throttle.join(self._keeper)

    def _keep(self) -> None:
        # Whatever happens here is raised by the next write, in the engine's own thread. The
        # queue is emptied to the end, because the engine may be waiting for room in it.
        while (waiting := self._ahead.get()) is not None:
            if self._error is None:
                self._add(waiting)
        if self._error is None:
            self._add(None)

    def _add(self, waiting: Future[_Frame] | None) -> None:
        try:
            if waiting is None:
                self.pieces.finish()
            else:
                self.pieces.add(*waiting.result())
        except OSError as error:  # an engine would take it for an error of what it reads
            why = (error.strerror or str(error)).lower()
            self._error = StorageError(f"cannot write '{self.pieces.prefix}': {why}")
            self._error.__cause__ = error
        except BaseException as error:  # noqa: BLE001 -- carried to the engine's thread
            self._error = error


def _encode(compressor: Compressor, raw: Bytes) -> _Frame:
    stored = compressor.compress(raw)
    return stored, len(raw), frame_checksum(stored)
