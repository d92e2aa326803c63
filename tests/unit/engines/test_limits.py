"""A restore test that takes too much of the disk, or too long, is ended, and nothing is called damaged for it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from airflow_backup.core.errors import Inconclusive
from airflow_backup.core.process.process import Process
from airflow_backup.engines.shared import limits


@pytest.mark.parametrize(
    ("limit", "told"), [("_LEAST_BYTES", "of the disk"), ("_LEAST_SECONDS", "takes that long")]
)
def test_what_goes_beyond_all_measure_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, told: str
) -> None:
    monkeypatch.setattr(limits, "_LOOK", 0.05)
    monkeypatch.setattr(limits, limit, 0)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "grown").write_bytes(b"x" * 100_000)
    begun = time.monotonic()
    with (
        pytest.raises(Inconclusive, match=told),
        limits.limited(tmp_path, 0) as looking,
        Process(["sleep", "60"]) as child,
    ):
        looking.add(child)
    assert time.monotonic() - begun < 30


def test_what_stays_within_measure_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_LOOK", 0.02)
    with limits.limited(tmp_path, 10) as looking, Process(["sleep", "0.3"]) as child:
        looking.add(child)
    assert looking.told is None


def test_links_and_what_vanishes_count_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 8192)
    (tmp_path / "again").symlink_to("/usr")
    assert 8192 <= limits.used(tmp_path) < 100_000
    assert limits.used(tmp_path / "gone") == 0
