"""Does what a restore's plan says: into an empty folder, beside a full one, or into a server."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path as Folder
from typing import TYPE_CHECKING, Any

from airflow_backup.actions.restore.marking import drop_marker, end_marker, marked, remove_if_empty
from airflow_backup.actions.restore.plan import RestorePlan
from airflow_backup.actions.restore.swap import Swap
from airflow_backup.actions.restore.target import (
    ServerTarget,
    Target,
    look_at,
)
from airflow_backup.actions.sets.repository import saying_when_gone
from airflow_backup.core.errors import ConfigError, Refused, VerifyError
from airflow_backup.core.memory import keep_freed_memory
from airflow_backup.engines.capabilities import Loader, Resumer
from airflow_backup.engines.protocol import Engine, EngineContext, RestoreReport
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

    passed_over: tuple[str, ...] = ()
    """Newer sets, or later logs, that were not good enough, and why."""

    warnings: tuple[str, ...] = ()
    """What the plan doubted, and what the engine could not bring back."""

    @property
    def is_plain(self) -> bool:
        """Whether the newest state that was asked for came back, and all of it."""
        return not self.passed_over and not self.warnings

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
            "passed_over": list(self.passed_over),
            "warnings": list(self.warnings),
        }


def carry_out(
    what: RestorePlan,
    context: EngineContext,
    *,
    engines: Registry | None = None,
    catalog: Catalog | None = None,
    actor: str = "airflow-backup",
) -> RestoreResult:
    """Do what a plan says; Refused where it says that it cannot be done."""
    if what.refused is not None:
        raise Refused(what.refused, hint=what.hint)
    keep_freed_memory()
    begun = time.monotonic()
    engine = (engines or registry()).get(what.engine)
    kept: Folder | None = None
    with saying_when_gone(what.storage, what.repository_id):
        if isinstance(what.target, ServerTarget):
            report = _load(engine, what, what.target, context)
        elif what.replaces:
            report, kept = _swap(engine, what, what.target, context)
        else:
            report = _fill(engine, what, what.target, context)
    seconds = time.monotonic() - begun
    if catalog is not None:
        catalog.events.append(
            at=context.clock(),
            actor=actor,
            action="restore",
            subject=what.schedule_id,
            detail={
                "set_id": what.chain[-1].manifest.set_id,
                "target": str(what.target),
                "bytes_read": what.bytes_to_read,
                "bytes_written": report.bytes_written,
                "seconds": 0 if what.resumes or what.only else round(seconds, 3),
            },
        )
    return RestoreResult(
        schedule_id=what.schedule_id,
        set_ids=tuple(each.manifest.set_id for each in what.chain),
        target=what.target,
        consistent_at=what.consistent_at,
        report=report,
        seconds=seconds,
        kept=kept,
        passed_over=tuple(what.gaps),
        warnings=(*what.warnings, *report.warnings),
    )


def _load(
    engine: Engine[Any], what: RestorePlan, target: ServerTarget, context: EngineContext
) -> RestoreReport:
    if not isinstance(engine, Loader):
        raise ConfigError(
            f"the {engine.name} engine restores into folders only", hint="--to FOLDER"
        )
    return engine.load(
        what.chain,
        context,
        connection=target.connection,
        database=target.database,
        until=what.until,
        overwrite=what.replaces,
    )


def _fill(
    engine: Engine[Any],
    what: RestorePlan,
    target: Folder,
    context: EngineContext,
    *,
    when_whole: Callable[[], None] = lambda: None,
) -> RestoreReport:
    """Restore into a folder that is empty, or holds a part of the same restore."""
    resumer = engine if isinstance(engine, Resumer) else None
    if what.resumes and resumer is None:
        raise Refused(
            f"'{target}' holds an unfinished restore, and the {engine.name} engine cannot go on with it",
            hint="remove the folder, and restore again",
        )
    with marked(target, what.marker()) as (held, is_new):
        try:
            how = resumer.resume if what.resumes and resumer is not None else engine.restore
            report = how(what.chain, target, context, only=what.only, until=what.until)
            _check_count(what, report)
        except BaseException:
            # A try that came to nothing must not be in the way of the next one.
            drop_marker(held, all_of_it=resumer is None)
            if is_new:
                remove_if_empty(target)
            raise
        when_whole()
        end_marker(held, what.marker())
        return report


def _check_count(what: RestorePlan, report: RestoreReport) -> None:
    last = what.chain[-1].manifest
    if last.totals.files and not report.files:
        raise VerifyError(
            f"nothing came back of set '{last.set_id}', which holds {last.totals.files}",
            hint=f"which engine wrote it? its manifest says {last.engine}",
        )


def _swap(
    engine: Engine[Any], what: RestorePlan, target: Folder, context: EngineContext
) -> tuple[RestoreReport, Folder | None]:
    """Restore beside the folder, then let the two change places."""
    swap = Swap(target, what.marker())
    if swap.is_whole:
        return RestoreReport(files=what.chain[-1].manifest.totals.files, bytes_written=0), (
            swap.carry_out()
        )
    swap.clear()
    found = look_at(swap.beside, what.marker(), needed=0, replace=False)
    if found.refused is not None:
        raise Refused(found.refused, hint=f"rename or remove '{swap.beside}', and restore again")
    inside = dataclasses.replace(what, resumes=found.resumes, replaces=False)
    kept = f"{swap.target.name}.before-{context.clock():%Y%m%dT%H%M%SZ}"
    report = _fill(engine, inside, swap.beside, context, when_whole=lambda: swap.is_ready(kept))
    return report, swap.carry_out()
