"""
What a set says about itself: repository format version 1.

A set is the folder ``<repository>/<schedule id>/sets/<set id>/``. It exists if and only if its
``manifest.json`` does, which is written last. The manifest is enough to restore the set: no
catalog is needed, and nothing in it is secret.

The stored bytes are canonical JSON (sorted keys, no spaces, UTF-8, one line), and their
SHA-256 is the manifest's hash; each manifest carries the hash of its schedule's previous one,
so a manifest that was changed or replayed later breaks the chain.

A release may add a field that older releases can do without; they ignore it. Whatever an older
release must not ignore raises :data:`FORMAT_VERSION`, and that release then refuses the set.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from airflow_backup.core.clock import bounded
from airflow_backup.core.errors import FormatError, VerifyError
from airflow_backup.core.format.pieces import Count, Hex, Piece
from airflow_backup.core.format.plain_json import read_json
from airflow_backup.core.format.signing import canonical
from airflow_backup.core.ids import SCHEDULE_ID, SET_ID
from airflow_backup.core.text.names import quoted, shown_path
from airflow_backup.core.words import Kind

FORMAT_VERSION: Final = 1

MANIFEST_NAME = "manifest.json"
_LATER = ("source", "locked_until", "definition", "worker", "sequence", "repository", "signature")
"""Fields that came after the first release; they are written only when they say something."""

LAST_SEQUENCE: Final = 9_999_999_999
"""The names of heads have ten digits, so that they sort."""

Utc = Annotated[AwareDatetime, AfterValidator(bounded)]
SetId = Annotated[str, Field(pattern=f"^{SET_ID.pattern}$")]
Line = Annotated[str, Field(max_length=250, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""Text that every catalog can store, and that is one line of a log."""


class _ManifestModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Totals(_ManifestModel):
    """What was read and what was stored."""

    files: Count = 0
    """Files, folders and links for a file tree; databases for a database."""

    bytes_read: Count = 0
    """Bytes read from the source."""

    bytes_stored: Count = 0
    """Bytes of all pieces."""


class Previous(_ManifestModel):
    """The schedule's manifest before this one."""

    set_id: SetId
    hash: Hex


class ReadBy(_ManifestModel):
    """The machine that read the source; queue and executor by which Airflow sent the run there."""

    host: Line
    queue: Line | None = None
    executor: Line | None = None


class Signature(_ManifestModel):
    """A signature of all of a manifest but itself."""

    algorithm: Literal["ed25519"]
    key: Hex
    """Which key: the first 16 hex digits of its SHA-256."""

    value: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]


class Manifest(_ManifestModel):
    """Everything needed to restore a set."""

    format_version: Literal[1] = FORMAT_VERSION
    set_id: SetId
    schedule_id: Annotated[str, Field(pattern=f"^{SCHEDULE_ID.pattern}$")]
    run_id: Line
    """The run that made it; a retry of that run adopts the set."""

    attempt: Annotated[int, Field(ge=1, le=2**31 - 1)] = 1
    engine: Annotated[Line, Field(max_length=63)]
    engine_version: Line
    """The version of the engine's own layout inside its streams."""

    tools: dict[str, str] = {}
    """Programs and libraries that took part, and their versions."""

    kind: Kind
    parent: SetId | None = None
    """The set that this one is a change of; None for a full set."""

    base: SetId | None = None
    """The full set under the chain; None for a full set."""

    source: Hex | None = None
    """A digest of the source's options: an incremental of other options would mean nothing."""

    run_at: Utc
    """The moment the run was due."""

    started_at: Utc
    consistent_at: Utc
    """The moment of the source that the set restores."""

    finished_at: Utc
    checksum_algorithm: Literal["sha256", "sha512", "sha1", "md5", "blake3"]
    compression: Literal["zstd", "none"] = "zstd"
    encryption: dict[str, str] | None = None
    """Format and key ids, never a key; None when the pieces are not encrypted."""

    pieces: tuple[Piece, ...]
    totals: Totals
    counts: dict[str, Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]] = {}
    """What the source held at `consistent_at`, where the engine can know it: rows by table."""

    warnings: tuple[str, ...] = ()
    state: dict[str, Any] = {}
    """What the engine needs to take the next incremental; plain JSON data."""

    previous: Previous | None = None
    locked_until: Utc | None = None
    """Nobody removes the set before this moment, whatever retention says."""

    definition: Hex | None = None
    """A digest of the schedule as it was when the set was taken."""

    worker: ReadBy | None = None
    """Who read the source: the same path on another host is another source."""

    sequence: Annotated[int, Field(ge=1, le=LAST_SEQUENCE)] | None = None
    """Of a signed set: which of the schedule's signed sets it is, counted from 1."""

    repository: Hex | None = None
    """Of a signed set: the id of the repository that it was written for."""

    signature: Signature | None = None
    """Who wrote it, proven; None when it is not signed."""

    @model_validator(mode="after")
    def _a_chain_begins_with_a_full_set(self) -> Manifest:
        if (self.kind is Kind.FULL) != (self.parent is None):
            raise ValueError("a full set has no parent, and every other set has one")
        if (self.parent is None) != (self.base is None):
            raise ValueError("`parent` and `base` go together")
        return self

    @model_validator(mode="after")
    def _pieces_are_named_once(self) -> Manifest:
        names = [piece.name for piece in self.pieces]
        if len(set(names)) != len(names) or MANIFEST_NAME in names:
            raise ValueError("two pieces have one name")
        return self

    def to_bytes(self) -> bytes:
        """Return the canonical JSON that is stored, ending in a newline."""
        return canonical(self.to_plain())

    def to_plain(self) -> dict[str, Any]:
        """Return the plain JSON data that is stored."""
        plain = self.model_dump(mode="json")
        for key in _LATER:  # so that what an earlier release wrote is written the same again
            if plain[key] is None:
                del plain[key]
        for piece in plain["pieces"]:
            if piece["plain_size"] is None:
                del piece["plain_size"]
        return plain

    def pieces_of(self, stream: str) -> tuple[Piece, ...]:
        """Return the pieces of a stream in order; empty when there is no such stream."""
        found = (piece for piece in self.pieces if piece.stream == stream)
        return tuple(sorted(found, key=lambda piece: piece.raw_offset))

    def version_of(self, *tools: str) -> tuple[int, ...]:
        """
        Return the version of the first of these programs that took part; VerifyError where none is written.

        >>> Manifest.model_construct(tools={"pg_dump": "15.2 (Debian)"}).version_of("pg_basebackup", "pg_dump")
        (15, 2)
        """
        for tool in tools:
            if found := re.match(r"\d{1,4}(\.\d{1,6})*", self.tools.get(tool, "")):
                return tuple(map(int, found[0].split(".")))
        raise VerifyError(
            f"the manifest of set '{self.set_id}' does not say which version of {tools[0]} wrote it",
            hint="was it edited by hand?",
        )

    @property
    def streams(self) -> tuple[str, ...]:
        """The names of the streams, in order of first appearance."""
        return tuple(dict.fromkeys(piece.stream for piece in self.pieces))


