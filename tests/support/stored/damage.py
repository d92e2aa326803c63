"""Sets in memory, and ways to damage them: one bit, or everything after a byte."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from airflow_backup.actions.sets.damage import Share, VerifyResult
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.actions.verify.inspect import Inspection, inspect_set
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import SetRow
from airflow_backup.core.format.manifest import Manifest, read_manifest
from airflow_backup.core.words import VerificationLevel
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.storage.memory import MemoryStorage
from airflow_backup.storage.protocol import Storage


class MutableStorage(MemoryStorage):
    """A copy of a repository, in which objects can be damaged."""

    def __init__(self, storage: Storage) -> None:
        super().__init__()
        for each in storage.list():
            self.put(each.name, storage.read(each.name))

    @contextmanager
    def changed(self, name: str, data: bytes) -> Iterator[None]:
        """Hold other bytes under a name, for a while."""
        before = self._objects[name]
        self._objects[name] = (data, before[1])
        try:
            yield
        finally:
            self._objects[name] = before

    @contextmanager
    def without(self, name: str) -> Iterator[None]:
        """Miss an object, for a while."""
        before = self._objects.pop(name)
        try:
            yield
        finally:
            self._objects[name] = before


@dataclass(frozen=True)
class Blow:
    """What happens to one object: a bit is flipped, or its end is cut off, at a byte."""

    name: str
    at: int
    bit: int | None

    def apply(self, data: bytes) -> bytes:
        if self.bit is None:
            return data[: self.at]
        changed = bytearray(data)
        changed[self.at] ^= 1 << self.bit
        return bytes(changed)


@dataclass(frozen=True)
class SetFiles:
    """The sets of one schedule, in memory."""

    storage: MutableStorage
    schedule_id: str
    known: dict[str, SetRow]

    @classmethod
    def of(cls, storage: Storage, schedule_id: str, catalog: Catalog) -> SetFiles:
        known = {row.set_id: row for row in catalog.sets.of(schedule_id)}
        return cls(MutableStorage(storage), schedule_id, known)

    @property
    def set_ids(self) -> list[str]:
        return sorted(self.known)

    def objects(self, set_id: str) -> list[str]:
        return [each.name for each in self.storage.list(f"{self.schedule_id}/sets/{set_id}/")]

    def manifest(self, set_id: str) -> Manifest:
        name = f"{self.schedule_id}/sets/{set_id}/manifest.json"
        return read_manifest(self.storage.read(name), name=name)

    def look(
        self,
        set_id: str,
        level: VerificationLevel,
        *,
        share: Share | None = None,
        with_catalog: bool = True,
    ) -> VerifyResult:
        """Verify one set; the first of the results is about itself."""
        how = Inspection(
            level=level,
            context=EngineContext(),
            share=share,
        )
        engine = next(iter(self.known.values())).engine
        trust = Trust(self.schedule_id, engine, known=self.known if with_catalog else {})
        return inspect_set(self.storage, trust, set_id, how)[0]

    def random_blow(self, rng: random.Random, set_id: str) -> Blow:
        """Choose an object, a large one more often, and a place in it; a fifth are cuts."""
        names = self.objects(set_id)
        sizes = [len(self.storage.read(name)) for name in names]
        name, size = rng.choices(list(zip(names, sizes, strict=True)), weights=sizes)[0]
        bit = None if rng.random() < 0.2 else rng.randrange(8)
        return Blow(name, rng.randrange(size), bit)
