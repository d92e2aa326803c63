"""Reads stored bytes and compares them with the manifest: whole pieces, one share of all, or every frame."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice

from airflow_backup.actions.sets.checked_set import CheckedSet
from airflow_backup.actions.sets.damage import Share
from airflow_backup.core.errors import NotFound
from airflow_backup.core.format.checksums import frame_checksum, hasher
from airflow_backup.core.format.pieces import Frame, Piece
from airflow_backup.core.progress import Reporter

THREADS = 2
_CHUNK = 4 * 1024 * 1024
_GROUP = 16
"""Frames of a piece that go to the same share and are read at once: 16 MiB of the source."""

Count = Callable[[int], None]
ReadingJob = Callable[[Count], None]


def check_pieces(sets: Iterable[CheckedSet], reporter: Reporter) -> None:
    """
    Compare every piece with its checksum; then look for the damaged blocks of those that differ.

    A piece of which every frame was proven already is not read again: its frames are all of it.
    """
    work = [
        (each, piece)
        for each in sets
        for piece in each.manifest.pieces
        if not each.is_all_proven(piece)
    ]
    reporter.begin("verifying", bytes_total=sum(piece.size for _, piece in work))
    in_parallel([_piece_job(each, piece) for each, piece in work], reporter)
    reporter.finish()


def check_share(sets: Sequence[CheckedSet], share: Share, reporter: Reporter) -> None:
    """Read one share of all bytes; the shares 1 to n of n have every byte exactly once."""
    jobs: list[ReadingJob] = []
    total = 0
    for each in sets:
        for piece in each.manifest.pieces:
            for frames in _parts_of(each, piece, share):
                jobs.append(_frames_job(each, piece, frames))
                total += sum(frame.size for frame in frames) if frames else piece.size
    reporter.begin("verifying", bytes_total=total)
    in_parallel(jobs, reporter)
    reporter.finish()


def decode_frames(each: CheckedSet, reporter: Reporter) -> None:
    """Read and take apart every frame that was not proven yet."""
    work = list(each.all_frames(unproven=True))
    reporter.begin("verifying", bytes_total=sum(frame.size for _, frame in work))
    in_parallel((_decode_job(each, piece, frame) for piece, frame in work), reporter)
    reporter.finish()


def in_parallel(jobs: Iterable[ReadingJob], reporter: Reporter) -> None:
    """Run jobs on a few threads; progress is told here, so that a listener may raise Cancelled."""
    counter = _Counter()
    waiting: set[Future[None]] = set()
    left = iter(jobs)
    workers = ThreadPoolExecutor(THREADS, thread_name_prefix="verify")
    try:
        waiting.update(workers.submit(job, counter.add) for job in islice(left, 2 * THREADS))
        while waiting:
            done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
            reporter.advance(bytes_done=counter.take())
            for future in done:
                future.result()
            waiting.update(workers.submit(job, counter.add) for job in islice(left, len(done)))
    finally:
        counter.stopped = True
        workers.shutdown(cancel_futures=True)


class _Counter:
    def __init__(self) -> None:
        self.stopped = False
        self._lock = threading.Lock()
        self._count = 0

    def add(self, count: int) -> None:
        if self.stopped:
            raise InterruptedError("the verification was stopped")
        with self._lock:
            self._count += count

    def take(self) -> int:
        with self._lock:
            count, self._count = self._count, 0
        return count


def _piece_job(each: CheckedSet, piece: Piece) -> ReadingJob:
    def run(count: Count) -> None:
        if _is_whole(each, piece, count):
            return
        if _is_whole(each, piece, lambda _: None):
            each.findings.notes.append(
                f"'{each.prefix}{piece.name}' gave other bytes when it was read again"
            )
            return
        _locate(each, piece)
        file = each.prefix + piece.name
        if not any(damage.file == file for damage in each.findings.damages):
            each.findings.add(each.damage(piece, 0, piece.size, "its checksum does not fit"))

    return run


def _is_whole(each: CheckedSet, piece: Piece, count: Count) -> bool:
    digest = hasher(each.manifest.checksum_algorithm)
    try:
        with each.storage.open(each.prefix + piece.name) as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                each.findings.count(len(chunk))
                count(len(chunk))
    except NotFound:
        each.note_missing(piece)
        return True
    return digest.hexdigest() == piece.checksum


def _locate(each: CheckedSet, piece: Piece) -> None:
    if piece.plain_size is not None and not each.has_keys:
        return  # the checksums of its frames are keyed
    for frame in piece.each_frame():
        if piece.plain_size is None:
            _compare(each, piece, [frame])
        else:
            each.prove(piece, frame)


def _frames_job(each: CheckedSet, piece: Piece, frames: Sequence[Frame]) -> ReadingJob:
    def run(count: Count) -> None:
        if not frames:
            _piece_job(each, piece)(count)
            return
        if piece.plain_size is None:
            _compare(each, piece, frames)
        else:
            for frame in frames:
                each.prove(piece, frame)
        count(sum(frame.size for frame in frames))

    return run


def _decode_job(each: CheckedSet, piece: Piece, frame: Frame) -> ReadingJob:
    def run(count: Count) -> None:
        each.prove(piece, frame)
        count(frame.size)

    return run


def _compare(each: CheckedSet, piece: Piece, frames: Sequence[Frame]) -> None:
    """Compare neighbouring frames with their checksums, without taking them apart."""
    name, begin = each.prefix + piece.name, frames[0].offset
    length = frames[-1].offset + frames[-1].size - begin
    try:
        data = memoryview(each.storage.read(name, offset=begin, length=length))
    except NotFound:
        each.note_missing(piece)
        return
    each.findings.count(len(data))
    for frame in frames:
        at = frame.offset - begin
        if frame_checksum(data[at : at + frame.size]) != frame.checksum:
            again = each.storage.read(name, offset=frame.offset, length=frame.size)
            if frame_checksum(again) != frame.checksum:
                what = "other bytes than were written"
                each.findings.add(each.damage(piece, frame.offset, frame.size, what))


def _parts_of(each: CheckedSet, piece: Piece, share: Share) -> Iterator[Sequence[Frame]]:
    """Yield the groups of frames of a piece that belong to a share; one empty group is all of it."""
    if piece.frames is None or (piece.plain_size is not None and not each.has_keys):
        if _share_of(f"{each.prefix}{piece.name}", share.count) == share.number - 1:
            yield ()
        return
    frames = piece.each_frame()
    number = 0
    while group := list(islice(frames, _GROUP)):
        if _share_of(f"{each.prefix}{piece.name}/{number}", share.count) == share.number - 1:
            yield group
        number += 1


def _share_of(key: str, count: int) -> int:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % count
