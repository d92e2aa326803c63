"""
A catalog of a million sets: the questions of the page and of a restore, and its rebuilding from manifests.

``python benchmarks/catalog/run.py [--postgres URL]``. Each question is asked 50 times, warm, and the median counts.
The peer of the first question is the query that most people would write: GROUP BY and a join.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from airflow_backup.actions.maintain.sync import sync
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import SetRow
from airflow_backup.catalog.rules.recovery import RecoveryChain
from airflow_backup.catalog.tables import sets
from airflow_backup.core.format.manifest import Manifest, read_manifest, set_prefix
from airflow_backup.core.ids import set_id
from airflow_backup.core.words import Kind, Trigger
from airflow_backup.storage.folder import FolderStorage

HERE = Path(__file__).parent
sys.path.insert(0, str(Path(__file__).parents[1]))

from measured import measured_at

SCHEDULES, SETS, CHAIN = 1000, 1000, 30
MANIFESTS = 50_000
START = datetime(2024, 1, 1, tzinfo=UTC)
GROUPED = """
SELECT s.* FROM sets s JOIN (
  SELECT schedule_id, max(consistent_at) AS newest FROM sets WHERE state = 'good' GROUP BY schedule_id
) n ON n.schedule_id = s.schedule_id AND n.newest = s.consistent_at AND s.state = 'good'
"""


def row(schedule: int, number: int) -> dict[str, Any]:
    """Return one set: chains of a full set and 29 incrementals, an hour apart; one in 97 is quarantined."""

    def name(of: int) -> str:
        return f"{schedule:04}-{of:06}"

    at = START + timedelta(hours=number, seconds=schedule)
    begin = number - number % CHAIN
    found = SetRow(
        set_id=name(number),
        schedule_id=f"schedule-{schedule:04}",
        repository="file:///backups",
        run_id=f"run-{number}",
        engine="files",
        kind=Kind.FULL if number == begin else Kind.INCREMENTAL,
        parent=None if number == begin else name(number - 1),
        base=None if number == begin else name(begin),
        run_at=at,
        started_at=at,
        consistent_at=at,
        finished_at=at,
        files=1000,
        bytes_read=10**9,
        bytes_stored=10**8,
        counts={},
        warnings=[],
        manifest_hash="0" * 64,
        previous_set_id=None,
        previous_hash=None,
        state="quarantined" if number % 97 == 0 else "good",
    )
    return found._asdict()


def fill(url: str) -> float:
    """Insert a million rows; return the seconds."""
    Catalog.open(url).close()
    engine = create_engine(url)
    begun = time.monotonic()
    for schedule in range(SCHEDULES):
        with engine.begin() as connection:
            connection.execute(sets.insert(), [row(schedule, number) for number in range(SETS)])
    with engine.begin() as connection:
        connection.execute(text("ANALYZE"))
    engine.dispose()
    return time.monotonic() - begun


def median(ask: Callable[[], object], *, times: int = 50) -> float:
    """Return the median of warm answers, in milliseconds."""
    for _ in range(3):
        ask()
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        ask()
        found.append((time.perf_counter() - begun) * 1000)
    return statistics.median(found)


def questions(url: str) -> dict[str, float]:
    """Ask each question; return medians in milliseconds."""
    middle = START + timedelta(hours=SETS * 0.7, minutes=30)
    plain = create_engine(url)
    with Catalog.open(url) as catalog, plain.connect() as connection:
        latest = catalog.sets.latest_of()
        assert len(latest) == SCHEDULES
        path = catalog.sets.recovery_chain("schedule-0500", middle)
        assert isinstance(path, RecoveryChain)
        found = {
            "latest good set of 1,000 schedules": median(catalog.sets.latest_of),
            "the same by GROUP BY and a join, rows as tuples": median(
                lambda: connection.execute(text(GROUPED)).fetchall(), times=10
            ),
            f"recovery chain to a moment ({len(path.sets)} sets)": median(
                lambda: catalog.sets.recovery_chain("schedule-0500", middle)
            ),
            "chain of a set": median(lambda: catalog.sets.chain("0500-000719")),
            "50 newest sets of a schedule": median(
                lambda: catalog.sets.of("schedule-0500", limit=50)
            ),
        }
    plain.dispose()
    return found


def rebuild(folder: Path) -> float:
    """Rebuild a catalog from 50,000 manifests in a folder; return the seconds."""
    repository = folder / "repository"
    manifest = _some_manifest()
    for number in range(MANIFESTS):
        schedule = f"schedule-{number % 100}"
        at = START + timedelta(hours=number // 100)
        name = set_id(schedule, f"run-{number // 100}", at)
        place = repository / set_prefix(schedule, name)
        place.mkdir(parents=True)
        own = manifest.model_copy(update={"set_id": name, "schedule_id": schedule})
        (place / "manifest.json").write_bytes(own.to_bytes())
    begun = time.monotonic()
    with Catalog.open(f"sqlite:///{folder}/rebuilt.db") as catalog:
        result = sync(FolderStorage(repository), f"file://{repository}", catalog)
        assert result.recorded == MANIFESTS
    return time.monotonic() - begun


def _some_manifest() -> Manifest:
    """Take one real set, and read its manifest."""
    from airflow_backup.actions.backup.backup import Run, backup
    from airflow_backup.core.connections import from_environment
    from airflow_backup.schedules.model.schedule import Schedule

    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "source").mkdir()
        for number in range(200):
            (Path(place) / "source" / str(number)).write_bytes(b"x" * 10_000)
        schedule = Schedule.model_validate(
            {
                "id": "one",
                "source": {"engine": "files", "path": f"{place}/source"},
                "repository": f"file://{place}/repository",
                "preset": "daily",
            }
        )
        with Catalog.open("sqlite://") as catalog:
            backup(
                schedule,
                Run("run", START, Trigger.MANUAL),
                catalog=catalog,
                connections=from_environment,
                clock=lambda: datetime.now(UTC),
            )
        (file,) = Path(place).rglob("manifest.json")
        return read_manifest(file.read_bytes(), name=str(file))


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", metavar="URL", help="also on this empty database")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        urls = {"SQLite": f"sqlite:///{folder}/catalog.db"}
        if given.postgres:
            urls["PostgreSQL"] = given.postgres
        seconds = {name: fill(url) for name, url in urls.items()}
        answers = {name: questions(url) for name, url in urls.items()}
        took = rebuild(Path(folder))
    names = list(urls)
    lines = [
        "# The catalog: results",
        "",
        (
            f"{measured_at()}. "
            f"{SCHEDULES * SETS:,} sets of {SCHEDULES:,} schedules in chains of {CHAIN}; warm medians, in ms."
        ),
        "",
        f"| question | {' | '.join(names)} | goal on SQLite |",
        f"|---|{'---|' * len(names)}---|",
    ]
    goals = {"latest good": "10", "recovery chain": "2"}
    for question in answers[names[0]]:
        cells = " | ".join(f"{answers[name][question]:.2f}" for name in names)
        goal = next((text for word, text in goals.items() if question.startswith(word)), "")
        lines.append(f"| {question} | {cells} | {goal} |")
    filled = ", ".join(
        f"{SCHEDULES * SETS / each:,.0f} rows/s on {name}" for name, each in seconds.items()
    )
    lines += [
        "",
        (
            f"Inserted at {filled}. {MANIFESTS:,} manifests of a folder rebuilt into a catalog on SQLite in "
            f"{took:.1f} s (goal 60)."
        ),
        "",
    ]
    (HERE / "results.md").write_text("\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
