"""
Heads: which set of a schedule is the newest, signed, so that one that was taken away is missed.

A signature proves who wrote a set, and says nothing of sets that are not there any more. So after each signed set
``<schedule id>/heads/<sequence>.json`` is written: small, write-once, signed, with the set's id and hash. Whoever
removes newer sets must remove their heads too, and only the catalog, or the date of what is left, tells that.
"""

from __future__ import annotations

import contextlib
import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from airflow_backup.actions.sets.trust import StoredManifest, Trust
from airflow_backup.core.errors import NameTaken, NotFound, StorageError, Tampered
from airflow_backup.core.format.manifest import FORMAT_VERSION, LAST_SEQUENCE, SetId
from airflow_backup.core.format.pieces import Hex
from airflow_backup.core.format.signing import SigningKey, sign
from airflow_backup.storage.protocol import Storage

_HEAD = re.compile(r"/heads/[0-9]{10}\.json\Z")
_KEPT = 2
"""Heads that stay: the newest, and the one before it, should the newest be written just now."""


class Head(BaseModel):
    """Says which set is the newest of a schedule."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format_version: Literal[1] = FORMAT_VERSION
    schedule_id: str
    repository: Hex
    sequence: Annotated[int, Field(ge=1, le=LAST_SEQUENCE)]
    set_id: SetId
    hash: Hex
    """The hash of the set's manifest."""


def newest_head(storage: Storage, trust: Trust) -> Head | None:
    """Return the newest head of a schedule, None when there is none; Tampered when it is not what was signed."""
    names = _names(storage, trust.schedule_id)
    if not names:
        return None
    name = names[-1]
    data = storage.read(name, length=65536)
    trust.check_signature("head", data, f"'{name}'")
    try:
        head = Head.model_validate_json(data)
    except ValidationError as error:
        raise Tampered(f"'{name}' does not say which set is the newest: {error}") from error
    if head.schedule_id != trust.schedule_id or name != _name(head.schedule_id, head.sequence):
        raise Tampered(f"'{name}' was written as number {head.sequence} of '{head.schedule_id}'")
    return head


def check_head(storage: Storage, trust: Trust) -> Head | None:
    """Return the newest head; Tampered when the set that it names is not there, or is another one."""
    head = newest_head(storage, trust)
    if head is None:
        return None
    try:
        found = trust.read(storage, head.set_id)
    except NotFound as error:
        raise Tampered(
            f"set '{head.set_id}' is not there, and was the newest of '{head.schedule_id}': "
            "somebody removed it, or put back an older state of the repository",
            hint="who may write to the repository? what is left is restored with --set ID",
        ) from error
    if found.hash != head.hash:
        raise Tampered(f"set '{head.set_id}' is an older state of what was written")
    return head


def check_not_cut(manifest_sequence: int | None, head: Head | None, set_id: str) -> None:
    """Raise Tampered where a set was signed later than the newest head says that any was."""
    sequence = manifest_sequence or 0
    if sequence > (0 if head is None else head.sequence) + 1:
        raise Tampered(
            f"set '{set_id}' was signed as number {sequence}, and the heads that say which was the newest are gone",
            hint="who may write to the repository?",
        )


def put_head(storage: Storage, found: StoredManifest, key: SigningKey) -> None:
    """Write the head of a signed set that is stored, and remove those before it but one; done twice is done."""
    manifest = found.manifest
    assert manifest.sequence is not None
    assert manifest.repository is not None
    head = Head(
        schedule_id=manifest.schedule_id,
        repository=manifest.repository,
        sequence=manifest.sequence,
        set_id=manifest.set_id,
        hash=found.hash,
    )
    with contextlib.suppress(
        NameTaken
    ):  # by an earlier attempt at this set, or by another of the same number
        storage.put(
            _name(head.schedule_id, head.sequence), sign("head", head.model_dump(mode="json"), key)
        )
    # Whatever somebody put behind it is none that we wrote, and takes the place of none.
    own = _name(head.schedule_id, head.sequence)
    older = [name for name in _names(storage, head.schedule_id) if name < own]
    for name in older[: 1 - _KEPT]:
        with contextlib.suppress(
            StorageError, NotFound
        ):  # a locked object stays, and harms nothing
            storage.delete(name)


def _names(storage: Storage, schedule_id: str) -> list[str]:
    """Return what lies there as heads, in order; nothing else there is looked at."""
    found = (each.name for each in storage.list(_folder(schedule_id)))
    return sorted(name for name in found if _HEAD.search(name))


def _folder(schedule_id: str) -> str:
    return f"{schedule_id}/heads/"


def _name(schedule_id: str, sequence: int) -> str:
    return f"{_folder(schedule_id)}{sequence:010}.json"