def digest_of_options(options: BaseModel) -> str:
    """Return what `Manifest.source` says of a source's options; defaults do not count."""
    plain = options.model_dump(mode="json", exclude_defaults=True)
    return hash_of(json.dumps(plain, sort_keys=True).encode())


def hash_of(data: bytes) -> str:
    """
    Return the hash of a manifest: the SHA-256 of its stored bytes.

    >>> hash_of(b"{}")[:8]
    '44136fa3'
    """
    return hashlib.sha256(data).hexdigest()


def set_prefix(schedule_id: str, set_id: str) -> str:
    """
    Return the folder of a set inside the repository, ending in a slash.

    >>> set_prefix("wiki", "20260504T020000Z-2a642dede1")
    'wiki/sets/20260504T020000Z-2a642dede1/'
    """
    return f"{schedule_id}/sets/{set_id}/"


def manifest_name(schedule_id: str, set_id: str) -> str:
    """Return the name of a set's manifest inside the repository."""
    return set_prefix(schedule_id, set_id) + MANIFEST_NAME


MOST_BYTES = 2**29
"""
How large a manifest may be: that of about 12 TiB in one set. Whoever writes to a repository chooses how much is read.
"""


def check_size(data: bytes, *, name: str) -> bytes:
    """Return the bytes of a manifest, of which one more than the most was asked for; VerifyError for too many."""
    if len(data) > MOST_BYTES:
        raise VerifyError(f"'{name}' is larger than {MOST_BYTES:,} bytes, and so no manifest")
    return data


def read_manifest(data: bytes, *, name: str) -> Manifest:
    """
    Read stored bytes; ``name`` is where they came from.

    FormatError: a newer release wrote it. VerifyError: it is not a manifest, or was damaged.

    >>> read_manifest(b'{"format_version": 7}', name="wiki/sets/x/manifest.json")
    Traceback (most recent call last):
    airflow_backup.core.errors.FormatError: 'wiki/sets/x/manifest.json' has format version 7, and this release reads 1
    HINT: which release wrote it? install that one or a newer one
    """
    try:
        plain = read_json(data)
    except ValueError as error:
        raise VerifyError(f"'{name}' is not JSON", hint="was it cut or overwritten?") from error
    version = plain.get("format_version") if isinstance(plain, dict) else None
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise FormatError(
            f"'{name}' has format version {quoted(version)}, and this release reads {FORMAT_VERSION}",
            hint="which release wrote it? install that one or a newer one",
        )
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = shown_path(first["loc"]) or "the manifest"
        raise VerifyError(
            f"'{name}' is not a manifest: {where}: {first['msg']}",
            hint="was it edited by hand?",
        ) from error
