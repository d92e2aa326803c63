"""Which machine a task runs on, and how Airflow sent it there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from airflow.sdk.configuration import conf

from airflow_backup.core.worker import Worker, this_host
from airflow_backup.operators.shared.airflow_settings import option

_POD = "AIRFLOW_IS_K8S_EXECUTOR_POD"
"""The Kubernetes executor sets it in its pods, whose host names are new each time."""


def worker_of(context: Mapping[str, Any], *, executor: str | None = None) -> Worker:
    """Describe who carries out a task; ``executor`` is the one that the task names, Airflow's first one if none."""
    given = option("host_name")
    is_pod = os.environ.get(_POD, "").lower() in ("true", "1")
    return Worker(
        host=this_host(given),
        queue=getattr(context["ti"], "queue", None),
        executor=executor or conf.get("core", "executor").partition(",")[0].strip(),
        is_lasting=given is not None or not is_pod,
    )
