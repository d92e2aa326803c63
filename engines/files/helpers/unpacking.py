"""Makes the files, folders and links of an archive, with owners, modes, times and attributes."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Protocol

from airflow_backup.core.errors import EngineError, VerifyError
from airflow_backup.core.progress import Reporter
from airflow_backup.core.text.names import shown
from airflow_backup.engines.files.tar import writer as tar
from airflow_backup.engines.files.tar.member import Member
from airflow_backup.engines.shared.restore_marker import stand_in
from airflow_backup.engines.shared.restore_root import RestoreRoot

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_TELL_EVERY = 4 * 1024 * 1024


class Archive(Protocol):
    """Gives members one by one, and the content of each before the next."""

    def __iter__(self) -> Iterator[Member]: ...

    def content(self) -> Iterator[memoryview]:
        """Yield the content of the current member."""
        ...

    def whole_content(self) -> memoryview | None:
        """Return the content of the current member when all of it is at hand, else None."""
        ...

    def sparse_segments(self) -> Iterable[tuple[int, int]]:
        """Return where a member that is given in parts has data: offsets and lengths."""
        ...

    def take(self, size: int) -> Iterator[memoryview]:
        """Yield the next bytes of such a member."""
        ...


class Workers(Protocol):
    """Whoever makes small files in our place, later."""

    def wants(self, member: Member) -> bool:
        """Whether to give it a regular file."""
        ...

    def file(self, member: Member, content: Iterable[memoryview]) -> None:
        """Give a small file to a worker, which writes it."""
        ...

    def dress(self, member: Member) -> bool:
        """Have a folder's attributes set behind its files; False when they are left to the caller."""
        ...

    def settle(self) -> None:
        """Wait until all of that is done."""
        ...


