"""Signed sets: what another hand made, changed, moved, replayed or took away is tampered with, catalog or not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.maintain.prune import prune
from airflow_backup.actions.restore.restore import plan, restore
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.actions.verify.inspect import Inspection, inspect_set
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import from_environment
from airflow_backup.core.errors import NotFound, Refused, Tampered, VerifyError
from airflow_backup.core.format.signing import SigningKey, canonical, new_key, public_key, sign
from airflow_backup.core.format.state import SetState
from airflow_backup.core.words import DamageKind, Kind, VerificationLevel, VerificationOutcome
from airflow_backup.engines.files.engine import FilesEngine
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.schedules.model.policies import Retention, Signing
from airflow_backup.storage.open import open_storage
from support.stored.sets import Clock, PlainJob, run_number, take


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    with Catalog.open("sqlite://") as catalog:
        yield catalog


@dataclass
class House:
    """A schedule with three signed sets, the last an incremental, and hands that may write to its repository."""

    folder: Path
    catalog: Catalog
    job: PlainJob
    key: SigningKey
    ids: list[str]

    @property
    def sets(self) -> Path:
        return self.folder / "repository" / self.job.id / "sets"

    @property
    def heads(self) -> list[Path]:
        return sorted((self.folder / "repository" / self.job.id / "heads").iterdir())

    def manifest(self, number: int = -1) -> Path:
        return self.sets / self.ids[number] / "manifest.json"

    def write(self, plain: dict[str, Any], number: int = -1) -> None:
        put(self.manifest(number), canonical(plain))

    def plain(self, number: int = -1) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.manifest(number).read_bytes())
        return found

    def trust(self) -> Trust:
        """What somebody knows who has the repository and the public key."""
        assert self.job.signing is not None
        return Trust(self.job.id, signers=tuple(map(public_key, self.job.signing.public_keys)))

    def restore(self, set_id: str | None = None, *, trust: Trust | None = None) -> list[str]:
        target = self.folder / "back"
        shutil.rmtree(target, ignore_errors=True)
        restore(
            trust or self.trust(),
            repository=self.job.repository,
            target=target,
            connections=from_environment,
            clock=Clock(),
            set_id=set_id,
        )
        return sorted(path.name for path in target.iterdir())

    def verdict(self, set_id: str) -> tuple[VerificationOutcome, set[DamageKind]]:
        how = Inspection(level=VerificationLevel.FULL, context=EngineContext())
        result = inspect_set(open_storage(self.job.repository), self.trust(), set_id, how)[0]
        return result.outcome, {each.kind for each in result.damages}


def put(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def signing(folder: Path, name: str = "signing.key") -> tuple[Signing, SigningKey]:
    pem = new_key()
    (folder / name).write_bytes(pem)
    key = SigningKey(pem)
    return Signing(public_keys=[str(key.public)], key_file=str(folder / name)), key


@pytest.fixture
def house(tmp_path: Path, catalog: Catalog) -> House:
    return build(tmp_path, catalog)


def build(
    folder: Path,
    catalog: Catalog,
    *,
    key: tuple[Signing, SigningKey] | None = None,
    id: str = "wiki",
) -> House:
    given, private = key or signing(folder)
    source = folder / f"source-{id}"
    source.mkdir(parents=True)
    job = PlainJob(
        FilesOptions(engine="files", path=str(source)),
        f"file://{folder}/repository",
        id=id,
        signing=given,
    )
    ids = []
    for number, kind in enumerate([Kind.FULL, Kind.FULL, Kind.INCREMENTAL]):
        (source / f"{number}.txt").write_text(f"{id} {number}")
        ids.append(take(job, catalog, run=run_number(number), kind=kind).set_id)
    return House(folder, catalog, job, private, ids)


def test_signed_sets_restore_and_verify_with_the_public_key_alone(house: House) -> None:
    assert house.restore() == ["0.txt", "1.txt", "2.txt"]
    assert house.restore(house.ids[0]) == ["0.txt"]
    for set_id in house.ids:
        assert house.verdict(set_id) == (VerificationOutcome.PASSED, set())
    assert [house.plain(number)["sequence"] for number in range(3)] == [1, 2, 3]
    assert [path.name for path in house.heads] == ["0000000002.json", "0000000003.json"]


def unsigned(house: House) -> None:
    plain = house.plain()
    del plain["signature"]
    house.write(plain)


def signed_with_null(house: House) -> None:
    house.write(house.plain() | {"signature": None})


def signed_with_a_list(house: House) -> None:
    house.write(house.plain() | {"signature": ["ed25519"]})


def signed_with_no_value(house: House) -> None:
    house.write(house.plain() | {"signature": house.plain()["signature"] | {"value": ""}})


def changed(house: House) -> None:
    plain = house.plain()
    plain["state"]["note"] = 1
    house.write(plain)


def with_a_field_more(house: House) -> None:
    house.write(house.plain() | {"a_field_of_tomorrow": True})


def signed_by_another(house: House) -> None:
    put(house.manifest(), sign("manifest", house.plain(), SigningKey(new_key())))


def signed_by_another_in_our_name(house: House) -> None:
    plain = json.loads(sign("manifest", house.plain(), SigningKey(new_key())))
    plain["signature"]["key"] = house.key.public.id
    house.write(plain)


def written_in_another_way(house: House) -> None:
    put(house.manifest(), json.dumps(house.plain(), indent=1).encode())


def with_a_name_twice(house: House) -> None:
    data = house.manifest().read_bytes()
    put(house.manifest(), b'{"engine":"postgres",' + data[1:])


def with_bytes_behind(house: House) -> None:
    put(house.manifest(), house.manifest().read_bytes() + b"\n")


def with_a_signature_of_a_head(house: House) -> None:
    head = json.loads(house.heads[-1].read_bytes())
    house.write(house.plain() | {"signature": head["signature"]})


def a_head_in_its_place(house: House) -> None:
    put(house.manifest(), house.heads[-1].read_bytes())


def an_older_set_in_its_place(house: House) -> None:
    put(house.manifest(), house.manifest(1).read_bytes())


def no_json(house: House) -> None:
    put(house.manifest(), b"[" * 100_000)


def empty(house: House) -> None:
    put(house.manifest(), b"")


HANDS: list[Callable[[House], None]] = [
    *(
        unsigned,
        signed_with_null,
        signed_with_a_list,
        signed_with_no_value,
        changed,
        with_a_field_more,
    ),
    *(signed_by_another, signed_by_another_in_our_name, written_in_another_way, with_a_name_twice),
    *(
        with_bytes_behind,
        with_a_signature_of_a_head,
        a_head_in_its_place,
        an_older_set_in_its_place,
    ),
    *(no_json, empty),
]


@pytest.mark.parametrize("hand", HANDS, ids=lambda hand: hand.__name__)
def test_a_set_that_is_not_as_it_was_signed_is_tampered_also_without_a_catalog(
    house: House, hand: Callable[[House], None]
) -> None:
    hand(house)
    with pytest.raises(Tampered):
        house.restore(house.ids[-1])
    outcome, kinds = house.verdict(house.ids[-1])
    assert (outcome, kinds) == (VerificationOutcome.FAILED, {DamageKind.TAMPERED})
    # Its neighbours are what they were; the newest is missed where the newest is asked for.
    assert house.restore(house.ids[1]) == ["0.txt", "1.txt"]
    with pytest.raises(Tampered):
        house.restore()


@pytest.mark.parametrize("hand", HANDS, ids=lambda hand: hand.__name__)
def test_the_next_run_builds_on_no_such_set(house: House, hand: Callable[[House], None]) -> None:
    hand(house)
    result = take(house.job, house.catalog, run=run_number(5), kind=Kind.INCREMENTAL)
    assert result.kind is Kind.FULL
    assert "full instead of incremental" in (result.reason or "")
    assert house.restore() == ["0.txt", "1.txt", "2.txt"]


def test_a_set_of_another_schedule_with_the_same_key_is_tampered(
    house: House, catalog: Catalog
) -> None:
    assert house.job.signing is not None
    other = build(house.folder, catalog, key=(house.job.signing, house.key), id="secrets")
    for each in other.ids:
        shutil.rmtree(house.sets / each, ignore_errors=True)
        shutil.copytree(other.sets / each, house.sets / each)
    shutil.copy(other.heads[-1], house.heads[-1])
    for name in [*other.ids, None]:
        with pytest.raises(Tampered):
            house.restore(name)


def test_a_set_of_another_repository_with_the_same_key_is_tampered(
    house: House, catalog: Catalog
) -> None:
    assert house.job.signing is not None
    with Catalog.open("sqlite://") as other_catalog:
        other = build(house.folder / "test", other_catalog, key=(house.job.signing, house.key))
    shutil.rmtree(house.sets.parent)
    shutil.copytree(other.sets.parent, house.sets.parent)
    for name in (*other.ids, None):
        with pytest.raises(Tampered, match="was written for the repository"):
            house.restore(name)


def test_a_newest_set_that_was_taken_away_is_missed(house: House) -> None:
    shutil.rmtree(house.manifest().parent)
    with pytest.raises(Tampered, match="is not there, and was the newest"):
        house.restore()
    assert house.verdict(house.ids[1]) == (VerificationOutcome.FAILED, {DamageKind.TAMPERED})
    # Who knows what is missing may still have what is left.
    assert house.restore(house.ids[1]) == ["0.txt", "1.txt"]


def test_heads_that_were_taken_away_are_missed_while_a_later_set_is_there(house: House) -> None:
    for head in house.heads:
        head.unlink()
    assert house.verdict(house.ids[-1]) == (VerificationOutcome.FAILED, {DamageKind.TAMPERED})


def test_an_older_head_under_a_newer_name_is_tampered(house: House) -> None:
    put(house.heads[-1], house.heads[0].read_bytes())
    with pytest.raises(Tampered, match="was written as number 2"):
        house.restore()


def test_what_somebody_puts_beside_the_heads_takes_the_place_of_none(house: House) -> None:
    folder = house.heads[0].parent
    for name in ("zzz.json", "zzzz.json"):
        (folder / name).write_bytes(b"[]")
    newest = take(house.job, house.catalog, run=run_number(9))
    assert {"0000000003.json", "0000000004.json"} <= {path.name for path in house.heads}
    assert house.verdict(newest.set_id) == (VerificationOutcome.PASSED, set())
    assert house.restore() == house.restore(newest.set_id)


def test_a_catalog_misses_the_newest_set_though_its_head_went_with_it(house: House) -> None:
    shutil.rmtree(house.manifest().parent)
    house.heads[-1].unlink()
    assert house.restore() == ["0.txt", "1.txt"]  # who has nothing but the repository cannot know
    with pytest.raises((Tampered, NotFound)):
        plan(
            open_storage(house.job.repository),
            house.trust(),
            target=house.folder / "back2",
            catalog=house.catalog,
        )


@pytest.mark.parametrize("is_changed", [True, False])
def test_prune_removes_neither_the_newest_signed_set_nor_one_that_was_changed(
    house: House, catalog: Catalog, is_changed: bool
) -> None:
    if is_changed:
        put(house.manifest(0), house.manifest(1).read_bytes())
    given = house.job.signing
    job = PlainJob(
        house.job.source,
        house.job.repository,
        signing=given,
        retention=Retention(max_age=timedelta(days=1)),
    )
    prune(
        job,
        catalog=catalog,
        connections=from_environment,
        clock=lambda: datetime(2027, 1, 1, tzinfo=UTC),
        actor="somebody",
    )
    assert sorted(path.parent.name for path in house.sets.glob("*/manifest.json")) == (
        house.ids if is_changed else house.ids[1:]
    )
    assert house.restore() == ["0.txt", "1.txt", "2.txt"]


def test_sets_from_before_signing_count_where_the_catalog_knows_them(
    tmp_path: Path, catalog: Catalog
) -> None:
    given, private = signing(tmp_path)
    house = build(tmp_path, catalog, key=(given, private))
    plain = PlainJob(house.job.source, house.job.repository, id="old")
    old = take(plain, catalog, run=run_number(0))
    since = given.model_copy(update={"unsigned_before": date(2026, 5, 5)})
    job = replace(plain, signing=since)
    target = tmp_path / "old"
    knows = Trust.of(job, catalog.sets.of("old"))
    assert knows.read(open_storage(job.repository), old.set_id).manifest.set_id == old.set_id
    with pytest.raises(Tampered, match="it is not signed"):
        Trust.of(job).read(open_storage(job.repository), old.set_id)
    late = replace(plain, signing=given.model_copy(update={"unsigned_before": date(2026, 5, 4)}))
    with pytest.raises(Tampered, match="it is not signed"):
        Trust.of(late, catalog.sets.of("old")).read(open_storage(job.repository), old.set_id)
    assert not target.exists()


def test_a_private_key_that_is_not_one_of_the_public_ones_signs_nothing(
    house: House, tmp_path: Path
) -> None:
    _, other = signing(tmp_path, "other.key")
    assert house.job.signing is not None
    wrong = house.job.signing.model_copy(update={"key_file": str(tmp_path / "other.key")})
    with pytest.raises(Refused, match=str(other.public).replace("+", r"\+")):
        take(replace(house.job, signing=wrong), house.catalog, run=run_number(7))


def test_a_worker_without_the_private_key_takes_no_set(house: House) -> None:
    assert house.job.signing is not None
    none = house.job.signing.model_copy(update={"key_file": None})
    with pytest.raises(Refused, match="no private key is named"):
        take(replace(house.job, signing=none), house.catalog, run=run_number(7))
    assert len(list(house.sets.iterdir())) == 3


def test_a_manifest_that_is_too_large_is_not_read(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_backup.core.format.manifest.MOST_BYTES", 1000)
    with pytest.raises(VerifyError, match="larger than 1,000 bytes"):
        house.restore(house.ids[-1])
    with pytest.raises(VerifyError, match="larger than 1,000 bytes"):
        take(house.job, house.catalog, run=run_number(8))
    assert sorted(path.parent.name for path in house.sets.glob("*/manifest.json")) == house.ids


def test_a_set_whose_state_nobody_could_read_is_not_stored(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Another(SetState):
        blocks: int

    monkeypatch.setattr(FilesEngine, "state_model", Another)
    with pytest.raises(VerifyError, match=r"state\.blocks: Field required"):
        take(house.job, house.catalog, run=run_number(8))
    assert sorted(path.parent.name for path in house.sets.glob("*/manifest.json")) == house.ids
