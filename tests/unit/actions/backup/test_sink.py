"""From streams to pieces and back: sizes, splits, order, and what a failure leaves."""

from __future__ import annotations

import random
import threading
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_backup.actions.backup.sink import PieceSink
from airflow_backup.actions.sets.stored_set import StoredSet
from airflow_backup.core.errors import EngineError, StorageFull, StorageUnavailable
from airflow_backup.core.format.checksums import digest_of
from airflow_backup.core.format.codec import FRAME_SIZE
from airflow_backup.core.format.manifest import Manifest, Totals
from airflow_backup.core.format.pieces import Piece
from airflow_backup.core.words import Kind
from airflow_backup.storage.memory import MemoryStorage
from support.stored.failing_storage import FailingStorage

SET_ID = "20260504T020000Z-2a642dede1"
PREFIX = f"wiki/sets/{SET_ID}/"
NOW = datetime(2026, 5, 4, tzinfo=UTC)


def sink_into(storage: MemoryStorage, *, piece_size: int = 256 * 1024 * 1024) -> PieceSink:
    return PieceSink(storage, PREFIX, token="0000", algorithm="sha256", piece_size=piece_size)


def manifest(pieces: tuple[Piece, ...]) -> Manifest:
    return Manifest(
        set_id=SET_ID,
        schedule_id="wiki",
        run_id="run",
        engine="files",
        engine_version="1",
        kind=Kind.FULL,
        run_at=NOW,
        started_at=NOW,
        consistent_at=NOW,
        finished_at=NOW,
        checksum_algorithm="sha256",
        pieces=pieces,
        totals=Totals(),
    )


def read(storage: MemoryStorage, pieces: tuple[Piece, ...], stream: str) -> bytes:
    return b"".join(StoredSet(storage, manifest(pieces)).blocks(stream))


@pytest.mark.parametrize(
    "size", [0, 1, FRAME_SIZE - 1, FRAME_SIZE, FRAME_SIZE + 1, 3 * FRAME_SIZE, 3 * FRAME_SIZE + 7]
)
def test_a_stream_of_any_size_comes_back(size: int) -> None:
    storage, data = MemoryStorage(), random.Random(1).randbytes(size)
    sink = sink_into(storage)
    with sink.stream("data") as stream:
        stream.write(data)
        assert stream.position == size
    pieces = sink.finish()
    assert [piece.raw_size for piece in pieces] == [size]
    assert read(storage, pieces, "data") == data
    assert pieces[0].checksum == digest_of([storage.read(PREFIX + pieces[0].name)])


