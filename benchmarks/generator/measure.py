"""Measure one variant in a process of its own: prints CPU seconds as JSON. Run by run.py."""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)


def parse(file: Path) -> tuple[Any, float, float]:
    """Do what the DAG processor's child does: read the file into a bag, serialize the DAGs."""
    from airflow.dag_processing.dagbag import BundleDagBag
    from airflow.dag_processing.processor import _serialize_dags

    begun = time.process_time()
    bag = BundleDagBag(
        dag_folder=file, bundle_path=file.parent, bundle_name="dags-folder", load_op_links=False
    )
    read = time.process_time()
    dags, errors = _serialize_dags(bag, logging.getLogger("bench"))  # type: ignore[arg-type]
    if bag.import_errors or errors:
        raise SystemExit(f"{file}: {bag.import_errors} {errors}")
    return dags, read - begun, time.process_time() - read


def measure_parse(file: Path) -> dict[str, float]:
    """Parse and serialize once."""
    dags, bag, serialize = parse(file)
    # Ours also makes the DAGs that are there for all schedules; their time counts, and they are not compared.
    own = [dag.data["dag"]["tasks"] for dag in dags if dag.dag_id.startswith("backup__")]
    return {
        "dags": len(own),
        "tasks": sum(map(len, own)),
        "bag": bag,
        "serialize": serialize,
        "total": bag + serialize,
    }


def measure_sync(file: Path) -> dict[str, float]:
    """Sync one parse result into a fresh database, then the unchanged one three times."""
    from airflow.dag_processing.collection import update_dag_parsing_results_in_db
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.db import initdb
    from airflow.utils.session import create_session

    initdb()
    with create_session() as session:
        session.merge(DagBundleModel(name="dags-folder"))
    times = []
    for _ in range(4):
        dags, _, _ = parse(file)
        begun = time.process_time()
        with create_session() as session:
            update_dag_parsing_results_in_db(
                "dags-folder",
                None,
                dags,
                {},
                1.0,
                set(),
                session,
                files_parsed={("dags-folder", file.name)},
            )
        times.append(time.process_time() - begun)
    return {"first": times[0], "unchanged": sorted(times[1:])[1]}


def measure_task(file: Path) -> dict[str, float]:
    """Parse as a task's process does: only the task's own DAG is wanted."""
    from airflow.dag_processing.dagbag import BundleDagBag

    begun = time.process_time()
    bag = BundleDagBag(
        dag_folder=file, bundle_path=file.parent, bundle_name="dags-folder", load_op_links=False
    )
    took = time.process_time() - begun
    if not bag.dags:
        raise SystemExit(f"{file}: the DAG of the task is not in it")
    return {"task": took}


def main() -> None:
    """Measure what is asked for."""
    what, file = sys.argv[1], Path(sys.argv[2])
    # Airflow and the operators are imported by every variant; their import is paid by all alike.
    import airflow_backup.dags.generator
    import airflow_backup.operators.window  # noqa: F401

    if "--factory" in sys.argv:
        import dagfactory  # noqa: F401
    measures = {"parse": measure_parse, "sync": measure_sync, "task": measure_task}
    print("RESULT " + json.dumps(measures[what](file)))


if __name__ == "__main__":
    main()
