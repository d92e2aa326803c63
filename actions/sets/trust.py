"""
What a set must be before anything of it is used.

Whoever may write to a repository may write manifests. So what a set says of itself is compared with what the
schedule, the command line, the administrator and the catalog say, at one place, before any verb goes by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol

from airflow_backup.actions.sets.repository import read_marker
from airflow_backup.catalog.records import SetRow
from airflow_backup.core.connections import Connections
from airflow_backup.core.errors import ConfigError, EngineError, Refused, SourceDenied, Tampered
from airflow_backup.core.format.manifest import (
    MOST_BYTES,
    Manifest,
    check_size,
    hash_of,
    manifest_name,
    read_manifest,
)
from airflow_backup.core.format.signing import PublicKey, Signed, SigningKey, problem_of, public_key
from airflow_backup.core.format.state import check_state
from airflow_backup.engines.capabilities import ReadOnly, StateDescriber
from airflow_backup.engines.protocol import Engine
from airflow_backup.engines.registry import registry
from airflow_backup.schedules.model.policies import Signing
from airflow_backup.schedules.model.sources import EngineOptions
from airflow_backup.storage.protocol import Storage


@dataclass(frozen=True, slots=True)
class StoredManifest:
    """A manifest and the hash of its stored bytes."""

    manifest: Manifest
    hash: str


class Described(Protocol):
    """What a schedule says of its own sets."""

    @property
    def id(self) -> str: ...
    @property
    def source(self) -> EngineOptions: ...
    @property
    def signing(self) -> Signing | None: ...


@dataclass(frozen=True, slots=True)
class Trust:
    """What the sets of one schedule must be."""

    schedule_id: str
    engine: str | None = None
    """The engine that the schedule names; None where only the repository is at hand."""

    known: Mapping[str, SetRow] = field(default_factory=dict[str, SetRow])
    """The sets that the catalog knows, by their ids."""

    signers: Sequence[PublicKey] = ()
    """Who must have signed each manifest; nobody need have when empty."""

    unsigned_before: date | None = None
    """Sets that the catalog knows from before this day (UTC) need no signature."""

    @classmethod
    def of(cls, schedule: Described, rows: Iterable[SetRow] = ()) -> Trust:
        """Return what the sets of a schedule must be; ``rows`` are those that the catalog knows."""
        signing = schedule.signing
        return cls(
            schedule.id,
            schedule.source.engine,
            {row.set_id: row for row in rows},
            () if signing is None else tuple(map(public_key, signing.public_keys)),
            None if signing is None else signing.unsigned_before,
        )

    def read(self, storage: Storage, set_id: str) -> StoredManifest:
        """
        Read the manifest of a set.

        NotFound: there is none. VerifyError, FormatError: it cannot be read. Tampered: it is not what was
        written. Refused: it is of another engine than the one that was asked for.
        """
        name = manifest_name(self.schedule_id, set_id)
        data = check_size(storage.read(name, length=MOST_BYTES + 1), name=name)
        # Before anything of it is understood:
        self._check_known(data, set_id)
        self._check_signature(data, set_id)
        manifest = read_manifest(data, name=name)
        found = StoredManifest(manifest, hash_of(data))
        self._check_identity(found, set_id)
        self._check_repository(storage, manifest)
        self._check_engine(manifest)
        _check_state(manifest)
        return found

    def _check_signature(self, data: bytes, set_id: str) -> None:
        if not self._is_older(data, set_id):
            self.check_signature("manifest", data, f"set '{set_id}'")

    def check_signature(self, what: Signed, data: bytes, name: str) -> None:
        """Raise Tampered where stored bytes are not what one of the signers has signed; nobody need have signed."""
        problem = problem_of(what, data, self.signers) if self.signers else None
        if problem is not None:
            raise Tampered(
                f"{name} is not what was written: {problem}",
                hint="who may write to the repository? "
                "of sets from before they were signed `signing.unsigned_before` tells",
            )

    def _is_older(self, data: bytes, set_id: str) -> bool:
        row = self.known.get(set_id)
        if self.unsigned_before is None or row is None or row.manifest_hash != hash_of(data):
            return False
        return row.consistent_at.date() < self.unsigned_before

    def check_may_run(self, manifest: Manifest, engine: Engine[Any]) -> None:
        """Raise Refused where only a set itself says which engine is to run, and that engine may run programs."""
        may_run = not (isinstance(engine, ReadOnly) and engine.only_reads)
        if self.engine is None and may_run:
            raise Refused(
                f"set '{manifest.set_id}' says that it is of the engine {engine.name}, and whoever may write to "
                "the repository may have written that",
                hint=f"if it is so: --engine {engine.name}, or --schedules with the schedule",
            )

    def _check_identity(self, found: StoredManifest, set_id: str) -> None:
        manifest = found.manifest
        if (manifest.schedule_id, manifest.set_id) != (self.schedule_id, set_id):
            raise Tampered(
                f"what lies as set '{set_id}' of '{self.schedule_id}' is the manifest of set "
                f"'{manifest.set_id}' of '{manifest.schedule_id}'",
                hint="was it copied from there?",
            )

    def _check_known(self, data: bytes, set_id: str) -> None:
        row = self.known.get(set_id)
        if row is not None and row.manifest_hash != hash_of(data):
            raise Tampered(
                f"the manifest of set '{set_id}' is not the one that the catalog knows",
                hint="tampered with? an earlier set: --at; to restore it all the same: --repository URL",
            )

    def _check_repository(self, storage: Storage, manifest: Manifest) -> None:
        if not self.signers or manifest.repository is None:
            return
        here = read_marker(storage)
        if here != manifest.repository:
            raise Tampered(
                f"set '{manifest.set_id}' was written for the repository {manifest.repository[:8]}, "
                f"and this is {(here or 'none')[:8]}",
                hint="was it copied from there?",
            )

    def _check_engine(self, manifest: Manifest) -> None:
        if self.engine is not None and manifest.engine != self.engine:
            raise Refused(
                f"set '{manifest.set_id}' says that it is of the engine {manifest.engine!r:.40}, "
                f"and '{self.schedule_id}' is backed up by {self.engine}",
                hint=f"was the schedule changed? its older sets: --repository URL --engine {manifest.engine!r:.40}",
            )


def _check_state(manifest: Manifest) -> None:
    try:
        engine = registry().get(manifest.engine)
    except (ConfigError, EngineError):
        return  # whoever needs the engine says that it is not here
    if isinstance(engine, StateDescriber):
        check_state(manifest, engine.state_model)


def signing_key_of(signing: Signing | None, connections: Connections) -> SigningKey | None:
    """Return the private key with which a schedule's sets are signed; None when they are not."""
    if signing is None:
        return None
    if signing.connection is not None:
        pem = (connections(signing.connection).password or "").encode()
    else:
        pem = _read_key(signing.key_file)
    key = SigningKey(pem)
    if key.public not in map(public_key, signing.public_keys):
        raise Refused(
            f"the private key is not the other half of one of `signing.public_keys`: it is {key.public}",
            hint="sets that it signs could not be verified; add that line to public_keys",
        )
    return key


def _read_key(path: str | None) -> bytes:
    if path is None:
        raise Refused(
            "sets are to be signed, and no private key is named",
            hint="write `key_file` or `connection` below `signing`, where backups run",
        )
    try:
        with open(path, "rb") as file:
            return file.read(65536)
    except OSError as error:
        raise SourceDenied(
            f"cannot read the signing key '{path}': {(error.strerror or str(error)).lower()}",
            hint=f"ls -l {path}",
        ) from error
