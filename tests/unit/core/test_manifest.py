"""The repository format: what is written, what is refused, what must never change."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_backup.core.errors import FormatError, VerifyError
from airflow_backup.core.format.manifest import Manifest, Previous, Totals, hash_of, read_manifest
from airflow_backup.core.format.pieces import Frames, Piece
from airflow_backup.core.words import Kind

SET_ID = "20260504T020000Z-2a642dede1"
NOW = datetime(2026, 5, 4, 2, tzinfo=UTC)
PIECE = Piece(
    name="files.tar.000000.0a0b.zst",
    stream="files.tar",
    size=30,
    raw_offset=0,
    raw_size=25,
    checksum="ab" * 32,
    frames=Frames(raw_size=10, sizes=(11, 12, 7), checksums="c" * 96),
)


def example(**changes: Any) -> Manifest:
    given: dict[str, Any] = {
        "set_id": SET_ID,
        "schedule_id": "wiki",
        "run_id": "scheduled__2026-05-04",
        "engine": "files",
        "engine_version": "1",
        "kind": Kind.FULL,
        "run_at": NOW,
        "started_at": NOW,
        "consistent_at": NOW,
        "finished_at": NOW + timedelta(minutes=1),
        "checksum_algorithm": "sha256",
        "pieces": (PIECE,),
        "totals": Totals(files=1, bytes_read=25, bytes_stored=30),
        "counts": {"ünïcode": 1},
        "previous": Previous(set_id=SET_ID, hash="d" * 64),
    }
    return Manifest(**{**given, **changes})


def test_what_is_written_is_read_back_and_written_the_same_again() -> None:
    data = example().to_bytes()
    again = read_manifest(data, name="x")
    assert again == example()
    assert again.to_bytes() == data
    assert data.count(b"\n") == 1


def test_the_stored_bytes_of_version_1_never_change() -> None:
    assert hash_of(example().to_bytes()) == (
        "7b085d5fa4f9bd3a282c6bb58d41717473acad9cd71f577769b648eba9f6774c"
    )


def test_the_order_of_keys_and_the_zone_of_times_make_no_difference() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=2)))
    assert example(run_at=there).to_bytes() == example().to_bytes()
    assert json.loads(example().to_bytes())["run_at"] == "2026-05-04T02:00:00Z"


def test_a_frame_says_where_it_lies_in_the_piece_and_in_the_stream() -> None:
    frames = [(f.offset, f.size, f.raw_offset, f.raw_size) for f in PIECE.each_frame()]
    assert frames == [(0, 11, 0, 10), (11, 12, 10, 10), (23, 7, 20, 5)]


def test_a_later_release_may_add_a_field() -> None:
    plain = json.loads(example().to_bytes()) | {"colour": "blue"}
    assert read_manifest(json.dumps(plain).encode(), name="x") == example()


@pytest.mark.parametrize("version", [2, 99])
def test_a_newer_version_is_refused_and_not_misread(version: int) -> None:
    plain = json.loads(example().to_bytes()) | {"format_version": version}
    with pytest.raises(FormatError, match=f"has format version {version}, and this release reads"):
        read_manifest(json.dumps(plain).encode(), name="x")


WRONG: dict[str, dict[str, Any]] = {
    "no kind": {"kind": None},
    "a kind that does not exist": {"kind": "partial"},
    "a full set with a parent": {"parent": SET_ID, "base": SET_ID},
    "an incremental without a parent": {"kind": "incremental"},
    "an incremental without a base": {"kind": "incremental", "parent": SET_ID, "base": None},
    "a full set with a base": {"base": SET_ID},
    "a set id that leads elsewhere": {"set_id": "../../etc"},
    "a schedule id that leads elsewhere": {"schedule_id": "../x"},
    "a time without a zone": {"run_at": "2026-05-04T02:00:00"},
    "version 0": {"format_version": 0},
    "a version that is text": {"format_version": "1"},
    "the end of time, in another zone": {"run_at": "9999-12-31T23:59:59-14:00"},
    "the beginning of time, in another zone": {"consistent_at": "0001-01-01T00:00:00+14:00"},
    "a moment that nobody can reckon with": {"locked_until": "9999-12-31T23:59:59Z"},
    "a negative size": {"totals": {"files": -1}},
    "a size that no catalog can store": {"totals": {"bytes_read": 2**63}},
    "a count that no catalog can store": {"counts": {"a": 10**30}},
    "a run id that no catalog can store": {"run_id": "a\0b"},
    "a run id of two lines": {"run_id": "a\nb"},
    "an engine that no catalog can store": {"engine": "x" * 64},
    "a host that draws on a terminal": {"worker": {"host": "\x1b[2J"}},
    "a piece that leads elsewhere": {"pieces": [{"name": "../x"}]},
    "a piece that is the manifest": {
        "pieces": [PIECE.model_dump(mode="json") | {"name": "manifest.json"}]
    },
    "a piece twice": {"pieces": [PIECE.model_dump(mode="json")] * 2},
    "frames that do not add up": {
        "pieces": [PIECE.model_dump(mode="json") | {"size": 31}],
    },
    "frames that are too few": {
        "pieces": [PIECE.model_dump(mode="json") | {"raw_size": 500}],
    },
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_what_is_no_manifest_is_refused(change: dict[str, Any]) -> None:
    plain = json.loads(example().to_bytes()) | change
    with pytest.raises(VerifyError, match=r"^'x' is not a manifest: "):
        read_manifest(json.dumps(plain).encode(), name="x")


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"{}", b"[" * 100_000, b'{"a":' * 100_000]
)
def test_what_is_not_even_json_is_refused(data: bytes) -> None:
    with pytest.raises(VerifyError, match=r"^'x' is not"):
        read_manifest(data, name="x")


def test_a_key_that_somebody_chose_does_not_draw_on_a_terminal_or_forge_a_line() -> None:
    plain = json.loads(example().to_bytes()) | {"tools": {"\x1b[2J\nforged": 1}}
    with pytest.raises(VerifyError) as caught:
        read_manifest(json.dumps(plain).encode(), name="x")
    assert r"tools.\x1b[2J\nforged: " in caught.value.message
    assert caught.value.message.isprintable()
