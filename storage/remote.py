"""
A repository on another machine's file system, through ``fsspec``.

A write goes to a hidden file beside its target, is made durable where the far side can, and gets its final
name by an operation that fails when the name is taken (``publish``, which every protocol brings itself).
"""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, BinaryIO, cast

from airflow_backup.core.errors import (
    BackupError,
    NotFound,
    StorageDenied,
    StorageError,
    StorageFull,
    StorageUnavailable,
)
from airflow_backup.storage.protocol import Stored, check_name, check_prefix, is_name
from airflow_backup.storage.remote_writer import Raw, Remote, RemoteWriter
from airflow_backup.storage.writing import taken

_PARTIAL = ".part"
_FULL = ("no space left", "quota exceeded", "disk full")
_READ_AHEAD = 4 * 1024 * 1024


class RemoteStorage:
    """Keeps objects as files below ``root``, which is made when the folder above it exists."""

    def __init__(self, remote: Remote, root: str, url: str) -> None:
        self.url = url
        self._remote, self._files, self._root = remote, remote.files, root.rstrip("/")

    def check(self) -> None:
        """Write and remove a small object."""
        name = f"check-{secrets.token_hex(4)}"
        self.put(name, b"?")
        self.delete(name)

    def create(self, name: str) -> RemoteWriter:
        """Begin an object in a hidden file beside it."""
        path = self.path(check_name(name))
        folder, _, last = path.rpartition("/")
        with self.errors("write", name):
            self._make(folder)
            if self._files.exists(path):
                raise taken(name)
            partial = f"{folder}/.{last}.{secrets.token_hex(6)}{_PARTIAL}"
            return RemoteWriter(self, self._remote, name, partial)

    def put(self, name: str, data: bytes) -> Stored:
        """Write a small object."""
        with self.create(name) as writer:
            writer.write(data)
            return writer.commit()

    def read(self, name: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """Return a part of an object."""
        with self.open(name) as file, self.errors("read", name):
            file.seek(offset)
            return file.read() if length is None else file.read(length)

    def open(self, name: str) -> BinaryIO:
        """Open an object."""
        self.stat(name)
        with self.errors("read", name):
            raw = self._files.open(self.path(name), "rb")
        return io.BufferedReader(cast("io.RawIOBase", Raw(raw)), _READ_AHEAD)

    def stat(self, name: str) -> Stored:
        """Describe an object."""
        path = self.path(check_name(name))
        with self.errors("look at", name):
            found = self._files.info(path)
        if found["type"] != "file":
            raise NotFound(f"'{name}' in {self.url} is not a file")
        return _stored(name, found)

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """Yield objects in order."""
        yield from (stored for stored in self._walk(prefix) if not _is_partial(stored.name))

    def folders(self, prefix: str = "") -> Iterator[str]:
        """Yield the next segments."""
        inside = self._inside(check_prefix(prefix).rstrip("/"))
        yield from sorted(
            name for name, found in inside.items() if found["type"] == "directory" and is_name(name)
        )

    def delete(self, name: str) -> None:
        """Remove an object, and the folders that this leaves empty."""
        self.stat(name)
        with self.errors("delete", name):
            self._files.rm_file(self.path(name))
        self._prune(name)

    def leftovers(self, prefix: str = "") -> Iterator[Stored]:
        """Yield hidden files of writes that did not finish."""
        yield from (stored for stored in self._walk(prefix) if _is_partial(stored.name))

    def sweep(self, leftover: str) -> None:
        """Remove a hidden file."""
        check_name("/".join(part.lstrip(".") for part in leftover.split("/")))
        if not _is_partial(leftover):
            raise StorageError(f"'{leftover}' is not a leftover")
        with self.errors("sweep", leftover):
            self._files.rm_file(self.path(leftover))
        self._prune(leftover)

    def path(self, name: str) -> str:
        """Return where an object lies on the far side."""
        return f"{self._root}/{name}"

    def _walk(self, prefix: str) -> Iterator[Stored]:
        folder = check_prefix(prefix).rpartition("/")[0]
        found = [
            each
            for each in self._below(folder)
            if _shown(each.name).startswith(prefix) and is_name(_shown(each.name))
        ]
        yield from sorted(found, key=lambda stored: stored.name)

    def _below(self, folder: str) -> Iterator[Stored]:
        for last, found in self._inside(folder, hidden=True).items():
            name = f"{folder}/{last}" if folder else last
            if found["type"] == "directory":
                yield from self._below(name)
            elif found["type"] == "file" and (not last.startswith(".") or _is_partial(last)):
                yield _stored(name, found)

    def _inside(self, folder: str, *, hidden: bool = False) -> dict[str, dict[str, Any]]:
        with self.errors("list", folder or "."):
            try:
                found = self._files.ls(f"{self._root}/{folder}".rstrip("/"), detail=True)
            except FileNotFoundError:
                return {}
        named = {each["name"].rstrip("/").rpartition("/")[2]: each for each in found}
        return {name: each for name, each in named.items() if hidden or not name.startswith(".")}

    def _make(self, folder: str) -> None:
        if self._files.isdir(folder):
            return
        if folder == self._root:
            above = folder.rpartition("/")[0] or "/"
            if not self._files.isdir(above):
                raise StorageUnavailable(
                    f"cannot write to {self.url}: there is no folder '{above}'",
                    hint="is the disk of that machine mounted?",
                )
        else:
            self._make(folder.rpartition("/")[0])
        try:
            self._files.mkdir(folder, create_parents=False)
        except Exception:
            if not self._files.isdir(folder):  # nobody else made it meanwhile
                raise

    def _prune(self, name: str) -> None:
        folders = name.split("/")[:-1]
        while folders:
            try:
                self._files.rm(self.path("/".join(folders)), recursive=False)
            except Exception:  # noqa: BLE001 -- not empty, or gone: each protocol says it differently
                return
            folders.pop()

    @contextmanager
    def errors(self, doing: str, name: str) -> Iterator[None]:
        """Raise what the far side says as an error of ours."""
        what = f"cannot {doing} '{name}' in {self.url}"
        try:
            yield
        except BackupError:
            raise
        except FileNotFoundError as error:
            raise NotFound(f"no object '{name}' in {self.url}") from error
        except FileExistsError as error:
            raise taken(name) from error
        except PermissionError as error:
            raise StorageDenied(f"{what}: permission denied") from error
        except self._remote.lost as error:
            raise StorageUnavailable(
                f"{what}: {error or 'the connection was lost'}", hint="is the machine up?"
            ) from error
        except Exception as error:
            if any(sign in str(error).lower() for sign in _FULL):
                raise StorageFull(f"no room left to {doing} '{name}' in {self.url}") from error
            raise StorageError(f"{what}: {error}") from error


def _stored(name: str, found: dict[str, Any]) -> Stored:
    modified = found.get("mtime") or datetime.fromtimestamp(0, UTC)
    return Stored(name, int(found["size"]), modified)


def _is_partial(name: str) -> bool:
    last = name.rpartition("/")[2]
    return last.startswith(".") and last.endswith(_PARTIAL)


def _shown(name: str) -> str:
    """Return the name under which a leftover is looked for: its object's."""
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.lstrip('.')}"
