"""A stored set that remembers which of its frames were proven, and where it was damaged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from airflow_backup.actions.sets.damage import Damage, Findings
from airflow_backup.actions.sets.stored_set import StoredSet
from airflow_backup.core.errors import DamagedBlock, NotFound, VerifyError
from airflow_backup.core.format.age import Identity
from airflow_backup.core.format.manifest import Manifest, set_prefix
from airflow_backup.core.format.pieces import Frame, Piece
from airflow_backup.core.words import DamageKind
from airflow_backup.storage.protocol import Storage

_OTHER = "other bytes than were written"


class CheckedSet(StoredSet):
    """
    Gives the streams of a set like any other, and keeps the books.

    A frame that does not fit is read a second time before it is called damaged: a false alarm is
    worse than a second look.
    """

    def __init__(
        self,
        storage: Storage,
        manifest: Manifest,
        *,
        manifest_hash: str = "",
        keys: Sequence[Identity] = (),
        findings: Findings,
    ) -> None:
        super().__init__(storage, manifest, manifest_hash=manifest_hash, keys=keys)
        self.storage = storage
        self.prefix = set_prefix(manifest.schedule_id, manifest.set_id)
        self.findings = findings
        self.has_keys = manifest.encryption is None or bool(keys)
        self._proven = {
            piece.name: bytearray(len(piece.frames.sizes))
            for piece in manifest.pieces
            if piece.frames is not None
        }

    def is_proven(self, piece: Piece, frame: Frame) -> bool:
        """Whether the frame was read, and its bytes were those that were written."""
        return bool(self._proven[piece.name][_index(piece, frame)])

    def is_all_proven(self, piece: Piece) -> bool:
        """Whether every frame of the piece was read, and there is nothing else in it."""
        proven = self._proven.get(piece.name)
        return proven is not None and piece.plain_size is None and 0 not in proven

    def prove(self, piece: Piece, frame: Frame) -> None:
        """Read and decode one frame; note it when it is damaged."""
        try:
            self._fetch(piece, frame)
        except NotFound:
            self.note_missing(piece)
        except VerifyError:
            return  # it is in the findings

    def all_frames(self, *, unproven: bool = False) -> Iterator[tuple[Piece, Frame]]:
        """Yield every frame, or those that nobody has proven."""
        for piece in self.manifest.pieces:
            for frame in piece.each_frame():
                if not unproven or not self.is_proven(piece, frame):
                    yield piece, frame

    def note_missing(self, piece: Piece) -> None:
        """Note that a piece is not there."""
        what = "the piece is not there"
        damage = self.damage(piece, 0, piece.size, what)
        self.findings.add(replace(damage, kind=DamageKind.MISSING))

    def damage(self, piece: Piece, offset: int, length: int, what: str) -> Damage:
        """Describe a damaged block of one piece."""
        return Damage(
            kind=DamageKind.CORRUPT,
            set_id=self.manifest.set_id,
            file=self.prefix + piece.name,
            piece=piece.name,
            offset=offset,
            length=length,
            what=what,
        )

    def _fetch(self, piece: Piece, frame: Frame) -> bytes:
        try:
            raw = super()._fetch(piece, frame)
        except VerifyError:
            try:
                raw = super()._fetch(piece, frame)
            except VerifyError as error:
                offset, length = self._place(piece, frame)
                what = _OTHER if isinstance(error, DamagedBlock) else error.message
                self.findings.add(self.damage(piece, offset, length, what))
                raise
            self.findings.notes.append(
                f"'{self.prefix}{piece.name}' gave other bytes at {frame.offset} when it was read again"
            )
        self._proven[piece.name][_index(piece, frame)] = 1
        self.findings.count(frame.size)
        return raw

    def _place(self, piece: Piece, frame: Frame) -> tuple[int, int]:
        if piece.plain_size is None:
            return frame.offset, frame.size
        try:
            return self._opener(piece).span(frame.offset, frame.size)
        except VerifyError:
            return 0, piece.size


def _index(piece: Piece, frame: Frame) -> int:
    assert piece.frames is not None
    return (frame.raw_offset - piece.raw_offset) // piece.frames.raw_size
