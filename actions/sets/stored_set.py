"""The streams of a stored set, read in parallel; a byte is checked before anybody gets it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from airflow_backup.actions.sets.trust import Trust
from airflow_backup.core.errors import ConfigError, DamagedBlock, VerifyError
from airflow_backup.core.format.age import MAX_HEADER, Identity, Opener
from airflow_backup.core.format.checksums import frame_checksum
from airflow_backup.core.format.codec import decompress
from airflow_backup.core.format.manifest import Manifest, set_prefix
from airflow_backup.core.format.pieces import Frame, Piece
from airflow_backup.storage.protocol import Storage

_THREADS = 2
_AHEAD = 6


class StoredSet:
    """One set in a storage; see :class:`airflow_backup.engines.protocol.SetReader`."""

    def __init__(
        self,
        storage: Storage,
        manifest: Manifest,
        *,
        manifest_hash: str = "",
        keys: Sequence[Identity] = (),
    ) -> None:
        self.manifest = manifest
        self._keys = keys
        self._openers: dict[str, Opener] = {}
        self.hash = manifest_hash
        self._storage = storage
        self._prefix = set_prefix(manifest.schedule_id, manifest.set_id)

    def blocks(self, stream: str, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield raw bytes in blocks; VerifyError names piece and byte range of what is damaged."""
        pieces = self.manifest.pieces_of(stream)
        if not pieces:
            raise VerifyError(f"set '{self.manifest.set_id}' has no stream '{stream}'")
        last = pieces[-1].raw_offset + pieces[-1].raw_size
        end = last if end is None else min(end, last)
        for frame, raw in self._ahead(_wanted(pieces, begin, end)):
            low = max(begin - frame.raw_offset, 0)
            high = min(end - frame.raw_offset, frame.raw_size)
            yield raw if (low, high) == (0, frame.raw_size) else raw[low:high]

    def check_keys(self) -> None:
        """Raise where the set is encrypted and the keys at hand do not open every stream."""
        for stream in self.manifest.streams:
            first = self.manifest.pieces_of(stream)[0]
            if first.plain_size is not None:
                self._opener(first)

    def _ahead(self, wanted: Iterator[tuple[Piece, Frame]]) -> Iterator[tuple[Frame, bytes]]:
        workers = ThreadPoolExecutor(_THREADS, thread_name_prefix="decompress")
        waiting: deque[tuple[Frame, Future[bytes]]] = deque()
        try:
            for piece, frame in islice(wanted, _AHEAD):
                waiting.append((frame, workers.submit(self._fetch, piece, frame)))
            while waiting:
                frame, future = waiting.popleft()
                raw = future.result()
                for piece, following in islice(wanted, 1):
                    waiting.append((following, workers.submit(self._fetch, piece, following)))
                yield frame, raw
        finally:
            # Not waited for: the garbage collector may be what ends this generator, in a thread
            # that holds the very lock that waiting needs.
            workers.shutdown(wait=False, cancel_futures=True)

    def _fetch(self, piece: Piece, frame: Frame) -> bytes:
        if piece.plain_size is not None:
            found = self._unsealed(piece, frame)
        else:
            name = self._prefix + piece.name
            found = self._storage.read(name, offset=frame.offset, length=frame.size)
            if len(found) != frame.size or frame_checksum(found) != frame.checksum:
                raise self._damaged(piece, frame.offset, frame.size)
        if self.manifest.compression == "none":
            return found
        return decompress(found, raw_size=frame.raw_size)

    def _unsealed(self, piece: Piece, frame: Frame) -> bytes:
        opener = self._opener(piece)
        begin, length = opener.span(frame.offset, frame.size)
        stored = self._storage.read(self._prefix + piece.name, offset=begin, length=length)
        try:
            found = opener.open(stored, frame.offset, frame.size)
        except VerifyError as error:
            raise self._damaged(piece, begin, length) from error
        if len(found) != frame.size or opener.fingerprint(found) != frame.checksum:
            raise self._damaged(piece, begin, length)
        return found

    def _opener(self, piece: Piece) -> Opener:
        found = self._openers.get(piece.name)
        if found is None:
            if not self._keys:
                raise ConfigError(
                    f"set '{self.manifest.set_id}' is encrypted, and no key was given",
                    hint=f"its keys: {(self.manifest.encryption or {}).get('keys')}",
                )
            head = self._storage.read(self._prefix + piece.name, length=MAX_HEADER)
            found = self._openers[piece.name] = Opener(head, piece.size, self._keys)
        return found

    def _damaged(self, piece: Piece, begin: int, length: int) -> DamagedBlock:
        return DamagedBlock(
            f"'{self._prefix}{piece.name}' is damaged at bytes {begin} to {begin + length - 1}",
            hint=f"an earlier set: airflow-backup restore {self.manifest.schedule_id} --at ... --to ...",
        )


def open_set(
    storage: Storage, trust: Trust, set_id: str, *, keys: Sequence[Identity] = ()
) -> StoredSet:
    """Open a set that is what it must be; raise what `Trust.read` raises."""
    found = trust.read(storage, set_id)
    return StoredSet(storage, found.manifest, manifest_hash=found.hash, keys=keys)


def open_chain(
    storage: Storage, trust: Trust, set_id: str, keys: Sequence[Identity] = ()
) -> list[StoredSet]:
    """Open the sets that restore ``set_id``, the full one first."""
    chain = [open_set(storage, trust, set_id, keys=keys)]
    while (parent := chain[0].manifest.parent) is not None:
        if any(parent == each.manifest.set_id for each in chain):
            raise VerifyError(f"the chain of set '{set_id}' goes in a circle")
        chain.insert(0, open_set(storage, trust, parent, keys=keys))
    return chain


def _wanted(pieces: tuple[Piece, ...], begin: int, end: int) -> Iterator[tuple[Piece, Frame]]:
    for piece in pieces:
        if piece.raw_offset < end and piece.raw_offset + piece.raw_size > begin:
            for frame in piece.frames_from(begin):
                if frame.raw_offset >= end:
                    break
                yield piece, frame
