"""What a schedule may say about restic."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from airflow_backup.core.connections import Connections
from airflow_backup.core.paths.places import local_places
from airflow_backup.core.words import Kind
from airflow_backup.engines.shared.options import FirstPath, SeveralPaths, Unreadable
from airflow_backup.schedules.model.base import AbsolutePath, ConnectionId, Pattern
from airflow_backup.schedules.model.sources import EngineOptions
from airflow_backup.schedules.schema.asked import asked

_RCLONE = re.compile(r"rclone:[\w][\w .+@-]*:.*", re.DOTALL)
_SFTP_HOST = re.compile(r"sftp:(?://)?(?:[^@/]*@)?(?!-)[^/]*")


def check_restic_address(address: str) -> str:
    """
    Return where restic keeps its data; ValueError for what would be a program's option or hold a password.

    >>> check_restic_address("sftp:backup@vault:/srv/restic")
    'sftp:backup@vault:/srv/restic'
    >>> check_restic_address("rclone::sftp,ssh=reboot:/srv")
    Traceback (most recent call last):
    ValueError: 'rclone:' takes the name of a remote that rclone's own configuration has
    """
    rest = address.partition("://")[2].partition("/")[0]
    if address.startswith("-") or ":" in rest.rpartition("@")[0]:
        raise ValueError("`restic_repository` begins with '-' or holds a password")
    if any(ord(letter) < 32 for letter in address):
        raise ValueError("`restic_repository` holds an end of line or another control character")
    if address.startswith("rclone:") and not _RCLONE.fullmatch(address):
        raise ValueError("'rclone:' takes the name of a remote that rclone's own configuration has")
    if address.startswith("sftp:") and not _SFTP_HOST.match(address):
        raise ValueError("the host of 'sftp:' begins with '-'")
    return address


def http_host_of(address: str) -> str | None:
    """
    Return the host that restic asks by HTTP; None where the address names none.

    >>> http_host_of("s3:http://169.254.169.254/x"), http_host_of("rest:https://me@[::1]:8000/")
    ('169.254.169.254', '::1')
    >>> http_host_of("s3:minio:9000/b")
    'minio'
    >>> http_host_of("sftp:me@vault:/srv"), http_host_of("/srv/restic")
    (None, None)
    """
    scheme, _, rest = address.partition(":")
    if scheme not in ("rest", "s3"):
        return None
    return urlsplit(rest if "://" in rest else f"//{rest.lstrip('/')}").hostname


class ResticOptions(EngineOptions):
    """Folders and files, saved by restic as deduplicating snapshots in a repository of restic's own."""

    engine: Literal["restic"]
    """Which engine reads the source."""

    path: FirstPath = None
    """The folder or file to back up."""

    paths: SeveralPaths | None = None
    """Several folders or files, instead of `path`."""

    exclude: Annotated[
        list[Pattern], Field(max_length=10_000), asked("Leave out", usual=False, example="*.tmp")
    ] = []
    """Leave out what matches one of these patterns, in restic's own syntax."""

    restic_repository: Annotated[
        str,
        Field(min_length=1, max_length=2000),
        asked("restic's repository", example="/srv/restic"),
    ]
    """
    Where restic keeps its data, as restic writes it: a folder, `s3:...`, `sftp:...`, `rest:...`. No passwords in it.
    """

    connection: Annotated[ConnectionId, asked("Airflow connection", example="restic_password")]
    """
    The Airflow connection whose password opens the repository; its extra may have variables such as
    `AWS_ACCESS_KEY_ID`.
    """

    init: Annotated[bool, asked("Make the repository when there is none", usual=False)] = False
    """Make the repository when there is none. Off, so that a disk that is not mounted is not mistaken for a new one."""

    on_unreadable: Unreadable = "fail"
    """Whether a file that restic cannot read fails the run, or is left out, listed, and told of."""

    program: Annotated[AbsolutePath | None, asked("The restic program", usual=False)] = None
    """The restic program; the one in `PATH` when missing."""

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds that can be taken: a snapshot stores what changed, and restores without others."""
        return frozenset({Kind.FULL, Kind.INCREMENTAL})

    @property
    def roots(self) -> list[str]:
        """The folders and files to back up, at least one."""
        return self.paths if self.paths is not None else [self.path or ""]

    @model_validator(mode="after")
    def _one_of_path_and_paths(self) -> ResticOptions:
        if (self.path is None) == (self.paths is None):
            raise ValueError("write either `path` or `paths`")
        return self

    @model_validator(mode="after")
    def _the_password_is_elsewhere(self) -> ResticOptions:
        check_restic_address(self.restic_repository)
        return self

    @property
    def local_places(self) -> tuple[str, ...]:
        """restic's own repository, where it is a folder."""
        scheme = self.restic_repository.partition(":")[0]
        is_folder = self.restic_repository.startswith("/") or scheme in (
            "local",
            self.restic_repository,
        )
        return (self.restic_repository.removeprefix("local:"),) if is_folder else ()

    def places(self, connections: Connections) -> tuple[str, ...]:
        """Name the folders that are read; the connection is that of restic's own repository."""
        return local_places(self.local_paths)

    @property
    def local_paths(self) -> tuple[str, ...]:
        """The folders and files to back up, at least one."""
        return tuple(self.roots)
