"""The verb `verify`: what it notes, what follows from it, and what it never takes for damage."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.backup.backup import backup
from airflow_backup.actions.maintain.sync import sync
from airflow_backup.actions.sets.damage import Share
from airflow_backup.actions.verify.plan import plan_verification
from airflow_backup.actions.verify.verify import Verifier, worst
from airflow_backup.catalog import Catalog
from airflow_backup.cli.main import main
from airflow_backup.core.connections import from_environment
from airflow_backup.core.errors import BackupError, StorageUnavailable
from airflow_backup.core.format.age import Identity
from airflow_backup.core.words import (
    DamageKind,
    ExecutionStatus,
    Kind,
    VerificationLevel,
    VerificationOutcome,
)
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.sqlite.open import Looked, look_through
from airflow_backup.schedules.model.policies import Verify
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.storage.folder import FolderStorage
from support.stored.sets import Clock, PlainJob, run_number, take

QUICK, STANDARD, FULL, RESTORE_TEST = VerificationLevel
PASSED, FAILED, INCONCLUSIVE = VerificationOutcome


class Place:
    """A schedule of a small database, and a catalog."""

    def __init__(self, folder: Path, catalog: Catalog, **more: Any) -> None:
        self.folder, self.catalog = folder, catalog
        self.database = folder / "orders.sqlite"
        with closing(sqlite3.connect(self.database)) as connection:
            connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER)")
            connection.executemany(
                "INSERT INTO orders (total) VALUES (?)", ((n,) for n in range(99))
            )
            connection.commit()
        self.schedule = Schedule.model_validate(
            {
                "id": "orders",
                "source": {"engine": "sqlite", "path": str(self.database)},
                "repository": f"file://{folder}/repository",
                "preset": "daily",
            }
            | more
        )

    def take(self, number: int, kind: Kind = Kind.FULL) -> Any:
        with closing(sqlite3.connect(self.database)) as connection:
            connection.execute("INSERT INTO orders (total) VALUES (?)", (number,))
            connection.commit()
        return backup(
            self.schedule,
            run_number(number),
            catalog=self.catalog,
            connections=from_environment,
            clock=Clock(run_number(number).at),
            kind=kind,
        )

    def verifier(self, *, catalog: bool = True, **more: Any) -> Verifier:
        return Verifier(
            self.schedule,
            catalog=self.catalog if catalog else None,
            connections=from_environment,
            clock=lambda: datetime(2026, 6, 1, tzinfo=UTC),
            **more,
        )

    def file(self, set_id: str, begin: str) -> Path:
        folder = self.folder / "repository/orders/sets" / set_id
        (found,) = (path for path in folder.iterdir() if path.name.startswith(begin))
        return found

    def flip(self, set_id: str, begin: str = "database.sqlite", at: int = 100) -> Path:
        path = self.file(set_id, begin)
        data = bytearray(path.read_bytes())
        data[at] ^= 4
        path.chmod(0o600)
        path.write_bytes(data)
        return path

    def edit_manifest(self, set_id: str) -> None:
        """Make a manifest say another thing, as somebody would who knows the format."""
        path = self.file(set_id, "manifest.json")
        told = json.loads(path.read_bytes())
        told["counts"] = {"orders": 1}
        path.chmod(0o600)
        path.write_text(json.dumps(told, sort_keys=True, separators=(",", ":")) + "\n")


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    with Catalog.open("sqlite://") as catalog:
        yield catalog


@pytest.fixture
def place(tmp_path: Path, catalog: Catalog) -> Place:
    return Place(tmp_path, catalog)


def test_a_passed_verification_shows_on_the_set(place: Place) -> None:
    set_id = place.take(1).set_id
    (result,) = place.verifier().verify(set_id, FULL)
    assert (result.outcome, result.proven) == (PASSED, FULL)
    row = place.catalog.sets.get(set_id)
    assert row is not None
    assert (row.state, row.verified_level, row.verified_outcome) == ("good", FULL, PASSED)
    (note,) = place.catalog.verifications.of(set_id)
    assert note.bytes_read == result.bytes_read > 0
    assert "integrity_check of a copy" in note.details["checks"]


def test_a_damaged_set_is_quarantined_and_the_next_run_takes_a_full_set(place: Place) -> None:
    set_id = place.take(1).set_id
    path = place.flip(set_id)
    (result,) = place.verifier().verify(set_id, STANDARD)
    (damage,) = result.damages
    assert result.outcome is FAILED
    assert (damage.kind, damage.piece, damage.offset) == (DamageKind.CORRUPT, path.name, 0)
    row = place.catalog.sets.get(set_id)
    assert row is not None
    assert row.state == "quarantined"
    assert place.catalog.executions.last_completed(["orders"]) == {}, (
        "it has not completed after all"
    )
    (execution,) = place.catalog.executions.history("orders")
    assert execution.status is ExecutionStatus.FAILED
    assert f"set '{set_id}' failed its verification" in (execution.error or "")
    after = place.take(2, Kind.INCREMENTAL)
    assert (after.kind, after.reason) == (
        Kind.FULL,
        f"full instead of incremental: set '{set_id}' is quarantined",
    )


def test_bytes_that_come_back_release_the_set(place: Place) -> None:
    set_id = place.take(1).set_id
    place.flip(set_id)
    place.verifier().verify(set_id, STANDARD)
    place.flip(set_id)
    place.verifier().verify(set_id, QUICK)
    row = place.catalog.sets.get(set_id)
    assert row is not None
    assert row.state == "quarantined", "a quick look proves less than what failed"
    place.verifier().verify(set_id, STANDARD)
    row = place.catalog.sets.get(set_id)
    assert row is not None
    assert row.state == "good"
    assert set(place.catalog.executions.last_completed(["orders"])) == {"orders"}


def test_a_manifest_that_was_changed_is_tampered_not_corrupt(place: Place) -> None:
    first, second = place.take(1).set_id, place.take(2).set_id
    place.edit_manifest(first)
    (result,) = place.verifier().verify(first, FULL)
    assert (result.outcome, result.is_tampered) == (FAILED, True)
    assert [damage.kind for damage in result.damages] == [DamageKind.TAMPERED]
    place.edit_manifest(second)
    results = place.verifier().verify(second, QUICK)
    assert [(each.set_id, each.outcome) for each in results] == [(second, FAILED)]


def test_tampering_is_seen_from_the_set_that_followed_also_without_a_catalog(place: Place) -> None:
    first, second = place.take(1).set_id, place.take(2).set_id
    place.edit_manifest(first)
    itself, other = place.verifier(catalog=False).verify(second, QUICK)
    assert (itself.set_id, itself.outcome) == (second, PASSED)
    assert (other.set_id, other.outcome, other.is_tampered) == (first, FAILED, True)
    (own,) = place.verifier(catalog=False).verify(first, QUICK)
    assert own.is_tampered


def test_a_sync_does_not_learn_a_changed_manifest(place: Place) -> None:
    set_id = place.take(1).set_id
    place.edit_manifest(set_id)
    storage = FolderStorage(place.folder / "repository")
    result = sync(storage, place.schedule.repository, place.catalog)
    assert result.problems == (
        f"the manifest of set '{set_id}' is not the one that the catalog knows",
    )
    (found,) = place.verifier().verify(set_id, QUICK)
    assert found.is_tampered


def test_a_damaged_parent_fails_what_needs_it(place: Place) -> None:
    first, second = place.take(1).set_id, place.take(2, Kind.INCREMENTAL).set_id
    place.flip(first)
    itself, parent = place.verifier().verify(second, RESTORE_TEST)
    assert (itself.set_id, itself.outcome) == (second, FAILED)
    assert (parent.set_id, parent.outcome) == (first, FAILED)
    assert [row.state for row in place.catalog.sets.of("orders")] == ["quarantined"] * 2
    place.file(first, "manifest.json").unlink()
    (again,) = place.verifier(catalog=False).verify(second, QUICK)[:1]
    assert again.outcome is FAILED
    assert again.damages[0].kind is DamageKind.MISSING


def test_an_inconclusive_look_changes_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_id = place.take(1).set_id
    place.verifier().verify(set_id, STANDARD)

    def silent(storage: FolderStorage, name: str, **_: Any) -> bytes:
        raise StorageUnavailable(f"cannot read '{name}'")

    monkeypatch.setattr(FolderStorage, "read", silent)
    (result,) = place.verifier().verify(set_id, STANDARD)
    assert (result.outcome, result.proven) == (INCONCLUSIVE, None)
    row = place.catalog.sets.get(set_id)
    assert row is not None
    assert (row.state, row.verified_outcome) == ("good", PASSED)
    assert [note.outcome for note in place.catalog.verifications.of(set_id)] == [
        INCONCLUSIVE,
        PASSED,
    ]


def test_a_set_that_is_pruned_meanwhile_is_not_damaged(place: Place) -> None:
    set_id = place.take(1).set_id
    place.catalog.sets.mark(set_id, "deleting")
    place.file(set_id, "manifest.json").unlink()
    place.take(2)
    (result,) = place.verifier().verify(set_id, STANDARD)
    assert (result.outcome, result.reason) == (
        INCONCLUSIVE,
        "the set was removed while it was verified",
    )


def test_without_the_key_every_byte_is_proven_and_the_rest_stays_open(
    tmp_path: Path, catalog: Catalog
) -> None:
    key = Identity(bytes(range(32)))
    place = Place(tmp_path, catalog, encryption={"recipients": [key.recipient.text]})
    set_id = place.take(1).set_id
    (passed,) = place.verifier().verify(set_id, STANDARD)
    assert passed.outcome is PASSED
    (half,) = place.verifier().verify(set_id, FULL)
    assert (half.outcome, half.proven) == (INCONCLUSIVE, STANDARD)
    assert (half.reason or "").startswith("no key was given, so nothing was decoded")
    (whole,) = place.verifier(keys=[key]).verify(set_id, RESTORE_TEST)
    assert (whole.outcome, whole.proven) == (PASSED, RESTORE_TEST)
    place.flip(set_id, at=900)
    for keys in ([], [key]):
        for level in (STANDARD, FULL):
            (failed,) = place.verifier(keys=keys).verify(set_id, level)
            assert failed.outcome is FAILED
            assert all((each.offset or 0) <= 900 for each in failed.damages)


def test_other_rows_than_the_source_had_fail(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    set_id = place.take(1).set_id
    monkeypatch.setattr(
        "airflow_backup.engines.sqlite.verify.look_through",
        lambda path, what, check: Looked(
            {"orders": look_through(path, what, check=check).counts["orders"] - 1}, (), {}
        ),
    )
    (result,) = place.verifier().verify(set_id, RESTORE_TEST)
    assert result.outcome is FAILED
    assert "'orders' has 99 rows, and the source had 100" in (result.reason or "")


@pytest.mark.parametrize(
    ("query", "outcome"),
    {
        "SELECT count(*) = 100 FROM orders": PASSED,
        "SELECT count(*) > 100 FROM orders": FAILED,
        "SELECT 1 FROM orders WHERE total > 5000": FAILED,
        "SELECT nonsense": FAILED,
    }.items(),
)
def test_assertions_are_asked_of_the_restored_database(
    place: Place, query: str, outcome: VerificationOutcome
) -> None:
    set_id = place.take(1).set_id
    (result,) = place.verifier().verify(set_id, RESTORE_TEST, assertions=[query])
    assert result.outcome is outcome
    if outcome is PASSED:
        assert result.restore_seconds is not None
        assert f"assertion: {query}" in result.checks


def test_shares_go_around_all_other_sets_and_remember_where_they_were(
    tmp_path: Path, catalog: Catalog
) -> None:
    place = Place(tmp_path, catalog, verify={"share": 3})
    ids = [place.take(number).set_id for number in range(3)]
    read = 0
    for turn in (1, 2, 3, 1):
        share = place.verifier().next_share()
        assert share == Share(number=turn, count=3)
        assert share is not None
        results = place.verifier().verify_share(share, but=ids[-1])
        assert [result.set_id for result in results] == ids[:2]
        if turn > 1 or read == 0:
            read += sum(result.bytes_read for result in results)
    stored = [row.bytes_stored for row in catalog.sets.of("orders") if row.set_id != ids[-1]]
    assert read == sum(stored), "three shares are everything, once"
    place.flip(ids[0])
    found = [place.verifier().verify_share(Share(number=number, count=3)) for number in (1, 2, 3)]
    bad = [worst(each) for each in found]
    assert [each.set_id for each in bad if each is not None] == [ids[0]]
    row = catalog.sets.get(ids[0])
    assert row is not None
    assert row.state == "quarantined"


NOW = datetime(2026, 5, 13, 3, tzinfo=UTC)  # a Wednesday


@pytest.mark.parametrize(
    ("ago", "period", "is_due"),
    [
        (timedelta(hours=23), "daily", True),
        (timedelta(hours=2), "daily", False),
        (timedelta(days=2), "weekly", False),
        (timedelta(days=3), "weekly", True),
        (timedelta(days=12), "monthly", False),
        (timedelta(days=13), "monthly", True),
        (None, "monthly", True),
        (None, "never", False),
    ],
)
def test_a_restore_test_is_due_once_in_each_period(
    place: Place, ago: timedelta | None, period: Any, is_due: bool
) -> None:
    set_id = place.take(1).set_id
    if ago is not None:
        place.catalog.verifications.record(
            set_id,
            "orders",
            level=RESTORE_TEST,
            outcome=PASSED,
            started_at=NOW - ago,
            finished_at=NOW - ago,
        )
    found = plan_verification(
        Verify(level="none", restore_test=period),
        place.catalog.sets.of("orders"),
        place.catalog.verifications.last_restore_test("orders"),
        now=NOW,
        timezone="UTC",
    )
    assert (found.level, found.restore_test) == (None, is_due)


def test_every_third_set_is_verified(place: Place) -> None:
    policy = Verify(every=3)
    verified = []
    for number in range(8):
        set_id = place.take(number).set_id
        sets = place.catalog.sets.of("orders")
        if plan_verification(policy, sets, None, now=NOW, timezone="UTC").level is not None:
            place.verifier().verify(set_id, STANDARD)
            verified.append(number)
    assert verified == [0, 3, 6]


FILE = """\
version: 1
schedules:
  - id: orders
    source: {engine: sqlite, path: FOLDER/orders.sqlite}
    repository: file://FOLDER/repository
    preset: daily
