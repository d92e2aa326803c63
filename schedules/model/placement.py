"""Where the tasks of a schedule run: which workers take them, and which of that may be chosen on the page."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from airflow_backup.core.text.names import quoted
from airflow_backup.schedules.model.programs import NotAllowed
from airflow_backup.schedules.model.schedule import Schedule

PlaceKey = Literal["queue", "executor", "pool", "executor_config"]
KEYS: tuple[PlaceKey, ...] = ("queue", "executor", "pool", "executor_config")


_LIKE_OURS = re.compile(r".*-[0-9a-f]{8}")
"""The names that are made of several words and a digest."""


class Placement(NamedTuple):
    """Which workers take the tasks of a schedule; those of Airflow's defaults where nothing is said."""

    queue: str | None = None
    executor: str | None = None
    pool: str | None = None
    executor_config: str | None = None

    @classmethod
    def of(cls, definition: Mapping[str, Any]) -> Placement:
        """Return the placement of a schedule that is given as plain data."""
        return cls(**{key: definition.get(key) for key in KEYS})

    @property
    def name(self) -> str | None:
        """
        A name for DAG ids, the same for the same placement; None for Airflow's defaults.

        >>> Placement().name, Placement(queue="nas").name, Placement(queue="nas", pool="slow").name
        (None, 'nas', 'nas-slow-7618e727')
        """
        given = [each for each in self if each is not None]
        if not given:
            return None
        is_queue = given == [self.queue] and ":" not in given[0]  # a letter that no DAG id may have
        if is_queue and not _LIKE_OURS.fullmatch(given[0]):
            return self.queue
        words = "-".join("".join(c if c.isalnum() else "_" for c in each) for each in given)
        digest = hashlib.sha256(repr(tuple(self)).encode()).hexdigest()
        return f"{words[:100]}-{digest[:8]}"


def not_listed(
    schedule: Schedule, allowed: Mapping[PlaceKey, Sequence[str]]
) -> Iterator[NotAllowed]:
    """
    Yield each part of the placement that is not among the ``allowed`` ones (``[backup] allowed_queues`` and so on).

    It is asked of schedules that were made on the page: where a task runs decides what it may read.
    """
    for key in KEYS:
        value = getattr(schedule, key)
        if value is not None and value not in allowed[key]:
            yield NotAllowed(
                key,
                f"{quoted(value)} is not on the list of allowed {option_for(key).removeprefix('allowed_')}",
                f"an administrator names it in the option {option_for(key)} of [backup]",
            )


def option_for(key: PlaceKey) -> str:
    """
    Return the option that lists what may be chosen on the page.

    >>> option_for("executor_config")
    'allowed_executor_configs'
    """
    return f"allowed_{key}s"


def where_text(schedule: Schedule) -> str:
    """Say in a few words where a schedule runs, for lists: ``host nas1, queue nas``."""
    keys = ("host", "queue", "executor", "executor_config")
    given = ((key.replace("_config", " template"), getattr(schedule, key)) for key in keys)
    return ", ".join(f"{key} {value}" for key, value in given if value is not None) or "anywhere"
