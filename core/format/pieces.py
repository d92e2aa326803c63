"""The pieces of a set, and the frames in them, as a manifest lists them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)

from airflow_backup.core.format.checksums import FRAME_ALGORITHM, FRAME_DIGITS

MAX_FRAME_SIZE: Final = 16 * 1024 * 1024
"""The most raw bytes that one frame may hold: readers take memory for as much as a manifest says."""


Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
"""Bytes, or things that are counted, as every catalog can store them."""


Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{1,128}$")]


PieceName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,199}$")]


class _PieceModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Frame(_PieceModel):
    """Where one frame lies: in the stored piece, and in the stream that the pieces make."""

    offset: Count
    size: Count
    raw_offset: Count
    raw_size: Count
    checksum: str


class Frames(_PieceModel):
    """The frames of a piece, in columns, because a large set has a million of them."""

    algorithm: Literal["blake3-128"] = FRAME_ALGORITHM
    """What `checksums` are: the first 128 bits of the BLAKE3 of the frame, keyed when encrypted."""

    raw_size: Annotated[int, Field(gt=0, le=MAX_FRAME_SIZE)]
    """Raw bytes in every frame but the last one of the stream."""

    sizes: tuple[Annotated[int, Field(gt=0, le=2 * MAX_FRAME_SIZE)], ...]
    """Stored bytes of each frame, in order; offsets are their running sum."""

    checksums: Annotated[str, Field(pattern=r"^[0-9a-f]*$")]
    """The checksums of all frames, 32 hex digits each, one after the other."""

    @model_validator(mode="after")
    def _columns_have_one_length(self) -> Frames:
        if len(self.checksums) != FRAME_DIGITS * len(self.sizes):
            raise ValueError("`checksums` must have 32 digits for each of `sizes`")
        return self


class Piece(_PieceModel):
    """One write-once object of a set."""

    name: PieceName
    """The object's name inside the set."""

    stream: PieceName
    """The stream it is a part of; the parts of a stream, in order of `name`, are the stream."""

    size: Count
    """Stored bytes."""

    raw_offset: Count
    """Where in the raw stream this piece begins."""

    raw_size: Count
    """Raw bytes: what `zstd -d` gives for it."""

    checksum: Hex
    """Of the stored bytes, by the manifest's `checksum_algorithm`."""

    plain_size: Count | None = None
    """Bytes of the frames before they were encrypted; None when the piece is not."""

    frames: Frames | None = None
    """None for a piece that is not made of frames."""

    def each_frame(self) -> Iterator[Frame]:
        """Yield the frames in order."""
        return self.frames_from(self.raw_offset)

    def frames_from(self, raw_offset: int) -> Iterator[Frame]:
        """Yield the frames in order, from the one on that has the raw byte at ``raw_offset``."""
        if self.frames is None:
            return
        end = self.raw_offset + self.raw_size
        first = max(raw_offset - self.raw_offset, 0) // self.frames.raw_size
        offset = sum(self.frames.sizes[:first])
        raw_offset = self.raw_offset + first * self.frames.raw_size
        for index in range(first, len(self.frames.sizes)):
            size = self.frames.sizes[index]
            raw_size = min(self.frames.raw_size, end - raw_offset)
            at = index * FRAME_DIGITS
            yield Frame.model_construct(
                offset=offset,
                size=size,
                raw_offset=raw_offset,
                raw_size=raw_size,
                checksum=self.frames.checksums[at : at + FRAME_DIGITS],
            )
            offset += size
            raw_offset += raw_size

    @model_validator(mode="after")
    def _frames_fill_the_piece(self) -> Piece:
        if self.frames is None:
            return self
        if sum(self.frames.sizes) != (self.size if self.plain_size is None else self.plain_size):
            raise ValueError(f"the frames of '{self.name}' do not add up to its size")
        needed = max(1, -(-self.raw_size // self.frames.raw_size))  # an empty stream has one frame
        if len(self.frames.sizes) != needed:
            raise ValueError(f"'{self.name}' has not as many frames as its raw size needs")
        return self
