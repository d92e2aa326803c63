"""Carries out an import: all of a file is checked, then all of it is saved, or nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import Saving, ScheduleVersion
from airflow_backup.core.errors import Refused
from airflow_backup.core.ids import dag_id
from airflow_backup.plugin.access import Access
from airflow_backup.plugin.airflow import changes as airflow_changes
from airflow_backup.plugin.airflow import reads as airflow_reads
from airflow_backup.plugin.airflow.imported import Told, tell
from airflow_backup.plugin.airflow.transactions import DatabaseBusy
from airflow_backup.plugin.errors import ImportRefused, ImportWrong
from airflow_backup.plugin.schemas.exchange import ImportCounts, ImportRequest, ImportResults
from airflow_backup.plugin.services import edits, queries
from airflow_backup.plugin.services.exchange.file import File, read_file
from airflow_backup.plugin.services.exchange.plan import Decision, Known, decide
from airflow_backup.plugin.views.rows import join


@dataclass(frozen=True)
class Importer:
    """Imports for one user."""

    catalog: Catalog
    session: Session
    access: Access
    now: datetime

    def carry_out(self, body: ImportRequest) -> ImportResults:
        """Import a file; refused as a whole where one schedule is, unless it is only asked what would happen."""
        visible = queries.visible(self.catalog, self.access)
        skips = body.on_conflict == "skip"
        there = queries.elsewhere(self.catalog, visible, stays=skips)
        file = read_file(body.yaml, elsewhere=there)
        decisions = decide(file.entries, self._known(file), on_conflict=body.on_conflict)
        results = results_of(file, decisions, dry_run=body.dry_run)
        if body.dry_run:
            return results
        if not results.possible:
            raise _refusal(results)
        savings = [each for each in decisions if each.definition is not None]
        if savings:
            self._save(savings)
        return results.model_copy(update={"saved": bool(savings)})

    def _known(self, file: File) -> Known:
        ids = [entry.id for entry in file.entries if entry.id is not None]
        saved = self.catalog.schedules.some(ids)
        deployed = self.catalog.deployed.some(ids)
        rows = {row.id: row for row in join(deployed, saved)}
        dags = airflow_reads.dags(self.session, [dag_id(name) for name in ids])
        ours = {each.id for each in saved} | {each.id for each in deployed}
        return Known(
            rows=rows,
            newest={each.id: each for each in saved},
            foreign={
                name
                for name in set(ids) - ours
                if (dag := dags.get(dag_id(name))) is not None and not dag.stale
            },
            visible=self.access.readable(ids, existing=dags)
            | {
                row.id
                for row in rows.values()
                if self.access.has_just_made(row.made, existing=dags)
            },
            replaceable={
                row.id
                for row in rows.values()
                if row.made is not None and self.access.may_change(row.id, row.made)
            },
        )

    def _save(self, decisions: Sequence[Decision]) -> None:
        user = self.access.user
        savings = [_saving(each, author=user.get_name(), at=self.now) for each in decisions]
        try:
            self.catalog.schedules.save_all(savings, author=user.get_name(), at=self.now)
        except Refused as error:
            raise Refused(
                f"nothing was imported: {error.message}",
                hint="somebody was faster; look at it once more",
            ) from error
        told = [_told(each, saving) for each, saving in zip(decisions, savings, strict=True)]
        try:
            tell(self.session, told, user_id=str(user.get_id()), user_name=user.get_name())
            airflow_changes.request_parse(self.session)
        except DatabaseBusy as error:
            raise DatabaseBusy(
                "the schedules are imported, but Airflow's database was too busy for its audit log",
                hint="they become DAGs within minutes; the events of the catalog say who imported them",
            ) from error


def results_of(file: File, decisions: Sequence[Decision], *, dry_run: bool) -> ImportResults:
    """Sum up what becomes of the file."""
    found = Counter(each.result.outcome for each in decisions)
    return ImportResults(
        dry_run=dry_run,
        possible=not file.problems and not found["refused"],
        saved=False,
        counts=ImportCounts(**{str(outcome): count for outcome, count in found.items()}),
        problems=file.problems,
        schedules=[each.result for each in decisions],
    )


def _refusal(results: ImportResults) -> ImportRefused:
    refused = [each for each in results.schedules if each.outcome == "refused"]
    wrong = [*results.problems, *(problem for each in refused for problem in each.problems)]
    told = results.model_dump(mode="json")
    if wrong:
        first = wrong[0]
        where = f"line {first.line}: " if first.line is not None else ""
        return ImportWrong(f"nothing was imported: {where}{first.message}", first.hint, told)
    detail = refused[0].detail or ""
    return ImportRefused(f"nothing was imported: {detail}", refused[0].hint, told)


def _saving(decision: Decision, *, author: str, at: datetime) -> Saving:
    definition, before = dict(decision.definition or {}), decision.before
    version = 0 if before is None else before.version
    schedule_id = str(definition["id"])
    saved = ScheduleVersion(
        id=schedule_id, version=version + 1, definition=definition, author=author, created_at=at
    )
    return Saving(
        id=schedule_id,
        definition=definition,
        after_version=version,
        action=f"schedule_{edits.verb(before, deleted=False)}",
        detail=edits.summary_of(before, saved),
    )


def _told(decision: Decision, saving: Saving) -> Told:
    is_new = decision.result.outcome == "created"
    return Told(
        dag_id=dag_id(saving.id),
        event=f"backup_{saving.action}",
        detail=saving.detail,
        paused=not saving.definition.get("enabled", True) if is_new else None,
    )
