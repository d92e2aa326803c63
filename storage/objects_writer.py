"""One object of a bucket while it is written: a single request, or an upload in parts when it grows."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator

import obstore
from obstore.store import ObjectStore

from airflow_backup.core.errors import NameTaken, NotFound, StorageError
from airflow_backup.core.format.checksums import Bytes
from airflow_backup.storage.objects_errors import translated
from airflow_backup.storage.protocol import Stored
from airflow_backup.storage.writing import OneObject, taken

PART_SIZE = 8 * 1024 * 1024
"""Bytes of a part; Amazon wants at least 5 MiB, and at most 10,000 parts."""

PARTS_AT_ONCE = 4


class _GivenUp(Exception):
    """The writer was aborted: it tells the upload to leave nothing."""


class ObjectWriter(OneObject):
    """Collects bytes; see :class:`airflow_backup.storage.protocol.Writer`."""

    def __init__(self, store: ObjectStore, name: str, url: str) -> None:
        super().__init__(name)
        self._store, self._url = store, url
        self._parts: list[bytes] = []
        self._held = self._size = 0
        self._upload: _Upload | None = None

    def write(self, data: Bytes, /) -> None:
        """Add bytes; waits while as many parts as may are on their way."""
        self._require_open()
        self._parts.append(bytes(data))
        self._held += len(data)
        self._size += len(data)
        if self._held >= PART_SIZE:
            if self._upload is None:
                self._upload = _Upload(self._store, self._name, self._url)
            self._upload.send(self._take())

    def commit(self) -> Stored:
        """Complete the object, and look at it once more."""
        self._require_open()
        self._open = False
        if self._upload is not None:
            self._complete(self._upload)
        else:
            self._put(self._take())
        with translated("look at", self._name, self._url):
            found = obstore.head(self._store, self._name)
        if found["size"] != self._size:
            raise StorageError(
                f"'{self._name}' in {self._url} has {found['size']} bytes after {self._size} were written",
                hint="does something else write there?",
            )
        return Stored(self._name, found["size"], found["last_modified"])

    def abort(self) -> None:
        """Leave nothing."""
        if self._open:
            self._open = False
            if self._upload is not None:
                self._upload.give_up()

    def _put(self, data: bytes) -> None:
        try:
            with translated("write", self._name, self._url):
                obstore.put(self._store, self._name, data, mode="create")
        except NameTaken:
            # Asked again after an answer was lost, the service finds what the first request wrote.
            with translated("read", self._name, self._url):
                found = bytes(obstore.get(self._store, self._name).bytes())
            if found != data:
                raise

    def _complete(self, upload: _Upload) -> None:
        try:
            upload.send(self._take())
            with translated("look at", self._name, self._url):
                is_taken = self._exists()
        except BaseException:
            upload.give_up()
            raise
        if is_taken:
            upload.give_up()
            raise taken(self._name)
        try:
            upload.finish()
        except (StorageError, NotFound):
            # Asked again after an answer was lost, the service does not know the upload any more: it is complete.
            with translated("look at", self._name, self._url):
                if not self._exists(size=self._size):
                    raise

    def _exists(self, *, size: int | None = None) -> bool:
        try:
            found = obstore.head(self._store, self._name)
        except FileNotFoundError:
            return False
        return size is None or found["size"] == size

    def _take(self) -> bytes:
        whole = b"".join(self._parts)
        self._parts, self._held = [], 0
        return whole


class _Upload:
    """
    A multipart upload on a thread of its own, fed through a short queue.

    obstore takes an iterator: when the iterator ends, the upload is completed; when it raises,
    the upload is aborted, and the service forgets its parts.
    """

    def __init__(self, store: ObjectStore, name: str, url: str) -> None:
        self._store, self._name, self._url = store, name, url
        self._error: BaseException | None = None
        self._blocks: queue.Queue[bytes | _GivenUp | None] = queue.Queue(1)
        self._thread = threading.Thread(target=self._run, name="upload", daemon=True)
        self._thread.start()

    def send(self, block: bytes) -> None:
        """Hand over a block; raises what the upload ran into."""
        self._put(block)
        if self._error is not None:
            raise self._error

    def finish(self) -> None:
        """End the upload, and wait until the store has the whole object."""
        self._put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def give_up(self) -> None:
        """Wait until the upload is aborted."""
        self._put(_GivenUp())
        self._thread.join()

    def _put(self, block: bytes | _GivenUp | None) -> None:
        while self._thread.is_alive():
            with contextlib.suppress(queue.Full):  # then look whether somebody still reads
                self._blocks.put(block, timeout=0.5)
                return

    def _run(self) -> None:
        try:
            with translated("write", self._name, self._url):
                obstore.put(
                    self._store,
                    self._name,
                    self._feed(),
                    use_multipart=True,
                    chunk_size=PART_SIZE,
                    max_concurrency=PARTS_AT_ONCE,
                )
        except BaseException as error:  # noqa: BLE001 -- carried to the writer's thread
            self._error = error

    def _feed(self) -> Iterator[bytes]:
        while (block := self._blocks.get()) is not None:
            if isinstance(block, _GivenUp):
                raise block
            if block:
                yield block