"""


def test_the_command_tells_by_its_exit_code(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place.folder)
    monkeypatch.setenv("AIRFLOW_HOME", str(place.folder))
    (place.folder / "schedules.yaml").write_text(FILE.replace("FOLDER", str(place.folder)))
    assert main(["run", "orders"]) == 0
    assert main(["verify", "orders"]) == 0
    assert "standard passed" in capsys.readouterr().out
    bare = ["verify", "orders", "--repository", place.schedule.repository]
    assert main([*bare, "--all", "--level", "restore-test", "--format", "json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["outcome"], told["proven"]) == ("passed", "restore_test")
    path = place.flip(told["set_id"])
    assert main(["verify", "orders", "--share", "1/1"]) == 1
    out = capsys.readouterr().out
    assert f"{path.name}' at byte 0, {path.stat().st_size} bytes: other bytes" in out
    place.flip(told["set_id"])
    assert main([*bare, "--set", told["set_id"], "--level", "full"]) == 0
    monkeypatch.setattr(FolderStorage, "list", _unavailable)
    assert main([*bare, "--level", "quick"]) == 5


def _unavailable(storage: FolderStorage, prefix: str = "") -> Any:
    raise StorageUnavailable("cannot list")


def test_a_backup_that_fails_is_never_a_set(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.database.write_bytes(b"")
    with pytest.raises(BackupError, match="is empty, and not a database"):
        backup(
            place.schedule,
            run_number(1),
            catalog=place.catalog,
            connections=from_environment,
            clock=Clock(),
        )
    assert place.verifier().sets() == []


def test_one_command_proves_a_whole_repository(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "source").mkdir()
    (tmp_path / "source/a").write_bytes(b"x")
    repository = f"file://{tmp_path}/repository"
    source = FilesOptions(engine="files", path=str(tmp_path / "source"))
    with Catalog.open("sqlite://") as catalog:
        for name in ("wiki", "shop"):
            for number in (1, 2):
                take(PlainJob(source, repository, id=name), catalog, run=run_number(number))
    left = tmp_path / "repository/wiki/sets/20200101T000000Z-0000000000"
    left.mkdir()
    (left / "files.tar.000000.abc.zst").write_bytes(b"what a killed attempt left")
    assert main(["verify", "--all", "--repository", repository]) == 0
    assert capsys.readouterr().out.endswith("4 sets of 2 schedules: 4 passed\n")
    piece = next((tmp_path / "repository/shop").rglob("index.*"))
    piece.chmod(0o600)
    piece.write_bytes(piece.read_bytes()[:-1] + b"?")
    assert main(["verify", "--all", "--repository", repository]) == 1
    assert "4 sets of 2 schedules: 1 failed, 3 passed" in capsys.readouterr().out
    assert main(["verify", "--repository", repository]) == 1
    assert "which schedule?" in capsys.readouterr().err
