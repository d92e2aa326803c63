"""The treaty of storage/protocol.py, asked of every storage."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable
from pathlib import Path

import obstore
import pytest

from airflow_backup.core.errors import NameTaken, NotFound, StorageError
from airflow_backup.storage.folder import FolderStorage
from airflow_backup.storage.memory import MemoryStorage
from airflow_backup.storage.objects import ObjectStorage
from airflow_backup.storage.open import open_storage
from airflow_backup.storage.protocol import Storage
from support.servers.azure import AzureServer
from support.servers.s3 import S3Server
from support.servers.sftp import SftpServer


def _in_memory(request: pytest.FixtureRequest) -> Storage:
    return MemoryStorage()


def _in_a_folder(request: pytest.FixtureRequest) -> Storage:
    return FolderStorage(request.getfixturevalue("tmp_path") / "repository")


def _in_a_bucket(request: pytest.FixtureRequest) -> Storage:
    server: S3Server = request.getfixturevalue("s3")
    url = f"s3://{server.new_bucket()}/some/prefix"
    return open_storage(url, server.connections, connection="aws_backup")


def _in_a_container(request: pytest.FixtureRequest) -> Storage:
    server: AzureServer = request.getfixturevalue("azure")
    url = f"az://{server.new_container()}/some/prefix"
    return open_storage(url, server.connections, connection="azure_backup")


def _on_another_machine(request: pytest.FixtureRequest) -> Storage:
    server: SftpServer = request.getfixturevalue("sftp")
    url = f"sftp://127.0.0.1:{server.port}/{secrets.token_hex(4)}"
    return open_storage(url, server.connections(), connection="elsewhere")


STORAGES: dict[str, Callable[[pytest.FixtureRequest], Storage]] = {
    "memory": _in_memory,
    "folder": _in_a_folder,
    "s3": _in_a_bucket,
    "azure": _in_a_container,
    "sftp": _on_another_machine,
}
LISTS_LEFTOVERS = ("memory", "folder", "sftp")


@pytest.fixture(params=STORAGES)
def storage(request: pytest.FixtureRequest) -> Storage:
    return STORAGES[request.param](request)


def names(storage: Storage, prefix: str = "") -> list[str]:
    return [each.name for each in storage.list(prefix)]


def test_what_was_put_is_read_back(storage: Storage) -> None:
    stored = storage.put("wiki/sets/1/manifest.json", b"{}")
    assert (stored.name, stored.size) == ("wiki/sets/1/manifest.json", 2)
    assert storage.read("wiki/sets/1/manifest.json") == b"{}"
    assert storage.stat("wiki/sets/1/manifest.json") == stored
    assert stored.modified.utcoffset() is not None


def test_a_part_of_an_object_is_read_alone(storage: Storage) -> None:
    storage.put("a", b"0123456789")
    assert storage.read("a", offset=3, length=4) == b"3456"
    assert storage.read("a", offset=8, length=40) == b"89"
    assert storage.read("a", offset=7) == b"789"
    assert storage.read("a", offset=99, length=1) == b""


def test_an_object_is_read_as_a_file(storage: Storage) -> None:
    storage.put("a", b"0123456789")
    with storage.open("a") as file:
        assert file.read(4) == b"0123"
        assert file.read() == b"456789"


def test_an_object_may_be_empty(storage: Storage) -> None:
    storage.put("a", b"")
    assert storage.read("a") == b""


def test_nothing_is_seen_before_commit(storage: Storage) -> None:
    with storage.create("a/b") as writer:
        writer.write(b"half")
        assert names(storage) == []
        with pytest.raises(NotFound):
            storage.stat("a/b")
        writer.write(bytearray(b" and half"))
        assert writer.commit().size == 13
    assert names(storage) == ["a/b"]


def test_a_writer_left_without_commit_leaves_nothing(storage: Storage) -> None:
    with storage.create("a/b") as writer:
        writer.write(b"half")
    assert names(storage) == []
    assert list(storage.leftovers()) == []


def test_an_error_in_the_middle_leaves_nothing(storage: Storage) -> None:
    def write_half() -> None:
        with storage.create("a/b") as writer:
            writer.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_half()
    assert names(storage) == []
    storage.put("a/b", b"the retry")


def test_a_name_is_written_once(storage: Storage) -> None:
    storage.put("a", b"first")
    with pytest.raises(NameTaken, match="'a' exists already"):
        storage.put("a", b"second")
    assert storage.read("a") == b"first"


def test_of_two_writers_of_one_name_the_first_to_commit_wins(storage: Storage) -> None:
    with storage.create("a") as one, storage.create("a") as two:
        one.write(b"one")
        two.write(b"two")
        two.commit()
        with pytest.raises(NameTaken):
            one.commit()
    assert storage.read("a") == b"two"
    assert list(storage.leftovers()) == []


def test_of_many_writers_at_once_exactly_one_wins(storage: Storage) -> None:
    won: list[int] = []
    barrier = threading.Barrier(16)

    def race(number: int) -> None:
        barrier.wait()
        try:
            storage.put("a", str(number).encode())
            won.append(number)
        except NameTaken:
            pass

    threads = [threading.Thread(target=race, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert storage.read("a") == str(won[0]).encode()


def test_a_finished_writer_takes_no_more(storage: Storage) -> None:
    with storage.create("a") as writer:
        writer.commit()
        with pytest.raises(StorageError, match="already finished"):
            writer.write(b"more")
        with pytest.raises(StorageError, match="already finished"):
            writer.commit()
        writer.abort()
    assert names(storage) == ["a"]


def test_names_are_listed_in_order_below_a_prefix(storage: Storage) -> None:
    for name in ("b/2", "b/1", "a/x", "b.c", "b/1.x", "bb"):
        storage.put(name, b"")
    assert names(storage) == sorted(["a/x", "b.c", "b/1", "b/1.x", "b/2", "bb"])
    assert names(storage, "b/") == ["b/1", "b/1.x", "b/2"]
    assert names(storage, "b") == ["b.c", "b/1", "b/1.x", "b/2", "bb"]
    assert names(storage, "c/") == []


def test_folders_are_the_next_segments(storage: Storage) -> None:
    for name in ("a/sets/2/m", "a/sets/1/m", "b/sets/1/m", "top"):
        storage.put(name, b"")
    assert list(storage.folders()) == ["a", "b"]
    assert list(storage.folders("a/sets/")) == ["1", "2"]
    assert list(storage.folders("z/")) == []


ODD = ("lost+found/x", "System Volume Information/sets/x", "a/sets/odd name", "a/sets/caf\u00e9/m")


def test_what_no_object_is_called_is_passed_over(tmp_path: Path) -> None:
    for name in (*ODD, "a/sets/\x1b[2J\nforged/m", "a/sets/1/m"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    storage = FolderStorage(tmp_path)
    assert list(storage.folders()) == ["a"]
    assert list(storage.folders("a/sets/")) == ["1"]
    assert names(storage) == ["a/sets/1/m"]


def test_what_no_object_of_a_bucket_is_called_is_passed_over(s3: S3Server) -> None:
    url = f"s3://{s3.new_bucket()}/some/prefix"
    storage = open_storage(url, s3.connections, connection="aws_backup")
    assert isinstance(storage, ObjectStorage)
    for name in (*ODD, "a/sets/1/m"):
        obstore.put(storage._store, name, b"")
    assert list(storage.folders()) == ["a"]
    assert list(storage.folders("a/sets/")) == ["1"]
    assert names(storage) == ["a/sets/1/m"]


@pytest.mark.parametrize("place", ["object", "folder"])
def test_a_pipe_or_a_folder_in_the_place_of_an_object_is_not_waited_for(
    tmp_path: Path, place: str
) -> None:
    (tmp_path / "a").mkdir()
    if place == "object":
        os.mkfifo(tmp_path / "a" / "m")
    else:
        (tmp_path / "a" / "m").mkdir()
    storage = FolderStorage(tmp_path)
    with pytest.raises(NotFound, match=r"'a/m' in .* is not a file"):
        storage.read("a/m", length=1)


def test_a_deleted_name_is_gone_and_deleting_it_again_says_so(storage: Storage) -> None:
    storage.put("a/b", b"")
    storage.delete("a/b")
    assert names(storage) == []
    assert list(storage.folders()) == []
    with pytest.raises(NotFound):
        storage.delete("a/b")


def test_what_is_missing_is_named(storage: Storage) -> None:
    for ask in (storage.read, storage.open, storage.stat):
        with pytest.raises(NotFound, match="no object 'x/y'"):
            ask("x/y")


@pytest.mark.parametrize(
    "name",
    ["", "/a", "a/", "a//b", "../a", "a/../b", ".a", "a/.b", "a\0b", "a b", "-a", "ä", "a\n"],
)
def test_a_name_that_could_leave_the_repository_is_refused(storage: Storage, name: str) -> None:
    for ask in (storage.create, storage.read, storage.open, storage.stat, storage.delete):
        with pytest.raises(StorageError, match="is not a name for an object"):
            ask(name)


def test_a_check_leaves_nothing(storage: Storage) -> None:
    storage.check()
    assert names(storage) == []


@pytest.mark.parametrize("storage", LISTS_LEFTOVERS, indirect=True)
def test_an_unfinished_write_is_listed_and_swept(storage: Storage) -> None:
    writer = storage.create("a/b")
    writer.write(b"half")
    found = [each.name for each in storage.leftovers("a/")]
    assert len(found) == 1
    assert list(storage.leftovers("z/")) == []
    storage.sweep(found[0])
    assert list(storage.leftovers()) == []
    writer.abort()
    assert names(storage) == []
