"""The schedules files as they were in a git revision."""

from __future__ import annotations

import io
import tarfile
import tempfile
from pathlib import Path

from airflow_backup.core.errors import BackupError, NotFound
from airflow_backup.schedules.loading.loader import Loaded, load


def load_revision(revision: str, path: Path) -> Loaded:
    """Read the schedules at ``path`` as they were in ``revision``; raise NotFound for what git does not know."""
    inside = path.resolve()
    if revision.startswith("-"):
        raise NotFound(f"no git revision '{revision}'")
    from airflow_backup.core.process import commands  # not for a system that has no such processes

    try:
        archive = commands.run(
            [
                "git",
                "-C",
                str(inside.parent),
                "archive",
                "--format=tar",
                revision,
                "--",
                inside.name,
            ]
        ).output
    except BackupError as error:
        raise NotFound(
            f"git has no {path} in '{revision}'",
            hint="is it committed there? two paths can be compared without git",
        ) from error
    from airflow_backup.engines.shared.tar_unpack import unpack_all  # engines are much to load

    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            unpack_all(tar, Path(folder))
        return load(Path(folder) / inside.name)
