"""
Who may write to a repository gains nothing by it: no program runs, no secret comes out, and it is called by its name.

Every field of a manifest is changed, for each engine, and each verb is tried: with the catalog and with signatures the
word is always *tampered* or *refused*; from the repository alone, where everything fits that can be made to fit,
nothing is run or read that the schedule did not name. ``ATTACKS=500`` tries more than the usual forty of each.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_backup.actions.maintain.prune import prune
from airflow_backup.actions.maintain.sync import sync
from airflow_backup.actions.restore.restore import restore
from airflow_backup.actions.restore.target import ServerTarget, Target
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.actions.verify.inspect import Inspection, inspect_set
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import Connection, from_environment
from airflow_backup.core.errors import BackupError, Refused, Tampered
from airflow_backup.core.format.signing import SigningKey, new_key
from airflow_backup.core.words import DamageKind, Kind, VerificationLevel, VerificationOutcome
from airflow_backup.engines.capabilities import Loader
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.engines.registry import registry
from airflow_backup.schedules.model.policies import Retention, Signing
from airflow_backup.storage.open import open_storage
from support.attacks import Attack, Canaries, attacks
from support.sources.makings import MAKINGS, Making
from support.stored.sets import Clock, PlainJob, run_number, take

pytestmark = pytest.mark.service

COUNT = int(os.environ.get("ATTACKS", "40"))
SEED = 20261128


@dataclass
class Stage:
    """Two sets of an engine, a catalog that knows them, and canaries beside them."""

    folder: Path
    making: Making
    catalog: Catalog
    ids: list[str]
    canaries: Canaries
    asked: set[str] = field(default_factory=set)

    @property
    def job(self) -> PlainJob:
        return self.making.job

    @property
    def manifest(self) -> Path:
        return self.folder / "repository" / self.job.id / "sets" / self.ids[-1] / "manifest.json"

    def connections(self, name: str) -> Connection:
        self.asked.add(name)
        return from_environment(name)

    def attacks(self) -> list[Attack]:
        plain = json.loads(self.manifest.read_bytes())
        return attacks(plain, self.canaries, count=COUNT, seed=SEED)

    def check(self, what: str, *said: str) -> None:
        """See that no program ran, no secret came out, nothing was written outside, and no connection was misused."""
        own = {getattr(self.job.source, "connection", None)}
        assert not self.canaries.has_run, what
        assert not self.canaries.came_out(*said, below=self.folder / "back"), what
        assert self.asked <= own, (what, self.asked)
        assert len(self.canaries.context()) == self.before, what

    def __post_init__(self) -> None:
        self.before = len(self.canaries.context())


@pytest.fixture(params=MAKINGS, scope="module")
def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp(request.param.replace(" ", "-"))
    pem = new_key()
    (folder / "signing.key").write_bytes(pem)
    signing = Signing(public_keys=[str(SigningKey(pem).public)], key_file=f"{folder}/signing.key")
    with Catalog.open("sqlite://") as catalog:
        for making in MAKINGS[request.param](folder):
            making = replace(making, job=replace(making.job, signing=signing))
            ids = []
            for number in range(2):
                kind = Kind.INCREMENTAL if number and making.takes_incrementals else Kind.FULL
                ids.append(take(making.job, catalog, run=run_number(number), kind=kind).set_id)
                making.change(number + 1)
            yield Stage(folder, making, catalog, ids, Canaries.placed(folder / "canaries"))


@pytest.fixture
def each_attack(stage: Stage) -> Iterator[Iterator[Attack]]:
    """Put one manifest after the other in the place of the newest; the true one is back at the end."""
    before = stage.manifest.read_bytes()
    stage.manifest.chmod(0o644)

    def one_after_the_other() -> Iterator[Attack]:
        for attack in stage.attacks():
            stage.manifest.write_bytes(attack.data)
            stage.asked.clear()
            yield attack

    yield one_after_the_other()
    stage.manifest.write_bytes(before)


def bring_back(
    stage: Stage, trust: Trust, catalog: Catalog | None, *, target: Target | None = None
) -> str:
    shutil.rmtree(stage.folder / "back", ignore_errors=True)
    restore(
        trust,
        repository=stage.job.repository,
        target=target or stage.folder / "back",
        connections=stage.connections,
        clock=Clock(),
        set_id=stage.ids[-1],
        source=stage.job.source,
        catalog=catalog,
        replace=target is not None,
    )
    return "restored"


def look(stage: Stage, trust: Trust, level: VerificationLevel) -> tuple[str, set[DamageKind]]:
    context = EngineContext(connections=stage.connections, source=stage.job.source)
    how = Inspection(level=level, context=context)
    result = inspect_set(open_storage(stage.job.repository), trust, stage.ids[-1], how)[0]
    if result.outcome is VerificationOutcome.FAILED:
        return str(result), {each.kind for each in result.damages}
    return str(result), set()


def trusts(stage: Stage) -> dict[str, Trust]:
    """What somebody knows: with the catalog, with the public key, with both."""
    rows = stage.catalog.sets.of(stage.job.id)
    unsigned = replace(stage.job, signing=None)
    return {
        "catalog": Trust.of(unsigned, rows),
        "public key": Trust.of(stage.job),
        "both": Trust.of(stage.job, rows),
    }


def test_with_catalog_or_signature_every_changed_manifest_is_called_tampered(
    stage: Stage, each_attack: Iterator[Attack]
) -> None:
    count = 0
    for attack in each_attack:
        for name, trust in trusts(stage).items():
            what = f"{attack.name}, known by {name}"
            with pytest.raises((Tampered, Refused)) as caught:
                bring_back(stage, trust, stage.catalog if name != "public key" else None)
            stage.check(what, str(caught.value))
            for level in VerificationLevel:
                said, kinds = look(stage, trust, level)
                assert kinds == {DamageKind.TAMPERED}, what
                stage.check(what, said)
            count += 1
    assert count >= 3 * (40 + 15)


def test_prune_removes_none_of_them(stage: Stage, each_attack: Iterator[Attack]) -> None:
    kept = PlainJob(
        stage.job.source,
        stage.job.repository,
        signing=stage.job.signing,
        retention=Retention(max_age=timedelta(days=1)),
    )
    for number, attack in enumerate(each_attack):
        for signed in (kept, replace(kept, signing=None)):
            found = prune(
                signed,
                catalog=stage.catalog,
                connections=stage.connections,
                clock=lambda: datetime(2027, 1, 1, tzinfo=UTC),
                actor="somebody",
                dry_run=number % 2 == 0,
            )
            assert stage.ids[-1] not in found.removed, attack.name
            assert stage.manifest.exists(), attack.name
            stage.check(attack.name, str(found))


def test_the_next_run_builds_on_none_of_them(stage: Stage, each_attack: Iterator[Attack]) -> None:
    if not stage.making.takes_incrementals:
        pytest.skip("its sets build on no other")
    for number, attack in enumerate(list(each_attack)[::8]):
        stage.manifest.write_bytes(attack.data)
        result = take(stage.job, stage.catalog, run=run_number(10 + number), kind=Kind.INCREMENTAL)
        assert result.kind is Kind.FULL, attack.name
        stage.check(attack.name, result.reason or "")
        (stage.manifest.parent.parent / result.set_id / "manifest.json").unlink()
        stage.catalog.sets.forget(result.set_id)


def test_sync_keeps_what_the_catalog_knows(stage: Stage, each_attack: Iterator[Attack]) -> None:
    before = {row.set_id: row.manifest_hash for row in stage.catalog.sets.of(stage.job.id)}
    storage = open_storage(stage.job.repository)
    for attack in each_attack:
        for known in ({stage.job.id: stage.job}, {}):
            found = sync(storage, stage.job.repository, stage.catalog, schedules=known)
            rows = stage.catalog.sets.of(stage.job.id)
            assert {row.set_id: row.manifest_hash for row in rows} == before, attack.name
            assert len(found.problems) == 1, attack.name
            stage.check(attack.name, str(found))


def test_from_the_repository_alone_nothing_runs_that_the_schedule_does_not_name(
    stage: Stage, each_attack: Iterator[Attack]
) -> None:
    trust = Trust(stage.job.id, stage.job.source.engine)
    full, test = VerificationLevel.FULL, VerificationLevel.RESTORE_TEST
    verbs: list[Callable[[], object]] = [
        lambda: bring_back(stage, trust, None),
        lambda: look(stage, trust, full),
        lambda: look(stage, trust, test),
    ]
    if isinstance(registry().get(stage.job.source.engine), Loader):
        copy = ServerTarget(str(getattr(stage.job.source, "connection", None)), "copy")
        verbs.append(lambda: bring_back(stage, trust, None, target=copy))
    is_quick = stage.job.source.engine in {"files", "sqlite", "command", "restic"}
    for number, attack in enumerate(each_attack):
        for verb in verbs if is_quick else (verbs[number % len(verbs)],):
            try:
                said = str(verb())
            except BackupError as error:
                said = str(error)
            stage.check(attack.name, said)
