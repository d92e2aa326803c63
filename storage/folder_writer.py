"""One file of a folder repository while it is written."""

from __future__ import annotations

import contextlib
import errno
import os
from datetime import UTC, datetime

from airflow_backup.core.errors import VerifyError
from airflow_backup.core.format.checksums import Bytes
from airflow_backup.storage.folder_errors import storage_error
from airflow_backup.storage.protocol import Stored
from airflow_backup.storage.writing import OneObject, taken

_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class FolderWriter(OneObject):
    """
    Writes a hidden file and gives it its name at the end.

    Takes over ``folder``, an open descriptor, and closes it.
    """

    def __init__(self, url: str, name: str, *, folder: int, partial: str, final: str) -> None:
        super().__init__(name)
        self._url = url
        self._folder, self._partial, self._final = folder, partial, final
        self._size = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(partial, flags, 0o600, dir_fd=folder)

    def write(self, data: Bytes, /) -> None:
        """Add bytes."""
        self._require_open()
        try:
            left = memoryview(data).cast("B")
            while left:
                done = os.write(self._file, left)
                self._size += done
                left = left[done:]
        except OSError as error:
            raise self._error(error) from error

    def commit(self) -> Stored:
        """Make the file durable and visible, and confirm its size."""
        self._require_open()
        try:
            os.fsync(self._file)
            self._publish()
            os.fsync(self._folder)
            found = os.stat(self._final, dir_fd=self._folder, follow_symlinks=False)
        except OSError as error:
            raise self._error(error) from error
        finally:
            self.abort()
        if found.st_size != self._size:
            raise VerifyError(
                f"'{self._name}' in {self._url} has {found.st_size} bytes, "
                f"and {self._size} were written"
            )
        return Stored(self._name, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))

    def abort(self) -> None:
        """Remove the hidden file."""
        if not self._open:
            return
        self._open = False
        os.close(self._file)
        with contextlib.suppress(OSError):  # what cannot be removed is listed as a leftover
            os.unlink(self._partial, dir_fd=self._folder)
        os.close(self._folder)

    def _publish(self) -> None:
        try:
            os.link(
                self._partial,
                self._final,
                src_dir_fd=self._folder,
                dst_dir_fd=self._folder,
                follow_symlinks=False,
            )
        except FileExistsError as error:
            raise taken(self._name) from error
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            self._rename()

    def _rename(self) -> None:
        # exFAT, CIFS and some FUSE file systems have no links. A rename would replace what two
        # writers of one name race for; the name is unique to an attempt, so they do not.
        with contextlib.suppress(FileNotFoundError):
            os.stat(self._final, dir_fd=self._folder, follow_symlinks=False)
            raise taken(self._name)
        os.rename(self._partial, self._final, src_dir_fd=self._folder, dst_dir_fd=self._folder)

    def _error(self, error: OSError) -> Exception:
        return storage_error(error, doing="write", name=self._name, url=self._url)
