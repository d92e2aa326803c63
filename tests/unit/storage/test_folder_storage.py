"""What a folder repository does beyond the treaty, and which URLs are opened at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airflow_backup.core.errors import ConfigError, StorageDenied, StorageError, StorageUnavailable
from airflow_backup.storage.folder import FolderStorage
from airflow_backup.storage.open import open_storage


def names(storage: FolderStorage) -> list[str]:
    return [each.name for each in storage.list()]


def test_a_link_inside_the_repository_leads_nowhere(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path / "repository")
    storage.put("a/b", b"")
    outside = tmp_path / "outside"
    outside.mkdir()
    (storage.root / "evil").symlink_to(outside)
    (outside / "secret").write_bytes(b"secret")
    with pytest.raises(StorageDenied, match="there is a link"):
        storage.put("evil/x", b"")
    with pytest.raises(StorageDenied, match="there is a link"):
        storage.read("evil/secret")
    (storage.root / "a" / "link").symlink_to(outside / "secret")
    with pytest.raises(StorageDenied, match="there is a link"):
        storage.read("a/link")
    assert names(storage) == ["a/b"]
    assert list(outside.iterdir()) == [outside / "secret"]


def test_a_root_whose_parent_is_missing_is_not_made_up(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path / "mnt" / "disk")
    with pytest.raises(StorageUnavailable, match="the folder above it does not exist"):
        storage.check()
    with pytest.raises(StorageUnavailable, match="the folder above it does not exist"):
        list(storage.list())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_its_own_kind_of_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = FolderStorage(tmp_path / "repository")
    with storage.create("a") as writer:
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, writer._file)
        os.close(full)
        with pytest.raises(StorageError, match="no room left to write 'a'") as caught:
            writer.write(b"x")
    assert caught.value.failure_class == "space"
    assert names(storage) == []


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a folder that refuses files")
def test_a_folder_that_refuses_files_is_its_own_kind_of_error() -> None:
    with pytest.raises((StorageDenied, StorageUnavailable)):
        FolderStorage("/proc/self").check()


@pytest.mark.parametrize(
    ("url", "message"),
    {
        "no protocol": ("/var/backups", "'/var/backups' is not a repository URL"),
        "chained": ("zip::file:///a", "'zip::file:///a' is not a repository URL"),
        "never": ("http://host/x", "repositories at http:// are not supported"),
        "two slashes": ("file://var/backups", "'file://var/backups' does not name a folder"),
        "a question mark": ("file:///a?b", "'file:///a[?]b' has a [?] or # in it"),
    }.values(),
)
def test_only_listed_protocols_are_opened(url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}"):
        open_storage(url)
