"""Does what a restore's plan says: into an empty folder, beside a full one, or into a server."""

from __future__ import annotations

import dataclasses
import os
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path as Folder
from typing import TYPE_CHECKING, Any, cast

from airflow_backup.actions.restore_plan import (
    RestorePlan,
    ServerTarget,
    Target,
    begin_marker,
    end_marker,
    look_at,
)
from airflow_backup.core.errors import ConfigError, Refused
from airflow_backup.core.memory import keep_freed_memory
from airflow_backup.engines.protocol import (
    Engine,
    Loader,
    RestoreReport,
    Resumer,
    Surroundings,
)
from airflow_backup.engines.registry import Registry, registry

if TYPE_CHECKING:
    from airflow_backup.catalog import Catalog


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreResult:
    """Which sets were restored where, and what came of it."""

    schedule_id: str
    set_ids: tuple[str, ...]
    target: Target
    consistent_at: datetime
    report: RestoreReport
    seconds: float = 0.0
    kept: Folder | None = None
    """Where that is which was in the target before; None when nothing was."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "schedule_id": self.schedule_id,
            "set_ids": list(self.set_ids),
            "target": str(self.target),
            "consistent_at": self.consistent_at.isoformat(),
            "files": self.report.files,
            "bytes_written": self.report.bytes_written,
            "seconds": round(self.seconds, 3),
            "kept": None if self.kept is None else str(self.kept),
            "warnings": list(self.report.warnings),
        }


def carry_out(
    what: RestorePlan,
    around: Surroundings,
    *,
    engines: Registry | None = None,
    catalog: Catalog | None = None,
    actor: str = "airflow-backup",
) -> RestoreResult:
    """Do what a plan says; Refused where it says that it cannot be done."""
    if what.refused is not None:
        raise Refused(what.refused, hint="restore to a new or empty folder")
    keep_freed_memory()
    begun = time.monotonic()
    engine = (engines or registry()).get(what.engine)
    kept: Folder | None = None
    if isinstance(what.target, ServerTarget):
        report = _load(engine, what, what.target, around)
    elif what.replaces:
        report, kept = _swap(engine, what, what.target, around)
    else:
        report = _fill(engine, what, what.target, around)
    seconds = time.monotonic() - begun
    if catalog is not None:
        catalog.events.append(
            at=around.clock(),
            actor=actor,
            action="restore",
            subject=what.schedule_id,
            detail={
                "set_id": what.path[-1].manifest.set_id,
                "target": str(what.target),
                "bytes_read": what.bytes_to_read,
                "bytes_written": report.bytes_written,
                "seconds": 0 if what.resumes or what.only else round(seconds, 3),
            },
        )
    return RestoreResult(
        schedule_id=what.schedule_id,
        set_ids=tuple(each.manifest.set_id for each in what.path),
        target=what.target,
        consistent_at=what.consistent_at,
        report=report,
        seconds=seconds,
        kept=kept,
    )


def _load(
    engine: Engine, what: RestorePlan, target: ServerTarget, around: Surroundings
) -> RestoreReport:
    if not hasattr(engine, "load"):
        raise ConfigError(
            f"the {engine.name} engine restores into folders only", hint="--to FOLDER"
        )
    return cast("Loader", engine).load(
        what.path,
        around,
        connection=target.connection,
        database=target.database,
        until=what.until,
        overwrite=what.replaces,
    )


def _fill(engine: Engine, what: RestorePlan, target: Folder, around: Surroundings) -> RestoreReport:
    """Restore into a folder that is empty, or holds a part of the same restore."""
    if what.resumes and not hasattr(engine, "resume"):
        raise Refused(
            f"'{target}' holds an unfinished restore, and the {engine.name} engine cannot go on with it",
            hint="remove the folder, and restore again",
        )
    begin_marker(target, what.marker())
    if what.resumes:
        resume = cast("Resumer", engine).resume
        report = resume(what.path, target, around, only=what.only, until=what.until)
    else:
        report = engine.restore(what.path, target, around, only=what.only, until=what.until)
    end_marker(target)
    return report


def _swap(
    engine: Engine, what: RestorePlan, target: Folder, around: Surroundings
) -> tuple[RestoreReport, Folder]:
    """Restore beside the folder, then let the two change places."""
    target = Folder(os.path.abspath(target))
    beside = target.with_name(f"{target.name}.restoring")
    found = look_at(beside, what.marker(), needed=0, replace=False)
    if found.refused is not None:
        raise Refused(found.refused, hint="remove it, and restore again")
    inside = dataclasses.replace(what, resumes=found.resumes, replaces=False)
    report = _fill(engine, inside, beside, around)
    kept = target.with_name(f"{target.name}.before-{around.clock():%Y%m%dT%H%M%SZ}")
    if os.path.lexists(kept):
        raise Refused(f"'{kept}' is there already", hint="wait a second, and try again")
    target.rename(kept)
    beside.rename(target)
    return report, kept
