"""What people tell runs goes to those runs, and to no neighbour."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_backup.catalog import Catalog
from airflow_backup.core.ids import dag_id
from airflow_backup.plugin.airflow import changes, reads
from airflow_backup.plugin.airflow.records import AirflowRun, AirflowTask
from airflow_backup.plugin.services.run_orders import Teller

NOW = datetime(2026, 11, 28, 2, tzinfo=UTC)
TOGETHER = "scheduled__2026-11-28T02:00:00+00:00"


class Ann:
    """Somebody who may cancel everything."""

    user = SimpleNamespace(get_name=lambda: "ann")

    def permissions(self, ids: Iterable[str]) -> dict[str, Any]:
        """Allow it."""
        return {each: SimpleNamespace(cancel=True, reason=None) for each in ids}


def test_a_paused_run_keeps_no_other_one_that_is_due_together_from_being_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("wiki", "crm", "shop")
    runs = [
        AirflowRun(
            dag_id=dag_id(name),
            run_id=TOGETHER,
            run_type="scheduled",
            state="running",
            run_after=NOW,
            tasks={"backup": AirflowTask("running", 1)},
        )
        for name in names
    ]
    monkeypatch.setattr(reads, "active_runs", lambda session, dags: runs)
    monkeypatch.setattr(changes, "check_running", lambda *given: SimpleNamespace(queued_at=None))
    rows: list[Any] = [SimpleNamespace(id=name) for name in names]
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        catalog.orders.add("wiki", TOGETHER, "pause", by="bob", at=NOW)

        def tell(*, is_pause: bool) -> list[str]:
            session: Any = None
            access: Any = Ann()
            teller = Teller(catalog, session, by="ann", now=NOW)
            told = (
                teller.pause_all(access, rows, None)
                if is_pause
                else teller.resume_all(access, rows)
            )
            return [each.schedule_id for each in told]

        assert tell(is_pause=True) == ["crm", "shop"]
        assert tell(is_pause=True) == []
        assert tell(is_pause=False) == ["wiki", "crm", "shop"]
