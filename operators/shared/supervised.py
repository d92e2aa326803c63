"""Ends a task with its supervisor: Airflow hears no more of one that is left behind, and starts another beside it."""

from __future__ import annotations

from airflow.sdk import BaseOperator, Context
from airflow.sdk.execution_time.comms import CommsDecoder

from airflow_backup.core.errors import Cancelled
from airflow_backup.core.process import running
from airflow_backup.core.process.orphan import end_with_parent


class SupervisedOperator(BaseOperator):
    """
    The base of operators that work for long, and have an ``on_kill``.

    Where the process that watches over the task is killed (out of memory, a worker that is ended without mercy), the
    task is told as if Airflow itself had ended it. Else it would work on unheard: without the limits of the pool,
    beside the attempt that Airflow starts in its place.
    """

    _cancelled = "the work was cancelled"
    """What is said of work that is ended."""

    _killed = False

    def pre_execute(self, context: Context) -> None:
        """Tie the task to its supervisor; before ``execute``, and before it goes on after a wait."""
        if _is_supervised():
            end_with_parent()

    def on_kill(self) -> None:
        """End the work, and the tools that run for it."""
        self._killed = True
        running.end_all()

    def _require_wanted(self) -> None:
        """Raise Cancelled once the task was told to end."""
        if self._killed:
            raise Cancelled(self._cancelled)


def _is_supervised() -> bool:
    """
    Whether the process above watches over this task, which reaches it by a socket.

    ``airflow dags test`` and ``airflow tasks test`` run a task in their own process: above it is a shell, or whatever
    else started it, which may end without meaning anything.
    """
    from airflow.sdk.execution_time import task_runner  # only where a task runs is there one

    return isinstance(getattr(task_runner, "SUPERVISOR_COMMS", None), CommsDecoder)
