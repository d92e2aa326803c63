"""One member of a tar archive, and how its header's fields are read."""

from __future__ import annotations

from dataclasses import dataclass, field
from zlib import adler32

from airflow_backup.core.errors import VerifyError
from airflow_backup.engines.files.tar import writer as tar

MAX_DIGITS = 20


_MAX_SIZE, _MAX_SECONDS, _MAX_ID = 2**63 - 1, 2**62, 2**32 - 2
"""The largest that Linux takes; the last id of all means nobody at all."""


@dataclass(slots=True)
class Member:
    """One member; ``size`` counts the bytes of content that follow in the archive."""

    name: bytes
    kind: bytes
    mode: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    link: bytes
    records: dict[bytes, bytes] = field(default_factory=dict)
    """The pax records, extended attributes among them."""

    @property
    def is_sparse(self) -> bool:
        """Whether the content begins with a map of its data."""
        return b"GNU.sparse.realsize" in self.records

    @property
    def real_size(self) -> int:
        """How long the file is; more than its content when it is sparse."""
        told = self.records.get(b"GNU.sparse.realsize")
        return self.size if told is None else _bounded(told, _MAX_SIZE)

    @property
    def attributes(self) -> dict[bytes, bytes]:
        """The extended attributes."""
        return {
            tar.attribute_name(key): value
            for key, value in self.records.items()
            if key.startswith(tar.ATTRIBUTE)
        }


def sum_of(block: bytes) -> int:
    # See tar_writer: adler32 sums bytes, and 256 of them stay below its modulus.
    whole = (adler32(block[:256]) & 0xFFFF) + (adler32(block[256:]) & 0xFFFF) - 2
    return whole - sum(block[148:156]) + 8 * ord(" ")


def _bounded(text: bytes, most: int) -> int:
    value = decimal(text)
    if value > most:
        raise VerifyError(f"the archive is not readable: {value} is more than any system holds")
    return value


def decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > MAX_DIGITS:
        raise VerifyError("the archive is not readable: a number is expected")
    return int(text)


def _nanoseconds(text: bytes) -> int:
    whole, _, fraction = text.removeprefix(b"-").partition(b".")
    value = _bounded(whole, _MAX_SECONDS) * 1_000_000_000 + decimal(fraction[:9].ljust(9, b"0"))
    return -value if text.startswith(b"-") else value


def completed(member: Member, records: dict[bytes, bytes]) -> Member:
    member.records = records
    member.name = records.get(b"GNU.sparse.name", records.get(b"path", member.name))
    member.link = records.get(b"linkpath", member.link)
    if b"\0" in member.link:
        raise VerifyError("the archive is not readable: a link with a zero in it")
    if b"size" in records:
        member.size = _bounded(records[b"size"], _MAX_SIZE)
    for key in (b"uid", b"gid"):
        if key in records:
            setattr(member, key.decode(), _bounded(records[key], _MAX_ID))
    if b"mtime" in records:
        member.mtime_ns = _nanoseconds(records[b"mtime"])
    return member