@settings(deadline=None, max_examples=30)
@given(
    writes=st.lists(st.integers(0, 2 * FRAME_SIZE + 3), max_size=8),
    piece_size=st.integers(1, 3 * FRAME_SIZE),
    window=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_however_it_is_written_and_split_every_part_comes_back(
    writes: list[int], piece_size: int, window: tuple[float, float]
) -> None:
    storage, rng = MemoryStorage(), random.Random(1)
    parts = [rng.randbytes(size) for size in writes]
    sink = sink_into(storage, piece_size=piece_size)
    with sink.stream("data") as stream:
        for part in parts:
            stream.write(part)
            assert 0 < stream.room <= FRAME_SIZE
    pieces, data = sink.finish(), b"".join(parts)
    assert read(storage, pieces, "data") == data
    assert [piece.name for piece in pieces] == sorted(piece.name for piece in pieces)
    begin, end = sorted(round(share * len(data)) for share in window)
    opened = StoredSet(storage, manifest(pieces))
    assert b"".join(opened.blocks("data", begin, end)) == data[begin:end]


def test_a_piece_does_not_grow_past_its_size() -> None:
    storage = MemoryStorage()
    sink = sink_into(storage, piece_size=2 * FRAME_SIZE + 1000)
    with sink.stream("data") as stream:
        stream.write(random.Random(1).randbytes(5 * FRAME_SIZE))
    pieces = sink.finish()
    assert [len(piece.frames.sizes) for piece in pieces if piece.frames] == [2, 2, 1]
    assert [piece.raw_offset for piece in pieces] == [0, 2 * FRAME_SIZE, 4 * FRAME_SIZE]
    assert all(piece.size <= 2 * FRAME_SIZE + 1000 for piece in pieces)


def test_two_streams_may_be_written_side_by_side() -> None:
    storage = MemoryStorage()
    sink = sink_into(storage)
    with sink.stream("one") as one, sink.stream("two") as two:
        for _ in range(3):
            one.write(b"1" * FRAME_SIZE)
            two.write(b"2" * 10)
    pieces = sink.finish()
    assert read(storage, pieces, "one") == b"1" * 3 * FRAME_SIZE
    assert read(storage, pieces, "two") == b"2" * 30


def test_the_source_waits_for_a_storage_that_is_slower() -> None:
    gate = threading.Event()

    def wait(operation: str, name: str) -> None:
        gate.wait()

    storage = FailingStorage(wait)
    sink = sink_into(storage)
    with sink.stream("data") as stream:
        written = 0

        def write() -> None:
            nonlocal written
            for _ in range(40):
                stream.write(bytes(FRAME_SIZE))
                written += 1

        writer = threading.Thread(target=write)
        writer.start()
        time.sleep(0.3)
        assert written <= 12
        gate.set()
        writer.join()
    assert sink.finish()[0].raw_size == 40 * FRAME_SIZE


@pytest.mark.parametrize("operation", ["create", "write", "commit"])
def test_a_storage_that_fails_stops_the_source_and_leaves_nothing(operation: str) -> None:
    def blow(now: str, name: str) -> None:
        if now == operation:
            raise StorageFull("no room left")

    storage = FailingStorage(blow)
    sink = sink_into(storage, piece_size=2 * FRAME_SIZE)

    def write_much() -> None:
        with sink.stream("data") as stream:
            for _ in range(1000):
                stream.write(random.Random(1).randbytes(FRAME_SIZE))

    with pytest.raises(StorageFull):
        write_much()
    storage.blow = lambda now, name: None
    sink.abort()
    assert list(storage.list()) == []
    assert list(storage.leftovers()) == []
    assert not [each for each in threading.enumerate() if each.name in ("store", "compress_0")]


def test_a_storage_that_is_gone_is_not_asked_for_every_piece_again() -> None:
    asked: list[str] = []

    def blow(now: str, name: str) -> None:
        if now == "delete":
            asked.append(name)
            raise StorageUnavailable("nobody answers")  # after two minutes, with a bucket

    storage = FailingStorage(blow)
    sink = sink_into(storage, piece_size=FRAME_SIZE)
    with sink.stream("data") as stream:
        stream.write(random.Random(1).randbytes(20 * FRAME_SIZE))
    sink.abort()
    assert len(asked) == 1


def test_a_source_that_fails_leaves_nothing() -> None:
    storage = MemoryStorage()
    sink = sink_into(storage, piece_size=2 * FRAME_SIZE)

    def fail_half_way() -> None:
        with sink.stream("data") as stream:
            stream.write(random.Random(1).randbytes(9 * FRAME_SIZE))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    sink.abort()
    assert list(storage.list()) == []
    assert list(storage.leftovers()) == []


def test_a_stream_that_was_not_finished_is_no_set() -> None:
    sink = sink_into(MemoryStorage())
    sink.stream("data").write(b"x")
    with pytest.raises(EngineError, match="the stream 'data' was not finished"):
        sink.finish()
    sink.abort()


def test_a_stream_is_written_once() -> None:
    sink = sink_into(MemoryStorage())
    with sink.stream("data"):
        pass
    with pytest.raises(EngineError, match="already written"):
        sink.stream("data")
    sink.abort()
