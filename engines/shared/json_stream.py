"""Reads what a set says in a stream of its own: it is checked against the manifest, which anybody may have written."""

from __future__ import annotations

from typing import Any, Final

from airflow_backup.core.errors import EngineError, VerifyError
from airflow_backup.core.format.plain_json import read_json
from airflow_backup.engines.protocol import SetReader

MOST_BYTES: Final = 64 * 1024 * 1024
"""How large such a stream may be, for all of it is in memory: a set of a thousand tables has about one MiB."""


def readable(data: bytes, stream: str) -> bytes:
    """Return what a dump is about to write as such a stream; EngineError where no restore would read it."""
    if len(data) > MOST_BYTES:
        raise EngineError(f"'{stream}' would be larger than {MOST_BYTES:,} bytes, and not be read")
    return data


def bytes_of(reader: SetReader, stream: str) -> bytes:
    """Return a whole stream; VerifyError where there is none, or more than can be meant."""
    pieces = reader.manifest.pieces_of(stream)
    if not pieces:
        raise VerifyError(f"set '{reader.manifest.set_id}' has no '{stream}'")
    if sum(piece.raw_size for piece in pieces) > MOST_BYTES:
        raise VerifyError(
            f"'{stream}' of set '{reader.manifest.set_id}' is larger than {MOST_BYTES:,} bytes"
        )
    return b"".join(reader.blocks(stream))


def json_of(reader: SetReader, stream: str) -> Any:
    """Return the JSON data of a stream; VerifyError where it is none."""
    try:
        return read_json(bytes_of(reader, stream))
    except ValueError as error:
        raise VerifyError(f"'{stream}' of set '{reader.manifest.set_id}' is no JSON") from error
