"""The Prometheus rules of docs/how-to/alerts.md, evaluated over the real metrics of real situations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from airflow_backup.catalog import Catalog
from airflow_backup.plugin.schemas.status import Component, CoverageCounts
from airflow_backup.plugin.views.metrics import metrics
from airflow_backup.plugin.views.schedules import summaries
from support.promql import firing, scrape
from support.situations import NOW, SITUATIONS
from unit.plugin.views.test_one_truth import MAY, World

PAGE = Path(__file__).parents[4] / "docs" / "how-to" / "alerts.md"
(RULES,) = [
    {rule["alert"]: rule["expr"] for rule in found["groups"][0]["rules"]}
    for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    if "groups" in (found := yaml.safe_load(block)) and isinstance(found["groups"], list)
]
QUIET = {
    "good", "new", "new, before its first slot", "never, and disabled", "good, and disabled a moment ago",
}  # fmt: skip
CASES = {
    "lost": {"BackupNotProtected", "BackupNeedsAttention"},
    "never, beyond its limit": {"BackupTooOld", "BackupNeedsAttention"},
    "late for forty days": {"BackupTooOld", "BackupNotProtected"},
    "broken, by its own failures": {"BackupNotProtected", "BackupFailsAgain"},
    "at risk, the newest failed its verification": {"BackupNotProtected", "BackupQuarantined"},
    "good, the last run failed": {"BackupNeedsAttention"},
}


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        yield catalog


def page(
    catalog: Catalog, folder: Path, name: str, *, unprotected: int = 0
) -> tuple[str, datetime]:
    """Return what Prometheus reads of a schedule in a situation."""
    _, _, rows, more = SITUATIONS[name]
    world = World(folder, catalog, datetime.now(UTC) - NOW, more)
    world.tell(rows)
    data = world.page()
    shown = summaries([world.row()], data, permissions={"wiki": MAY})
    sums = catalog.sums.of(["wiki"])
    processes = [Component(name="scheduler", healthy=True)]
    covered = CoverageCounts(unprotected=unprotected, total=3)
    text = metrics(shown, data.protections, sums, processes, now=world.now, covered=covered)
    return text, world.now


def alerts(text: str, now: datetime) -> set[str]:
    """Return the alerts that fire."""
    samples = scrape(text)
    return {
        name
        for name, expression in RULES.items()
        if firing(expression, samples, now=now.timestamp())
    }


@pytest.mark.parametrize("name", CASES)
def test_what_is_not_safe_fires(name: str, catalog: Catalog, tmp_path: Path) -> None:
    text, now = page(catalog, tmp_path, name)
    assert alerts(text, now) >= CASES[name]


@pytest.mark.parametrize("name", sorted(QUIET))
def test_what_is_as_it_should_be_is_quiet(name: str, catalog: Catalog, tmp_path: Path) -> None:
    text, now = page(catalog, tmp_path, name)
    assert alerts(text, now) == set()


def test_a_connection_that_nothing_protects_fires(catalog: Catalog, tmp_path: Path) -> None:
    text, now = page(catalog, tmp_path, "good", unprotected=1)
    assert alerts(text, now) == {"NothingProtectsIt"}


def test_every_rule_asks_for_a_metric_that_there_is(catalog: Catalog, tmp_path: Path) -> None:
    text, _ = page(catalog, tmp_path, "good")
    known = {line.split()[2] for line in text.splitlines() if line.startswith("# HELP")}
    known.add("airflow_backup_last_restore_test_timestamp_seconds")
    for expression in RULES.values():
        assert set(re.findall(r"airflow_backup_\w+", expression)) <= known


def test_no_answer_at_all_fires() -> None:
    assert alerts("", NOW) == {"BackupsUnseen"}
