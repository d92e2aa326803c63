"""The quick look: are the manifests those that were written, and do the pieces lie there as they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_backup.actions.sets.checked_set import CheckedSet
from airflow_backup.actions.sets.damage import Damage, Findings
from airflow_backup.actions.sets.heads import check_head, check_not_cut
from airflow_backup.actions.sets.piece_sizes import misfits
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.core.errors import NotFound, Refused, Tampered, VerifyError
from airflow_backup.core.format.age import Identity
from airflow_backup.core.format.manifest import (
    MOST_BYTES,
    Manifest,
    check_size,
    hash_of,
    manifest_name,
    read_manifest,
    set_prefix,
)
from airflow_backup.core.words import DamageKind, Kind
from airflow_backup.storage.protocol import Storage


@dataclass(frozen=True)
class ManifestCheck:
    """Looks at the manifests of one schedule."""

    storage: Storage
    trust: Trust
    findings: Findings
    keys: Sequence[Identity] = ()

    def chain(self, set_id: str) -> list[CheckedSet]:
        """
        Return the set and those below it, the full one first, each compared with what is known.

        Damage is noted; the list then ends where it cannot be followed further.
        """
        chain: list[CheckedSet] = []
        following: str | None = set_id
        while following is not None:
            if any(following == each.manifest.set_id for each in chain):
                self._note(set_id, DamageKind.TAMPERED, "its chain goes in a circle")
                break
            found = self._open(following)
            if found is None:
                break
            chain.insert(0, found)
            if self.findings.of_manifests(following):
                break  # whatever parent it names
            following = found.manifest.parent
        for each in chain:
            if not self.findings.of_manifests(each.manifest.set_id):
                self._check_presence(each.manifest)
        if chain and chain[-1].manifest.set_id == set_id:
            self._check_neighbours(chain[-1])
            self._check_head(chain[-1])
        if chain and chain[0].manifest.kind is Kind.FULL:
            self.findings.checks.append(f"{len(chain)} manifests and the sizes of their pieces")
        return chain

    def _open(self, set_id: str) -> CheckedSet | None:
        try:
            found = self.trust.read(self.storage, set_id)
        except NotFound:
            self._note(set_id, DamageKind.MISSING, "the manifest is not there")
            return None
        except Tampered as error:
            self._note(set_id, DamageKind.TAMPERED, error.message)
            return None
        except VerifyError as error:
            self._note(set_id, DamageKind.CORRUPT, error.message)
            return None
        except Refused as error:
            if set_id in self.trust.known:  # and was taken before the schedule changed
                raise
            self._note(set_id, DamageKind.TAMPERED, error.message)
            return None
        return CheckedSet(
            self.storage,
            found.manifest,
            manifest_hash=found.hash,
            keys=self.keys,
            findings=self.findings,
        )

    def _check_presence(self, manifest: Manifest) -> None:
        prefix = set_prefix(manifest.schedule_id, manifest.set_id)
        for piece, found in misfits(self.storage, manifest):
            self.findings.add(
                Damage(
                    kind=DamageKind.MISSING if found is None else DamageKind.CORRUPT,
                    set_id=manifest.set_id,
                    file=prefix + piece.name,
                    piece=piece.name,
                    what="the piece is not there"
                    if found is None
                    else f"it has {found} bytes, and its manifest says {piece.size}",
                    offset=0 if found is None else min(found, piece.size),
                    length=piece.size if found is None else abs(piece.size - found),
                )
            )

    def _check_neighbours(self, stored: CheckedSet) -> None:
        """Follow the hashes to the schedule's manifest before this one, and from the one after it."""
        manifest = stored.manifest
        if self.findings.of_manifests(manifest.set_id):
            return  # what it says of others is worth nothing
        previous = manifest.previous
        if previous is not None:
            self._check_previous(manifest, previous.set_id, previous.hash)
        if manifest.set_id not in self.trust.known:
            self._check_next(manifest.set_id, stored.hash)

    def _check_head(self, stored: CheckedSet) -> None:
        """See that the schedule's newest signed set is there: what is left may be an older state."""
        if not self.trust.signers:
            return
        set_id = stored.manifest.set_id
        try:
            head = check_head(self.storage, self.trust)
            check_not_cut(stored.manifest.sequence, head, set_id)
        except Tampered as error:
            self._note(set_id, DamageKind.TAMPERED, error.message)
            return
        self.findings.checks.append(
            "the signatures of the manifests, and that no newer one is missing"
        )

    def _check_previous(self, manifest: Manifest, set_id: str, expected: str) -> None:
        name = manifest_name(self.trust.schedule_id, set_id)
        try:
            found = hash_of(self.storage.read(name, length=MOST_BYTES + 1))
        except NotFound:
            return  # pruned: a chain of hashes begins with the oldest set that is kept
        if found == expected:
            self.findings.checks.append("the hash of the manifest before it")
            return
        row = self.trust.known.get(set_id)
        if row and row.manifest_hash == found and row.consistent_at > manifest.finished_at:
            # Its run was cleared when a piece of it was lost: the catalog knows the new one.
            self.findings.notes.append(f"set '{set_id}', before it, was taken again after it")
            return
        self._note(
            set_id,
            DamageKind.TAMPERED,
            f"the manifest is not the one that set '{manifest.set_id}' followed",
        )

    def _check_next(self, set_id: str, found: str) -> None:
        later = sorted(
            each
            for each in self.storage.folders(f"{self.trust.schedule_id}/sets/")
            if each > set_id
        )
        for each in later:
            name = manifest_name(self.trust.schedule_id, each)
            try:
                manifest = read_manifest(
                    check_size(self.storage.read(name, length=MOST_BYTES + 1), name=name), name=name
                )
            except (NotFound, VerifyError):
                continue  # an attempt that did not finish, or a finding about that set
            if manifest.previous is not None and manifest.previous.set_id == set_id:
                if manifest.previous.hash != found:
                    self._note(
                        set_id,
                        DamageKind.TAMPERED,
                        f"the manifest is not the one that set '{each}' followed",
                    )
                return
        self.findings.notes.append(
            "nothing says which manifest was written: the catalog does not know the set, "
            "and no later set followed it"
        )

    def _note(self, set_id: str, kind: DamageKind, what: str) -> None:
        name = manifest_name(self.trust.schedule_id, set_id)
        self.findings.add(Damage(kind=kind, set_id=set_id, file=name, what=what))
