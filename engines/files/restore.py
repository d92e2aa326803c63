"""Unpacks an archive of the files engine into a folder that it never leaves."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from airflow_backup.core.progress import Reporter
from airflow_backup.engines.files.helpers.helpers import Helpers
from airflow_backup.engines.files.helpers.unpacking import Archive, Unpacking
from airflow_backup.engines.files.tar.reader import TarReader
from airflow_backup.engines.protocol import RestoreReport
from airflow_backup.engines.shared.restore_marker import MARKER
from airflow_backup.engines.shared.restore_root import RestoreRoot, open_target


def restore_archive(blocks: Iterator[bytes], target: Path, reporter: Reporter) -> RestoreReport:
    """Unpack one whole archive, and read it to its end: damage anywhere in it is raised."""
    return restore_members(TarReader(blocks), target, reporter, rest=blocks)


def restore_members(
    archive: Archive,
    target: Path,
    reporter: Reporter,
    *,
    rest: Iterable[bytes] = (),
    resume: bool = False,
) -> RestoreReport:
    """
    Unpack; the folder must be empty or missing. Damage found on the way is raised.

    ``resume`` goes on with what an earlier attempt left: what is whole is not written again.
    """
    folder = open_target(target, resume=resume)
    root = RestoreRoot(folder)
    with ExitStack() as running:
        helpers = Helpers(folder, running)
        workers = None if resume else helpers
        unpacking = Unpacking(
            archive,
            root,
            reporter,
            resume=resume,
            workers=workers,
            is_marked=MARKER in os.listdir(folder),
        )
        try:
            unpacking.run()
            for _ in rest:
                pass
            root.close()
            helpers.finish()
        except BaseException:
            root.abandon()
            raise
    return RestoreReport(
        files=unpacking.files,
        bytes_written=unpacking.bytes_written,
        warnings=tuple(unpacking.warnings),
    )
