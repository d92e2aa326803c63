"""The report says what is proven, and never more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.report.page import page, sentence_of
from airflow_backup.actions.report.report import report
from airflow_backup.actions.verify.verify import Verifier
from airflow_backup.catalog import Catalog
from airflow_backup.cli.main import main
from airflow_backup.core.connections import from_environment
from airflow_backup.core.words import Kind, VerificationLevel
from airflow_backup.schedules.model.schedule import Schedule
from support.stored.sets import START, Clock, run_number, take

NOW = START + timedelta(days=3)


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    with Catalog.open("sqlite://") as catalog:
        yield catalog


def scheduled(folder: Path, identifier: str = "wiki", **more: Any) -> Schedule:
    (folder / "source").mkdir(exist_ok=True)
    (folder / "source" / "a.txt").write_text("hello")
    return Schedule.model_validate(
        {
            "id": identifier,
            "source": {"engine": "files", "path": str(folder / "source")},
            "repository": f"file://{folder}/repository",
            "preset": "daily",
        }
        | more
    )


def verifier(schedule: Schedule, catalog: Catalog) -> Verifier:
    return Verifier(schedule, catalog=catalog, connections=from_environment, clock=Clock(NOW))


def test_every_fact_is_there(tmp_path: Path, catalog: Catalog) -> None:
    schedule = scheduled(tmp_path)
    (nothing,) = report([schedule], catalog, now=NOW)
    assert (nothing.protection, nothing.why) == ("never", "waits for its first backup")
    first = take(schedule, catalog, run=run_number(0))  # type: ignore[arg-type]
    second = take(schedule, catalog, run=run_number(1), kind=Kind.INCREMENTAL)  # type: ignore[arg-type]
    (unproven,) = report([schedule], catalog, now=NOW)
    assert (unproven.protection, unproven.is_proven) == ("good", False)
    verifier(schedule, catalog).verify(second.set_id, VerificationLevel.RESTORE_TEST)
    (found,) = report([schedule], catalog, now=NOW)
    assert (found.protection, found.is_proven) == ("good", True)
    assert found.last_good_set == second.set_id
    assert (found.rpo_promised, found.rto_promised) == (None, None)
    assert found.rpo_achieved == (NOW - second.consistent_at).total_seconds()
    assert found.rto_achieved == found.last_restore_seconds
    assert (found.last_verified_level, found.last_restore_test_outcome) == (
        "restore_test",
        "passed",
    )
    assert found.last_restore_seconds is not None
    assert (found.oldest_recoverable, found.newest_recoverable) == (
        first.consistent_at,
        second.consistent_at,
    )
    assert (found.sets, found.chains, found.quarantined) == (2, 1, 0)
    assert found.bytes_stored == first.bytes_stored + second.bytes_stored
    assert json.loads(json.dumps(found.as_dict()))["is_proven"] is True


def test_a_failed_set_and_an_old_one_are_a_risk(tmp_path: Path, catalog: Catalog) -> None:
    schedule = scheduled(tmp_path, alert_after="26h")
    take(schedule, catalog, run=run_number(0))  # type: ignore[arg-type]
    (old,) = report([schedule], catalog, now=NOW)
    assert old.protection == "late"
    assert old.why == "the newest good set is 2 days 23 hours old; the limit is 26 hours"
    assert (old.rpo_promised, (old.rpo_achieved or 0) > 26 * 3600) == (26 * 3600, True)
    second = take(schedule, catalog, run=run_number(2))  # type: ignore[arg-type]
    for path in (tmp_path / "repository/wiki/sets" / second.set_id).glob("files.tar.*"):
        path.chmod(0o600)
        path.write_bytes(b"")
    verifier(schedule, catalog).verify(second.set_id, VerificationLevel.QUICK)
    (found,) = report([scheduled(tmp_path)], catalog, now=NOW)
    assert found.protection == "late", "the one before it is three days old"
    (young,) = report([scheduled(tmp_path, alert_after="7d")], catalog, now=NOW)
    assert (young.protection, young.why) == (
        "at_risk",
        f"set '{second.set_id}' failed its verification; the newest good one is of before",
    )
    assert (found.quarantined, found.last_good_set != second.set_id) == (1, True)
    assert "it has 0 bytes" in (found.last_failure or "")


def test_the_page_stands_alone_and_says_it_in_one_sentence(
    tmp_path: Path, catalog: Catalog
) -> None:
    schedules = [scheduled(tmp_path, name) for name in ("wiki", "shop")]
    take(schedules[0], catalog, run=run_number(2))  # type: ignore[arg-type]
    reports = report(schedules, catalog, now=NOW)
    assert sentence_of(reports) == "1 of 2 schedules is not protected: shop."
    html = page(reports, now=NOW)
    assert "<strong>wiki</strong>" in html
    assert not {"http:", "https:", "<script", "url("} & set(html.split()), "nothing from elsewhere"
    assert "http" not in html


def test_the_command_has_a_code_for_monitoring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    definition = scheduled(tmp_path).definition()
    (tmp_path / "schedules.yaml").write_text(json.dumps({"version": 1, "schedules": [definition]}))
    assert main(["run", "wiki", "--no-verify"]) == 0
    assert main(["report", "--fail-if-unproven"]) == 1
    assert "of 1 it was not verified: wiki." in capsys.readouterr().out
    assert main(["verify", "wiki"]) == 0
    assert main(["report", "--fail-if-unproven"]) == 0
    assert main(["report", "--format", "html"]) == 0
    assert capsys.readouterr().out.rstrip().endswith("</html>")
