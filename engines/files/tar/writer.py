"""
Tar headers, fast: POSIX.1-2001 (pax) members that GNU tar, bsdtar and Python read.

A header is a ustar block; what does not fit (nanoseconds, long names, large numbers, extended
attributes) goes into a pax block before it. Python's own ``tarfile`` builds one in about 60 µs,
which is most of the time that a small file takes; this takes two, by putting together parts that
most members share.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from functools import lru_cache
from zlib import adler32

from airflow_backup.core.errors import EngineError
from airflow_backup.core.text.names import shown

BLOCK = 512
END = bytes(2 * BLOCK)
_MAX_SIZE = 0o77777777777
_MAX_ID = 0o7777777
_MAX_SECONDS = 0o77777777777

REGULAR, HARD_LINK, SYMLINK, FOLDER, FIFO = b"0", b"1", b"2", b"5", b"6"
CHARACTER_DEVICE, BLOCK_DEVICE = b"3", b"4"

ATTRIBUTE = b"SCHILY.xattr."

Names = Callable[[int], bytes]


class TarHeaders:
    """Builds the headers of members; ``owner`` and ``group`` give the names of ids."""

    def __init__(self, *, owner: Names, group: Names) -> None:
        # A tree has few pairs of mode and owner: all that depends on them is built once.
        self._shared = lru_cache(maxsize=4096)(self._share)
        self._owner, self._group = owner, group

    def member(
        self,
        name: bytes,
        found: os.stat_result,
        *,
        kind: bytes,
        size: int = 0,
        link: bytes = b"",
        extended: Mapping[bytes, bytes] | None = None,
    ) -> bytes:
        """
        Return the header blocks of a member, a multiple of 512 bytes.

        ``name`` is relative and has no trailing slash, ``size`` the bytes of content that
        follow, ``extended`` further pax records. EngineError when a field does not fit its
        place: a header of another length would make the rest of the archive unreadable.
        """
        seconds, nanoseconds = divmod(found.st_mtime_ns, 1_000_000_000)
        if kind == FOLDER:
            name += b"/"
        plain = (
            extended is None
            and len(name) <= 100
            and len(link) <= 100
            and size <= _MAX_SIZE
            and 1_000_000_000 <= seconds <= _MAX_SECONDS  # ten digits, as PAX_30 has room for
            and found.st_uid <= _MAX_ID
            and found.st_gid <= _MAX_ID
        )
        if not plain:
            records = _records(name, found, link=link, size=size)
            ustar = self._ustar(
                name[-100:] if len(name) > 100 else name,
                found,
                kind,
                min(size, _MAX_SIZE),
                min(max(seconds, 0), _MAX_SECONDS),
                link[:100],
            )
            return _whole(b"".join((_pax({**records, **(extended or {})}), *ustar)), name)
        ustar = self._ustar(name, found, kind, size, seconds, link)
        if not nanoseconds:
            return _whole(b"".join(ustar), name)
        mtime = b"30 mtime=%d.%09d\n" % (seconds, nanoseconds)
        return _whole(b"".join((PAX_30, mtime, _ZEROS_482, *ustar)), name)

    def _ustar(
        self, name: bytes, found: os.stat_result, kind: bytes, size: int, seconds: int, link: bytes
    ) -> tuple[bytes, ...]:
        device = found.st_rdev if kind in (CHARACTER_DEVICE, BLOCK_DEVICE) else None
        who, tail, shared_sum = self._shared(
            found.st_mode, found.st_uid, found.st_gid, kind, link, device
        )
        numbers = b"%011o\0%011o\0" % (size, seconds)
        # The checksum of a header is the sum of its bytes. The low half of adler32 is that sum
        # plus one, modulo 65521; no part here can reach it, so it costs nothing.
        checksum = shared_sum + (adler32(name) & 0xFFFF) + (adler32(numbers) & 0xFFFF) - 2
        return name, _ZEROS[len(name)], who, numbers, b"%06o\0 " % checksum, tail

    def _share(
        self, mode: int, uid: int, gid: int, kind: bytes, link: bytes, device: int | None
    ) -> tuple[bytes, bytes, int]:
        who = b"%07o\0%07o\0%07o\0" % (stat.S_IMODE(mode), min(uid, _MAX_ID), min(gid, _MAX_ID))
        major, minor = (0, 0) if device is None else (os.major(device), os.minor(device))
        tail = b"".join(
            (
                kind,
                link.ljust(100, b"\0"),
                b"ustar\x0000",
                self._owner(uid)[:31].ljust(32, b"\0"),
                self._group(gid)[:31].ljust(32, b"\0"),
                b"%07o\0%07o\0" % (major, minor),
                bytes(155 + 12),
            )
        )
        return who, tail, sum(who) + sum(tail) + 8 * ord(" ")


def _whole(header: bytes, name: bytes) -> bytes:
    if len(header) % BLOCK:
        raise EngineError(
            f"'{shown(name)}' has a number that no tar header holds",
            hint="what does stat say of it?",
        )
    return header


def padding(size: int) -> bytes:
    """Return the zeros that fill the last block of ``size`` bytes of content."""
    return _ZEROS_512[: -size % BLOCK]


def record(key: bytes, value: bytes) -> bytes:
    r"""
    Return a pax record, whose length counts itself.

    >>> record(b"path", b"x" * 3)
    b'12 path=xxx\n'
    """
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    if len(str(length)) > len(str(rest)):
        length += 1
    return b"%d %b=%b\n" % (length, key, value)


def attribute_key(name: bytes) -> bytes:
    r"""
    Return the pax key of an extended attribute, as GNU tar writes it: a key cannot hold ``=``.

    >>> attribute_key(b"user.a=b%")
    b'SCHILY.xattr.user.a%3Db%25'
    """
    return ATTRIBUTE + name.replace(b"%", b"%25").replace(b"=", b"%3D")


def attribute_name(key: bytes) -> bytes:
    """
    Return the name of the extended attribute that a pax key stands for.

    >>> attribute_name(attribute_key(b"user.a=b%3D"))
    b'user.a=b%3D'
    """
    return key[len(ATTRIBUTE) :].replace(b"%3D", b"=").replace(b"%25", b"%")


def _records(name: bytes, found: os.stat_result, *, link: bytes, size: int) -> dict[bytes, bytes]:
    seconds, nanoseconds = divmod(found.st_mtime_ns, 1_000_000_000)
    records: dict[bytes, bytes] = {}
    if not (_is_utf8(name) and _is_utf8(link)) and max(len(name), len(link)) > 100:
        records[b"hdrcharset"] = b"BINARY"
    if len(name) > 100:
        records[b"path"] = name
    if len(link) > 100:
        records[b"linkpath"] = link
    if size > _MAX_SIZE:
        records[b"size"] = b"%d" % size
    if found.st_uid > _MAX_ID:
        records[b"uid"] = b"%d" % found.st_uid
    if found.st_gid > _MAX_ID:
        records[b"gid"] = b"%d" % found.st_gid
    if nanoseconds or not 0 <= seconds <= _MAX_SECONDS:
        records[b"mtime"] = decimal(found.st_mtime_ns)
    return records


def decimal(nanoseconds: int) -> bytes:
    sign = b"-" if nanoseconds < 0 else b""
    return b"%b%d.%09d" % (sign, *divmod(abs(nanoseconds), 1_000_000_000))


def _pax(records: Mapping[bytes, bytes]) -> bytes:
    body = b"".join(record(key, value) for key, value in records.items())
    return b"".join((_pax_header(len(body)), body, padding(len(body)))) if body else b""


def _pax_header(size: int) -> bytes:
    fields = (
        b"././@PaxHeader".ljust(100, b"\0"),
        b"0000000\x000000000\x000000000\0",
        b"%011o\x0000000000000\0" % size,
        b" " * 8,
        b"x",
        bytes(100),
        b"ustar\x0000",
        bytes(32 + 32),
        b"0000000\x000000000\0",
        bytes(155 + 12),
    )
    block = b"".join(fields)
    return b"%b%06o\0 %b" % (block[:148], sum(block), block[156:])


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


_ZEROS_512 = bytes(BLOCK)
_ZEROS_482 = bytes(482)
_ZEROS = tuple(bytes(100 - length) for length in range(101))
PAX_30 = _pax_header(30)
