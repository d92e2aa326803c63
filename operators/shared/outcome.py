"""Keeps what came of a task that a person asked for, where the page finds it: its result, or why it failed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from airflow.sdk import Context

from airflow_backup.core.errors import BackupError

logger = logging.getLogger(__name__)

KEY = "outcome"

_LEAVE = 5.0
"""Seconds that Airflow is waited for: its answer may not come, and the work is over."""


def keeping_outcome(context: Context, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Do the work, and keep what it returns, or what it raises."""
    try:
        result = work()
    except BackupError as error:
        _keep(context, {"error": error.message, "hint": error.hint})
        raise
    except Exception as error:
        # What it says may be anything, and is in the log, which not everybody reads.
        _keep(
            context,
            {"error": f"it ended with {type(error).__name__}", "hint": "what does its log say?"},
        )
        raise
    _keep(context, {"result": result})
    return result


def _keep(context: Context, outcome: dict[str, Any]) -> None:
    store = context.get("task_state_store")
    if store is None:
        return

    def tell() -> None:
        try:
            store.set(KEY, outcome)
        except Exception as error:  # noqa: BLE001 -- Airflow's may be any
            logger.warning("the page cannot be told what came of it: %s", error)

    thread = threading.Thread(target=tell, name="outcome", daemon=True)
    thread.start()
    thread.join(_LEAVE)
