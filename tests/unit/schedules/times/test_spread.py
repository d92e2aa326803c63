"""What lies on one machine only is named where executors send tasks to several."""

from __future__ import annotations

from typing import Any

from airflow_backup.schedules.loading.spread import local_things
from airflow_backup.schedules.model.schedule import Schedule

CELERY = ["CeleryExecutor"]
SERVER = "postgresql+psycopg://catalog"


def schedule(name: str, **more: Any) -> Schedule:
    given = {"id": name, "source": {"engine": "files", "path": "/srv"}, "preset": "daily"}
    return Schedule.model_validate(given | {"repository": "file:///b"} | more)


def test_a_sqlite_catalog_and_a_local_repository_are_named_once_each() -> None:
    many = [schedule(name) for name in "abcde"]
    catalog, repository = local_things(many, executors=CELERY, catalog="sqlite:////x.db")
    assert catalog.message == (
        "the catalog is a SQLite file, and CeleryExecutor sends tasks to machines that have not this one"
    )
    assert repository.message.startswith("the repository of a, b, c and 2 more is a folder of")
    assert repository.schedules == ("a", "b", "c", "d", "e")


def test_what_is_meant_or_reached_by_all_is_not_named() -> None:
    fine = [
        schedule("a", host="nas1"),
        schedule("b", host="any"),
        schedule("c", repository="sftp://vault/b"),
        schedule("d", executor="LocalExecutor"),
    ]
    executors = ["CeleryExecutor", "LocalExecutor"]
    assert list(local_things(fine, executors=executors, catalog=SERVER)) == []
    assert (
        list(local_things([schedule("e")], executors=["LocalExecutor"], catalog="sqlite://")) == []
    )


def test_the_executor_of_each_schedule_counts() -> None:
    (found,) = local_things(
        [schedule("a"), schedule("b", executor="EdgeExecutor")],
        executors=["LocalExecutor", "EdgeExecutor"],
        catalog=SERVER,
    )
    assert found.schedules == ("b",)
