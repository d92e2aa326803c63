"""Runs of schedules in a whole Airflow, started and watched as the page does it."""

from __future__ import annotations

from typing import Any

import httpx

from support.airflow import tasks
from support.airflow.home import AirflowHome

API = "backup/api/v1"
PATIENCE = 400.0
LIMIT = 500
OVER = ("completed", "failed", "skipped", "cancelled")


class Runs:
    """What a person does with runs, over HTTP."""

    def __init__(self, airflow: AirflowHome, api: httpx.Client) -> None:
        self.airflow, self.api = airflow, api

    def wait_until_known(self, *schedules: str) -> None:
        """Wait until Airflow has the schedules."""

        def known() -> bool:
            answer = self.api.get(f"{API}/schedules", params={"limit": LIMIT})
            assert answer.status_code == 200, answer.text
            listed = answer.json()["schedules"]
            return {each["id"] for each in listed if each["enabled"] is not None} >= set(schedules)

        self.airflow.wait_for(known, what=f"schedules {schedules}")

    def start(self, schedule: str, **body: Any) -> str:
        """Run a schedule now; return the id of the run."""
        self.wait_until_known(schedule)
        answer = self.api.post(f"{API}/schedules/{schedule}/run", json=body)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["run_id"])

    def shown(self, schedule: str) -> list[dict[str, Any]]:
        """Return the runs of a schedule, the newest first."""
        answer = self.api.get(f"{API}/schedules/{schedule}/runs", params={"limit": 100})
        return list(answer.json()["runs"]) if answer.status_code == 200 else []

    def find(self, schedule: str, run_id: str) -> dict[str, Any]:
        """Return one run as the page shows it."""
        return next((run for run in self.shown(schedule) if run["run_id"] == run_id), {})

    def end_of(self, schedule: str, run_id: str, *, patience: float = PATIENCE) -> dict[str, Any]:
        """Wait until Airflow has done with a run; return it as the page shows it then."""

        def over() -> bool:
            answer = self.api.get(f"api/v2/dags/backup__{schedule}/dagRuns/{run_id}")
            return answer.status_code == 200 and answer.json()["state"] in ("success", "failed")

        what = f"the end of {schedule} {run_id}: {self.find(schedule, run_id)}"
        self.airflow.wait_for(over, what=what, patience=patience)
        return self.find(schedule, run_id)

    def completed(self, schedule: str) -> dict[str, Any]:
        """Run a schedule to its end, which must be good."""
        run = self.end_of(schedule, self.start(schedule))
        assert run["status"] == "completed", run
        return run

    def work_of(self, schedule: str, run_id: str, task: str = "backup") -> tasks.Work:
        """Wait for the process of a task; return it."""

        def found() -> tasks.Work | None:
            answer = self.api.get(
                f"api/v2/dags/backup__{schedule}/dagRuns/{run_id}/taskInstances/{task}"
            )
            if answer.status_code != 200:
                return None
            wanted = answer.json()["id"]
            return next((work for work in tasks.at_work() if work.id == wanted), None)

        return self.airflow.wait_for(found, what=f"the process of {schedule} {task}")