class Unpacking:
    """
    Makes the members of an archive below a restore root; damage found on the way is raised.

    ``resume`` leaves alone what an earlier attempt made whole; ``workers`` help with small files. ``is_marked``:
    the marker of an unfinished restore is in the target, and names that would hit it give way.
    """

    def __init__(
        self,
        archive: Archive,
        root: RestoreRoot,
        reporter: Reporter,
        *,
        resume: bool = False,
        workers: Workers | None = None,
        is_marked: bool = False,
    ) -> None:
        self._resume, self._workers, self._is_marked = resume, workers, is_marked
        self.files = 0
        self.bytes_written = 0
        self.warnings: list[str] = []
        self._archive, self._root, self._reporter = archive, root, reporter
        self._may_chown = os.geteuid() == 0
        self._untold = self._untold_files = 0
        self._makers: dict[bytes, Callable[[Member], None]] = {
            tar.REGULAR: self._file,
            tar.FOLDER: self._folder,
            tar.SYMLINK: self._symlink,
            tar.HARD_LINK: self._hard_link,
            tar.FIFO: self._fifo,
        }

    def run(self) -> None:
        for member in self._archive:
            maker = self._makers.get(member.kind)
            self.files += 1
            if maker is None:
                self._warn(member, "devices are not restored; make it with mknod")
                continue
            if self._is_marked:
                self._give_way(member)
            self._make(maker, member)
            self._untold_files += 1
            if self._untold >= _TELL_EVERY or self._untold_files >= 1000:
                self._tell()
        self._tell()

    def _give_way(self, member: Member) -> None:
        member.name = stand_in(member.name)
        if member.kind == tar.HARD_LINK:
            member.link = stand_in(member.link)

    def _make(self, maker: Callable[[Member], None], member: Member) -> None:
        try:
            try:
                maker(member)
            except FileExistsError:
                if not self._resume:
                    raise
                self._make_again(maker, member)
        except FileExistsError as error:
            raise VerifyError(
                f"'{_shown(member)}' is in the archive twice", hint="who made this archive?"
            ) from error
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise EngineError(
                f"cannot restore '{_shown(member)}': {why}", hint="what does df say of the target?"
            ) from error

    def _make_again(self, maker: Callable[[Member], None], member: Member) -> None:
        parent, name = self._root.parent_of(member.name)
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if self._is_whole(member, parent, name, found):
            self._untold += found.st_size if member.kind == tar.REGULAR else 0
            return
        os.unlink(name, dir_fd=parent)  # of a folder, this fails: something else was put there
        maker(member)

    def _is_whole(self, member: Member, parent: int, name: bytes, found: os.stat_result) -> bool:
        # The time of a file is set when all of it is written.
        if member.kind == tar.REGULAR:
            return stat.S_ISREG(found.st_mode) and (found.st_size, found.st_mtime_ns) == (
                member.real_size,
                member.mtime_ns,
            )
        if member.kind == tar.SYMLINK:
            return stat.S_ISLNK(found.st_mode) and os.readlink(name, dir_fd=parent) == member.link
        if member.kind == tar.HARD_LINK:
            return self._is_same_file(member.link, found)
        return False

    def _is_same_file(self, link: bytes, found: os.stat_result) -> bool:
        source, first = self._root.reach(link)
        try:
            target = os.stat(first, dir_fd=source, follow_symlinks=False)
        finally:
            os.close(source)
        return (target.st_dev, target.st_ino) == (found.st_dev, found.st_ino)

    def _tell(self) -> None:
        self._reporter.advance(bytes_done=self._untold, files_done=self._untold_files)
        self._untold = self._untold_files = 0

    def _file(self, member: Member) -> None:
        if self._workers is not None and self._workers.wants(member):
            whole = self._archive.whole_content()
            self._workers.file(member, self._archive.content() if whole is None else (whole,))
            self._count(member.size)
            return
        parent, name = self._root.parent_of(member.name)
        file = os.open(name, _NEW_FILE, 0o600, dir_fd=parent)
        try:
            if member.is_sparse:
                self._fill_sparse(file, member)
            else:
                whole = self._archive.whole_content()
                self._fill(file, self._archive.content() if whole is None else (whole,))
            self._dress(member, file)
        finally:
            os.close(file)

    def _fill(self, file: int, content: Iterable[memoryview]) -> None:
        for part in content:
            left = part
            while left:
                left = left[os.write(file, left) :]
            self._count(len(part))
            if self._untold >= _TELL_EVERY:
                self._tell()

    def _count(self, size: int) -> None:
        self.bytes_written += size
        self._untold += size

    def _fill_sparse(self, file: int, member: Member) -> None:
        size = member.real_size
        for offset, length in self._archive.sparse_segments():
            if offset + length > size:
                raise VerifyError(f"'{_shown(member)}' has data after its end")
            os.lseek(file, offset, os.SEEK_SET)
            self._fill(file, self._archive.take(length))
        os.ftruncate(file, size)

    def _folder(self, member: Member) -> None:
        self._root.enter(member.name.rstrip(b"/"), partial(self._leave, member))

    def _leave(self, member: Member, descriptor: int) -> None:
        if self._workers is None or not self._workers.dress(member):
            self._dress(member, descriptor)

    def _symlink(self, member: Member) -> None:
        parent, name = self._root.parent_of(member.name)
        os.symlink(member.link, name, dir_fd=parent)
        self._dress_path(member, parent, name)

    def _hard_link(self, member: Member) -> None:
        if self._workers is not None:
            self._workers.settle()
        parent, name = self._root.parent_of(member.name)
        source, first = self._root.reach(member.link)
        try:
            os.link(first, name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(source)

    def _fifo(self, member: Member) -> None:
        parent, name = self._root.parent_of(member.name)
        os.mkfifo(name, mode=0o600, dir_fd=parent)
        if self._may_chown:  # before the mode, of which a new owner would take bits away
            os.chown(name, member.uid, member.gid, dir_fd=parent, follow_symlinks=False)
        os.chmod(name, member.mode & (0o7777 if self._may_chown else 0o1777), dir_fd=parent)
        times = (member.mtime_ns, member.mtime_ns)
        os.utime(name, ns=times, dir_fd=parent, follow_symlinks=False)

    def _dress(self, member: Member, descriptor: int) -> None:
        mode = member.mode & 0o7777
        if self._may_chown:
            os.fchown(descriptor, member.uid, member.gid)
        else:
            mode &= 0o1777  # whoever unpacks is not the owner the bit was meant for
        if len(member.records) > (b"mtime" in member.records):
            self._attribute(member, descriptor)  # before the mode: a read-only file takes none
        os.fchmod(descriptor, mode)
        os.utime(descriptor, ns=(member.mtime_ns, member.mtime_ns))

    def _attribute(self, member: Member, descriptor: int) -> None:
        for name, value in member.attributes.items():
            try:
                os.setxattr(descriptor, name, value)
            except OSError as error:
                why = (error.strerror or str(error)).lower()
            except AttributeError:  # not on macOS
                why = "Python cannot set it on this system"
            else:
                continue
            self._warn(member, f"attribute {os.fsdecode(name)} was not restored: {why}")

    def _dress_path(self, member: Member, parent: int, name: bytes) -> None:
        if self._may_chown:
            os.chown(name, member.uid, member.gid, dir_fd=parent, follow_symlinks=False)
        times = (member.mtime_ns, member.mtime_ns)
        os.utime(name, ns=times, dir_fd=parent, follow_symlinks=False)

    def _warn(self, member: Member, what: str) -> None:
        self.warnings.append(f"'{_shown(member)}': {what}")


def _shown(member: Member) -> str:
    return shown(member.name)
