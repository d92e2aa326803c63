"""Frames in, pieces out: names, splits and hashes the stored objects of one stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from airflow_backup.actions.backup.limits.rate_limit import RateLimit
from airflow_backup.core.errors import VerifyError
from airflow_backup.core.format.age import Recipient, Sealer
from airflow_backup.core.format.checksums import Hasher, hasher
from airflow_backup.core.format.codec import FRAME_SIZE
from airflow_backup.core.format.pieces import Frames, Piece
from airflow_backup.storage.protocol import Storage, Writer


class PieceWriter:
    """Stores the frames of one stream; used by one thread at a time."""

    def __init__(
        self,
        storage: Storage,
        prefix: str,
        *,
        stream: str,
        token: str,
        algorithm: str,
        piece_size: int,
        suffix: str = ".zst",
        recipients: Sequence[Recipient] = (),
        upload: RateLimit | None = None,
        before_each: Callable[[], None] = lambda: None,
    ) -> None:
        self.done: list[Piece] = []
        self._storage, self.prefix = storage, prefix
        self._stream, self._token = stream, token
        self._algorithm, self._piece_size = algorithm, piece_size
        self._suffix, self._recipients, self._upload = suffix, recipients, upload
        self._before_each = before_each
        self._open: _OpenPiece | None = None
        self._raw_offset = 0

    def add(self, frame: bytes, raw_size: int, checksum: str) -> None:
        """Store the next frame, in the open piece or in a new one."""
        if self._open is not None and self._open.plain_size + len(frame) > self._piece_size:
            self.finish()
        if self._open is None:
            self._open = self._begin()
        self._open.add(frame, raw_size, checksum)

    def finish(self) -> None:
        """Make the open piece durable."""
        if self._open is None:
            return
        piece, self._open = self._open.finish(self._stream, self._raw_offset), None
        self._raw_offset += piece.raw_size
        self.done.append(piece)

    def abort(self) -> None:
        """Leave nothing of the open piece."""
        if self._open is not None:
            self._open.writer.abort()
            self._open = None

    def _begin(self) -> _OpenPiece:
        name = f"{self._stream}.{len(self.done):06d}.{self._token}{self._suffix}"
        sealer = Sealer(self._recipients) if self._recipients else None
        self._before_each()
        writer = self._storage.create(self.prefix + name)
        return _OpenPiece(name, writer, hasher(self._algorithm), sealer, self._upload)


class _OpenPiece:
    def __init__(
        self,
        name: str,
        writer: Writer,
        digest: Hasher,
        sealer: Sealer | None,
        upload: RateLimit | None,
    ) -> None:
        self._upload = upload
        self.name, self.writer, self._digest, self._sealer = name, writer, digest, sealer
        self.size = self.plain_size = 0
        self._raw_size = 0
        self._sizes: list[int] = []
        self._checksums: list[str] = []

    def add(self, frame: bytes, raw_size: int, checksum: str) -> None:
        if self._sealer is None:
            self._store(frame)
        else:  # a plain checksum would tell those who guess right what is inside
            checksum = self._sealer.fingerprint(frame)
            self._store(self._sealer.update(frame))
        self.plain_size += len(frame)
        self._raw_size += raw_size
        self._sizes.append(len(frame))
        self._checksums.append(checksum)

    def _store(self, data: bytes) -> None:
        if self._upload is not None:
            self._upload.take(len(data))
        self.writer.write(data)
        self._digest.update(data)
        self.size += len(data)

    def finish(self, stream: str, raw_offset: int) -> Piece:
        if self._sealer is not None:
            self._store(self._sealer.finish())
        stored = self.writer.commit()
        if stored.size != self.size:
            raise VerifyError(
                f"'{stored.name}' has {stored.size} bytes, and {self.size} were written",
                hint="does the storage lose writes?",
            )
        return Piece(
            name=self.name,
            stream=stream,
            size=self.size,
            raw_offset=raw_offset,
            raw_size=self._raw_size,
            checksum=self._digest.hexdigest(),
            plain_size=None if self._sealer is None else self.plain_size,
            frames=Frames(
                raw_size=FRAME_SIZE,
                sizes=tuple(self._sizes),
                checksums="".join(self._checksums),
            ),
        )
