"""Sets that are encrypted, and workers that can take incrementals without a secret key."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from pydantic import ValidationError

from airflow_backup.actions.restore.restore import restore
from airflow_backup.actions.sets.encryption import encryption_of, secret_keys
from airflow_backup.actions.sets.stored_set import open_set
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import Connection, from_environment
from airflow_backup.core.errors import ConfigError, VerifyError
from airflow_backup.core.format.age import Identity
from airflow_backup.core.format.bech32 import encode
from airflow_backup.core.words import Kind
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.schedules.model.policies import Compression, Encryption
from airflow_backup.storage.folder import FolderStorage
from support.sources import trees
from support.stored.sets import Clock, PlainJob, run_number, stored, take


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    with Catalog.open("sqlite://") as catalog:
        yield catalog


@pytest.fixture
def key() -> Identity:
    return Identity(os.urandom(32))


def secret(key: Identity) -> str:
    return encode("age-secret-key-", key.secret).upper()


@pytest.fixture
def job(tmp_path: Path, key: Identity) -> PlainJob:
    trees.make_tree(tmp_path / "source")
    source = FilesOptions(engine="files", path=str(tmp_path / "source"))
    encryption = Encryption(recipients=[key.recipient.text])
    return PlainJob(source, f"file://{tmp_path}/repository", encryption=encryption)


def back(job: PlainJob, set_id: str, target: Path, *keys: Identity) -> trees.Tree:
    restore(
        Trust.of(job),
        repository=job.repository,
        target=target,
        connections=from_environment,
        clock=Clock(),
        set_id=set_id,
        keys=keys,
    )
    return trees.tree_at(target)


def test_a_worker_with_public_keys_alone_takes_incrementals_and_reads_nothing_else(
    job: PlainJob, catalog: Catalog, tmp_path: Path, key: Identity
) -> None:
    moments = []
    for number, kind in enumerate([Kind.FULL, Kind.INCREMENTAL, Kind.INCREMENTAL]):
        if number:
            trees.change_tree(tmp_path / "source", number)
        result = take(job, catalog, run=run_number(number), kind=kind)
        assert (result.kind, result.reason) == (kind, None)
        moments.append((result, trees.tree_at(tmp_path / "source")))
    for number, (result, expected) in enumerate(moments):
        assert back(job, result.set_id, tmp_path / f"restored-{number}", key) == expected
    last = moments[-1][0]
    with pytest.raises(ConfigError, match="is encrypted, and no key was given"):
        back(job, last.set_id, tmp_path / "x")
    with pytest.raises(ConfigError, match="none of the given keys opens the set"):
        back(job, last.set_id, tmp_path / "y", Identity(os.urandom(32)))
    seal = encryption_of(job.encryption)
    assert seal is not None
    storage = FolderStorage(tmp_path / "repository")
    readable = open_set(storage, Trust(job.id), last.set_id, keys=[seal.index_identity])
    assert b"new-2" in b"".join(readable.blocks("index"))
    with pytest.raises(ConfigError, match="none of the given keys"):
        list(readable.blocks("files.tar"))


def test_nothing_of_the_source_is_readable_in_the_repository(
    catalog: Catalog, tmp_path: Path, key: Identity
) -> None:
    root = tmp_path / "source"
    root.mkdir()
    (root / "canary-name").write_bytes(b"canary-content" * 1000)
    encryption = Encryption(recipients=[key.recipient.text])
    job = PlainJob(
        FilesOptions(engine="files", path=str(root)),
        f"file://{tmp_path}/repository",
        compression="none",
        encryption=encryption,
    )
    take(job, catalog)
    for path in (tmp_path / "repository").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert b"canary" not in data
            assert key.recipient.text.encode() not in data


def test_the_manifest_stays_readable_and_names_the_keys(
    job: PlainJob, catalog: Catalog, key: Identity
) -> None:
    manifest = stored(job, take(job, catalog)).manifest
    assert manifest.encryption == {"format": "age", "keys": key.recipient.id}
    assert all(piece.name.endswith(".zst.age") for piece in manifest.pieces)
    assert json.loads(manifest.to_bytes())["totals"]["files"] > 30


def test_pieces_open_with_another_program_for_age(
    job: PlainJob, catalog: Catalog, tmp_path: Path, key: Identity
) -> None:
    pyrage = pytest.importorskip("pyrage")
    take(job, catalog)
    identity = pyrage.x25519.Identity.from_str(secret(key))
    raw = b"".join(
        pyrage.decrypt(path.read_bytes(), [identity])
        for path in sorted(tmp_path.rglob("files.tar.*.zst.age"))
    )
    if shutil.which("zstd") is None:
        pytest.skip("needs zstd")
    target = tmp_path / "target"
    target.mkdir()
    command = f"zstd -d | tar -x -p --xattrs --xattrs-include='*' -C {target}"
    subprocess.run(["bash", "-o", "pipefail", "-c", command], input=raw, check=True)
    owners = os.geteuid() == 0
    assert trees.tree_at(target, owners=owners) == trees.tree_at(tmp_path / "source", owners=owners)


def test_new_recipients_begin_a_new_chain(job: PlainJob, catalog: Catalog, tmp_path: Path) -> None:
    take(job, catalog, run=run_number(1))
    fresh = Identity(os.urandom(32))
    rotated = replace(job, encryption=Encryption(recipients=[fresh.recipient.text]))
    result = take(rotated, catalog, run=run_number(2), kind=Kind.INCREMENTAL)
    assert result.kind is Kind.FULL
    assert "the encryption changed since set" in str(result.reason)
    assert back(rotated, result.set_id, tmp_path / "x", fresh) == trees.tree_at(tmp_path / "source")


def test_a_flipped_bit_in_an_encrypted_piece_is_located(
    job: PlainJob, catalog: Catalog, tmp_path: Path, key: Identity
) -> None:
    result = take(job, catalog)
    path = next(tmp_path.rglob("files.tar.*.age"))
    data = bytearray(path.read_bytes())
    data[100_000] ^= 1
    path.write_bytes(data)
    with pytest.raises(VerifyError, match="is damaged at bytes") as caught:
        back(job, result.set_id, tmp_path / "x", key)
    low, high = caught.value.message.rsplit("bytes ", 1)[1].split(" to ")
    assert int(low) <= 100_000 <= int(high)


@pytest.mark.parametrize("compression", ["none", Compression(level=1), Compression(level=19)])
def test_every_compression_comes_back(
    job: PlainJob, catalog: Catalog, tmp_path: Path, compression: Compression | Literal["none"]
) -> None:
    plain = replace(job, compression=compression, encryption=None)
    result = take(plain, catalog, run=run_number(9))
    expected = "none" if compression == "none" else "zstd"
    assert stored(plain, result).manifest.compression == expected
    assert back(plain, result.set_id, tmp_path / "x") == trees.tree_at(tmp_path / "source")


def test_secret_keys_come_from_a_file_or_a_connection(tmp_path: Path, key: Identity) -> None:
    file = tmp_path / "key.txt"
    file.write_text(f"# public key: {key.recipient.text}\n{secret(key)}\n")
    public = [key.recipient.text]
    options = Encryption(recipients=public, key_file=str(file))
    assert secret_keys(options, from_environment) == [key]
    named = Encryption(recipients=public, connection="backup_key")
    found = Connection("backup_key", password=secret(key))
    assert secret_keys(named, lambda _: found) == [key]
    file.write_text("# nothing\n")
    with pytest.raises(ConfigError, match="has no key"):
        secret_keys(options, from_environment)


def test_a_secret_key_among_the_recipients_is_refused_and_not_shown(key: Identity) -> None:
    with pytest.raises(ValidationError, match="this is a secret key"):
        Encryption(recipients=[secret(key)])
    with pytest.raises(ValidationError, match="is not an age recipient"):
        Encryption(recipients=["age1nonsense"])
