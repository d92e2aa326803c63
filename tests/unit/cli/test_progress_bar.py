"""The progress bar never ends the work that it shows, whatever there is to show and whoever looks."""

from __future__ import annotations

import io
import sys

import pytest

from airflow_backup.cli.progress_bar import line, progress_bar
from airflow_backup.core.progress import Progress

HALF = Progress("reading", bytes_done=5_000_000, bytes_total=10_000_000, rate=1_000_000)


def drawn(monkeypatch: pytest.MonkeyPatch, encoding: str, *, columns: int) -> str:
    """Draw two states of a run on a terminal, and take the bar away."""
    stream = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(stream, encoding=encoding))
    monkeypatch.setenv("COLUMNS", str(columns))
    with progress_bar(quiet=False) as listen:
        listen(HALF)
        monkeypatch.setenv("COLUMNS", str(max(1, columns // 2)))
        listen(HALF)
    return stream.getvalue().decode(encoding)


@pytest.mark.parametrize("total", [10**14, 2**63])
def test_a_slow_beginning_says_nothing_of_the_end_and_ends_nothing(total: int) -> None:
    slow = Progress("reading", bytes_done=1, bytes_total=total, rate=1 / 60)
    assert line(slow).endswith("/s")  # 1 byte after a minute


def test_a_terminal_without_these_letters_gets_others(monkeypatch: pytest.MonkeyPatch) -> None:
    told = drawn(monkeypatch, "ascii", columns=80)
    assert " reading ############------------  50 %" in told
    assert "━" in drawn(monkeypatch, "utf-8", columns=80)


@pytest.mark.parametrize("columns", [1, 2, 20, 80])
def test_no_line_is_longer_than_the_terminal_also_when_it_became_narrower(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    first, second, *rest = drawn(monkeypatch, "utf-8", columns=columns).split("\r")[1:]
    assert len(first) < max(1, columns) or first == ""
    narrow = max(1, columns // 2)
    assert all(len(each) < narrow or each == "" for each in (second, *rest))
    assert rest[-1] == ""


def fail_while_drawing() -> None:
    with progress_bar(quiet=False) as listen:
        listen(HALF)
        raise KeyError("how it ended")


def test_a_terminal_that_went_away_does_not_end_the_work_nor_hide_how_it_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with open("/dev/full", "wb", buffering=0) as full:
        monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(full, write_through=True))
        with pytest.raises(KeyError, match="how it ended"):
            fail_while_drawing()
