"""What lies on one machine although executors send tasks to several: it is named, wherever somebody looks. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from airflow_backup.schedules.model.schedule import Schedule

_SPREADING = ("celery", "kubernetes", "edge", "ecs", "batch", "lambda")


class LocalThing(NamedTuple):
    """Something that other machines do not see: what it is, what would help, and whose it is."""

    message: str
    hint: str
    schedules: tuple[str, ...] = ()


def spreads(executor: str) -> bool:
    """
    Whether an executor sends tasks to other machines, by its name or the path of its class.

    >>> spreads("CeleryExecutor"), spreads("airflow.providers.edge3.executors.EdgeExecutor"), spreads("LocalExecutor")
    (True, True, False)
    """
    name = executor.rpartition(".")[2].rpartition(":")[2].lower()
    return any(word in name for word in _SPREADING)


def local_things(
    schedules: Sequence[Schedule], *, executors: Sequence[str], catalog: str
) -> Iterator[LocalThing]:
    """
    Yield what lies on one machine only; ``executors`` are Airflow's, its first one takes what names none.

    ``catalog`` is its address. A schedule that names its ``host`` has said where its repository lies.
    """
    far = [each for each in executors if spreads(each)]
    if not far:
        return
    if catalog.startswith("sqlite:"):
        yield LocalThing(
            f"the catalog is a SQLite file, and {far[0]} sends tasks to machines that have not this one",
            "name a connection to PostgreSQL in [backup] catalog_conn_id",
        )
    found = [
        item
        for item in schedules
        if item.repository.startswith("file:")
        and item.host is None
        and spreads(item.executor or executors[0])
    ]
    if found:
        ids = [item.id for item in found]
        shown = ", ".join(ids[:3]) + (f" and {len(ids) - 3} more" if len(ids) > 3 else "")
        yield LocalThing(
            f"the repository of {shown} is a folder of whichever machine takes the task",
            "use storage that all machines reach; or say which machine it is with `host`, "
            "or `host: any` where the folder is shared",
            tuple(ids),
        )
