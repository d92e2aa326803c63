"""
Fences around schedules that were made on the page: which workers, and which paths and programs there, they may name.

A schedule from a file was deployed by somebody who may run any code here. One that was made on the page was made
by somebody who may edit connections, and must not read, or write over, whatever the worker can.
"""

from __future__ import annotations

from collections.abc import Sequence

from airflow_backup.core.errors import Refused
from airflow_backup.core.paths.roots import real_path
from airflow_backup.operators.shared.airflow_settings import (
    allowed_commands,
    allowed_placements,
    folders,
)
from airflow_backup.schedules.model.paths import paths_of
from airflow_backup.schedules.model.placement import not_listed
from airflow_backup.schedules.model.programs import not_allowed
from airflow_backup.schedules.model.schedule import Schedule


def roots_for(schedule: Schedule, *, fenced: bool) -> Sequence[str] | None:
    """
    Return the folders within which a schedule may read; None, for anywhere, when it is not ``fenced``.

    Refused when any path that it names does not really lie where it may, or a program or a variable is not allowed.
    """
    if not fenced:
        return None
    roots = {"source": folders("source_roots"), "repository": folders("repository_roots")}
    for named in paths_of(schedule):
        real_path(named.path, roots[named.use], what=f"`{named.key}`:")
    for refused in not_allowed(schedule, allowed_commands()):
        raise Refused(refused.message, hint=refused.hint)
    return roots["source"]


def check_placement(schedule: Schedule) -> None:
    """Refuse a schedule that was made on the page, and that is placed where an administrator lets none be."""
    for refused in not_listed(schedule, allowed_placements()):
        raise Refused(refused.message, hint=refused.hint)
