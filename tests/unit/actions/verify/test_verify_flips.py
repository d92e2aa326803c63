"""Damage at random places of real sets: every level finds what it says it finds, and never more."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from airflow_backup.actions.sets.damage import Share, VerifyResult
from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import StorageUnavailable
from airflow_backup.core.words import DamageKind, Kind, VerificationLevel, VerificationOutcome
from airflow_backup.storage.open import open_storage
from support.sources.makings import MAKINGS, SEED
from support.stored.damage import Blow, SetFiles
from support.stored.sets import run_number, take

QUICK, STANDARD, FULL, RESTORE_TEST = VerificationLevel
PASSED, FAILED, INCONCLUSIVE = VerificationOutcome

DAMAGES = int(os.environ.get("DAMAGES", "2500"))

_SHARE = {
    "files": 4700,
    "sqlite": 3900,
    "postgres": 400,
    "mysql": 400,
    "command": 400,
    "firebird": 200,
}
"""Of ten thousand; each look at a dump starts a program, each restore test a server."""


@pytest.fixture(params=_SHARE, scope="module")
def set_files(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SetFiles]:
    folder = tmp_path_factory.mktemp(request.param)
    with Catalog.open("sqlite://") as catalog:
        for making in MAKINGS[request.param](folder):
            for number in range(3):
                kind = Kind.INCREMENTAL if number and making.takes_incrementals else Kind.FULL
                result = take(making.job, catalog, run=run_number(number), kind=kind)
                assert result.kind is kind
                making.change(number + 1)
            yield SetFiles.of(open_storage(making.job.repository), making.job.id, catalog)


def _share_of(engine: str, damages: int) -> int:
    return max(_SHARE[engine] * damages // 10_000, 1)


def engine_of(set_files: SetFiles) -> str:
    return next(iter(set_files.known.values())).engine


def strike(set_files: SetFiles, blow: Blow, set_id: str, level: VerificationLevel) -> VerifyResult:
    data = set_files.storage.read(blow.name)
    with set_files.storage.changed(blow.name, blow.apply(data)):
        return set_files.look(set_id, level)


def is_named(result: VerifyResult, blow: Blow) -> bool:
    """Whether a damage of the report is the block that was hit."""
    for damage in result.damages:
        if damage.file == blow.name:
            if damage.offset is None or damage.length is None:
                return blow.name.endswith("manifest.json")
            if damage.offset <= blow.at < damage.offset + damage.length:
                return True
    return False


def check_blow(set_files: SetFiles, rng: random.Random) -> None:
    set_id = rng.choice(set_files.set_ids)
    blow = set_files.random_blow(rng, set_id)
    level = rng.choice([STANDARD, FULL, FULL, FULL])
    result = strike(set_files, blow, set_id, level)
    assert (result.outcome, is_named(result, blow)) == (FAILED, True), (blow, result)
    others = [damage for damage in result.damages if damage.file != blow.name]
    assert others == [], (blow, result)
    quick = strike(set_files, blow, set_id, QUICK)
    is_seen_at_once = blow.bit is None or blow.name.endswith("manifest.json")
    assert quick.outcome is (FAILED if is_seen_at_once else PASSED), blow


def test_damage_at_random_places_is_found_and_named(set_files: SetFiles) -> None:
    rng = random.Random(SEED)
    for _ in range(_share_of(engine_of(set_files), DAMAGES) // 8 + 1):
        check_blow(set_files, rng)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_thousands_of_damages_are_found_and_named(set_files: SetFiles) -> None:
    rng = random.Random(SEED + 1)
    for _ in range(_share_of(engine_of(set_files), DAMAGES)):
        check_blow(set_files, rng)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_hundreds_of_clean_verifications_raise_no_alarm(set_files: SetFiles) -> None:
    rng = random.Random(SEED)
    for number in range(max(_share_of(engine_of(set_files), DAMAGES) // 10, 4)):
        level = list(VerificationLevel)[number % 4]
        result = set_files.look(rng.choice(set_files.set_ids), level, with_catalog=bool(number % 3))
        assert (result.outcome, result.damages, result.proven) == (PASSED, (), level)


def test_a_clean_set_passes_every_level(set_files: SetFiles) -> None:
    for set_id in set_files.set_ids:
        for level in VerificationLevel:
            result = set_files.look(set_id, level)
            assert (result.outcome, result.proven, result.reason) == (PASSED, level, None)


def test_a_restore_test_finds_a_flip_anywhere_in_the_chain(set_files: SetFiles) -> None:
    rng = random.Random(SEED)
    newest = set_files.set_ids[-1]
    for set_id in set_files.set_ids:
        for name in set_files.objects(set_id):
            if "database.sqlite" in name or "files.tar" in name or set_id == newest:
                data = set_files.storage.read(name)
                blow = Blow(name, rng.randrange(len(data)), 3)
                result = strike(set_files, blow, newest, RESTORE_TEST)
                if result.outcome is not FAILED:  # of a file that was changed since: not needed
                    assert set_id != newest
                    continue
                assert is_named(result, blow)


def test_the_files_whose_content_lies_in_a_damaged_block_are_named(set_files: SetFiles) -> None:
    if engine_of(set_files) != "files":
        pytest.skip("only a set of files can tell")
    first = set_files.set_ids[0]
    (piece,) = set_files.manifest(first).pieces_of("files.tar")
    frames = list(piece.each_frame())
    name = f"wiki/sets/{first}/{piece.name}"
    begin = strike(set_files, Blow(name, frames[0].offset + 9, 1), first, FULL)
    (damage,) = begin.damages
    assert "deep/0.txt" in damage.concerns
    middle = strike(set_files, Blow(name, frames[1].offset + 9, 1), first, STANDARD)
    assert [list(each.concerns) for each in middle.damages] == [["large"]]


def test_every_share_reads_its_part_and_all_shares_read_everything(set_files: SetFiles) -> None:
    rng = random.Random(SEED)
    newest = set_files.set_ids[-1]
    count = 4
    shares = [Share(number=number, count=count) for number in range(1, count + 1)]
    clean = [set_files.look(newest, STANDARD, share=share) for share in shares]
    assert {result.outcome for result in clean} == {PASSED}
    stored = sum(piece.size for piece in set_files.manifest(newest).pieces)
    assert sum(result.bytes_read for result in clean) == stored
    for _ in range(20):
        blow = set_files.random_blow(rng, newest)
        if blow.name.endswith("manifest.json") or blow.bit is None:
            continue
        data = set_files.storage.read(blow.name)
        with set_files.storage.changed(blow.name, blow.apply(data)):
            found = [set_files.look(newest, STANDARD, share=share) for share in shares]
        assert [result.outcome for result in found].count(FAILED) == 1
        assert any(is_named(result, blow) for result in found)


def test_a_missing_object_is_named_at_every_level(set_files: SetFiles) -> None:
    newest = set_files.set_ids[-1]
    for name in set_files.objects(newest):
        with set_files.storage.without(name):
            for level in VerificationLevel:
                result = set_files.look(newest, level)
                assert result.outcome is FAILED
                assert [(each.kind, each.file) for each in result.damages] == [
                    (DamageKind.MISSING, name)
                ]


def test_storage_that_does_not_answer_is_never_damage(
    set_files: SetFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, opened = set_files.storage.read, set_files.storage.open
    calls = [0]
    fails_at = [0]

    def ask() -> None:
        calls[0] += 1
        if calls[0] == fails_at[0]:
            raise StorageUnavailable("the far side does not answer")

    def failing_read(name: str, *, offset: int = 0, length: int | None = None) -> bytes:
        ask()
        return read(name, offset=offset, length=length)

    def failing_open(name: str) -> object:
        ask()
        return opened(name)

    monkeypatch.setattr(set_files.storage, "read", failing_read)
    monkeypatch.setattr(set_files.storage, "open", failing_open)
    for level in VerificationLevel:
        calls[0] = 0
        set_files.look(set_files.set_ids[-1], level)
        last = calls[0]
        for number in range(1, last + 1):
            calls[0], fails_at[0] = 0, number
            result = set_files.look(set_files.set_ids[-1], level)
            assert result.outcome is INCONCLUSIVE
            assert result.reason == "the far side does not answer"
            assert result.damages == ()
        fails_at[0] = 0


def test_an_empty_repository_is_a_disk_that_is_not_mounted(set_files: SetFiles) -> None:
    kept = dict(set_files.storage._objects)
    set_files.storage._objects.clear()
    try:
        result = set_files.look(set_files.set_ids[-1], QUICK)
    finally:
        set_files.storage._objects.update(kept)
    assert (result.outcome, result.reason) == (
        INCONCLUSIVE,
        "memory:// is empty: is the disk mounted?",
    )
