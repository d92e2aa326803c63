"""Tells the catalog of runs whose backup does not begin, so that their history has them and people may be told."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from airflow_backup.actions.backup.failed import note_refused
from airflow_backup.actions.backup.result import Run
from airflow_backup.catalog import Catalog
from airflow_backup.core.clock import utc_now
from airflow_backup.core.errors import BackupError
from airflow_backup.operators.shared.airflow_settings import PATIENCE, catalog_url
from airflow_backup.operators.shared.runs import fire_time_of, run_id_of, trigger_of

log = logging.getLogger(__name__)


def note_skipped(schedule_id: str | None, context: Mapping[str, Any], reason: str) -> None:
    """Tell the catalog; where that fails the run is skipped all the same, and Airflow keeps the reason."""
    if schedule_id is None:
        return
    try:
        with Catalog.open(catalog_url(), patience=PATIENCE) as catalog:
            catalog.executions.skip(
                schedule_id,
                run_id_of(context),
                run_at=fire_time_of(context),
                trigger=trigger_of(context),
                at=utc_now(),
                reason=reason,
            )
    except BackupError as error:
        log.error("the catalog does not know that the run is skipped: %s", error)


def note_unstarted(schedule_id: str, run: Run, error: BackupError) -> None:
    """Tell the catalog why an attempt fails before it works; where that fails it fails all the same."""
    try:
        with Catalog.open(catalog_url(), patience=PATIENCE) as catalog:
            note_refused(catalog, schedule_id, run, error, clock=utc_now)
    except BackupError as unnoted:
        log.error("the catalog does not know why the run fails: %s", unnoted)
