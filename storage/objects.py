"""
A repository in a bucket: S3, Google Cloud Storage or Azure, through ``obstore``.

A small object (every manifest) is one conditional write, so of two writers one wins. A larger one is a
multipart upload, whose parts are retried on their own; the name is looked at again right before it is
completed, and pieces carry a token that no other attempt has. Nothing is ever renamed or overwritten, which
is all that a bucket with object lock asks for. On S3 every part carries its SHA-256, which the
service compares before it accepts the part.

Parts of an upload whose worker was killed are invisible here: a bucket should have a
lifecycle rule that removes incomplete uploads, as docs/how-to/storage.md says.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

import obstore
from obstore.store import ObjectStore

from airflow_backup.core.errors import NotFound
from airflow_backup.storage.objects_errors import translated
from airflow_backup.storage.objects_writer import ObjectWriter
from airflow_backup.storage.protocol import Stored, check_name, check_prefix, is_name
from airflow_backup.storage.writing import taken

_READ_AHEAD = 8 * 1024 * 1024


class ObjectStorage:
    """Keeps objects in a bucket, below the prefix that ``store`` was made with."""

    def __init__(self, store: ObjectStore, url: str) -> None:
        self.url = url
        self._store = store

    def check(self) -> None:
        """
        Ask for the first names.

        Nothing is written: where objects are locked, a probe could not be removed again.
        """
        with translated("list", "", self.url):
            for _ in obstore.list(self._store, chunk_size=1):
                break

    def create(self, name: str) -> ObjectWriter:
        """Begin an object."""
        self._refuse_taken(check_name(name))
        return ObjectWriter(self._store, name, self.url)

    def put(self, name: str, data: bytes) -> Stored:
        """Write a small object."""
        with self.create(name) as writer:
            writer.write(data)
            return writer.commit()

    def read(self, name: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """Return a part of an object."""
        check_name(name)
        with translated("read", name, self.url):
            if length == 0:
                return b""
            if offset == 0 and length is None:
                return bytes(obstore.get(self._store, name).bytes())
            # A service refuses a range that begins behind the end, and says so with an error of its own.
            size = obstore.head(self._store, name)["size"] if length is None else None
            if size is not None and offset >= size:
                return b""
            end = size if length is None else offset + length
            return self._range(name, offset, end or 0)

    def _range(self, name: str, begin: int, end: int) -> bytes:
        try:
            return bytes(obstore.get_range(self._store, name, start=begin, end=end))
        except obstore.exceptions.GenericError:
            if begin >= obstore.head(self._store, name)["size"]:
                return b""
            raise

    def open(self, name: str) -> BinaryIO:
        """Open an object; it is read ahead in blocks of 8 MiB."""
        stored = self.stat(name)
        return io.BufferedReader(_Ranges(self, stored), _READ_AHEAD)

    def stat(self, name: str) -> Stored:
        """Describe an object."""
        check_name(name)
        with translated("look at", name, self.url):
            found = obstore.head(self._store, name)
        return Stored(name, found["size"], found["last_modified"])

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """Yield objects in order."""
        folder = check_prefix(prefix).rpartition("/")[0]
        with translated("list", prefix, self.url):
            found = [
                Stored(each["path"], each["size"], each["last_modified"])
                for chunk in obstore.list(self._store, prefix=folder or None)
                for each in chunk
                if each["path"].startswith(prefix) and is_name(each["path"])
            ]
        yield from sorted(found, key=lambda stored: stored.name)

    def folders(self, prefix: str = "") -> Iterator[str]:
        """Yield the next segments."""
        check_prefix(prefix)
        with translated("list", prefix, self.url):
            found = obstore.list_with_delimiter(self._store, prefix=prefix.rstrip("/") or None)
        below = (name.rstrip("/") for name in found["common_prefixes"])
        inside = (name.rpartition("/")[2] for name in below if name.startswith(prefix))
        yield from sorted(filter(is_name, inside))

    def delete(self, name: str) -> None:
        """Remove an object; a bucket says nothing when there is none, so it is looked for first."""
        self.stat(name)
        with translated("delete", name, self.url):
            obstore.delete(self._store, name)

    def leftovers(self, prefix: str = "") -> Iterator[Stored]:
        """Yield nothing: what an upload left unfinished is not listed by the service's interface."""
        check_prefix(prefix)
        yield from ()

    def sweep(self, leftover: str) -> None:
        """There is nothing to sweep."""
        raise NotFound(f"no leftover '{leftover}' in {self.url}")

    def _refuse_taken(self, name: str) -> None:
        try:
            self.stat(name)
        except NotFound:
            return
        raise taken(name)


class _Ranges(io.RawIOBase):
    """An object as a raw file."""

    def __init__(self, storage: ObjectStorage, stored: Stored) -> None:
        self._storage, self._stored, self._at = storage, stored, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        begin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._stored.size}[whence]
        self._at = max(0, begin + offset)
        return self._at

    def readinto(self, buffer: object) -> int:
        room = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        length = min(len(room), max(0, self._stored.size - self._at))
        found = self._storage.read(self._stored.name, offset=self._at, length=length)
        room[: len(found)] = found
        self._at += len(found)
        return len(found)
