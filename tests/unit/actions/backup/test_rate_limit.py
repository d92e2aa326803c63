"""Bytes pass no faster than the rate of the moment, over all threads, and everything passes once it is over."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_backup.actions.backup.limits.rate_limit import RateLimit


class Seconds:
    """A clock that goes on only while somebody waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.lock = threading.Lock()
        monkeypatch.setattr(threading.Event, "wait", lambda *given: self.wait(*given))

    def wait(self, event: threading.Event, seconds: float) -> bool:
        with self.lock:
            self.now += max(0.0, seconds)
        return event.is_set()


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Seconds:
    return Seconds(monkeypatch)


def test_it_takes_as_long_as_the_rate_says(seconds: Seconds) -> None:
    limit = RateLimit(lambda: 1000, monotonic=lambda: seconds.now)
    for size in (1, 999, 4000, 5000):
        limit.take(size)
    assert seconds.now == pytest.approx(10.0)


def test_time_that_was_not_used_is_not_saved_up(seconds: Seconds) -> None:
    limit = RateLimit(lambda: 1000, monotonic=lambda: seconds.now)
    limit.take(1000)
    seconds.now += 3600
    limit.take(1000)
    assert seconds.now == pytest.approx(3602.0)


def test_another_rate_holds_within_a_large_piece(seconds: Seconds) -> None:
    limit = RateLimit(lambda: 1000 if seconds.now < 10 else 100, monotonic=lambda: seconds.now)
    limit.take(11_000)  # ten seconds at 1000, and the last 1000 bytes at 100
    assert seconds.now == pytest.approx(20.0, abs=1.0)


def test_no_limit_at_this_hour_waits_for_nothing(seconds: Seconds) -> None:
    RateLimit(lambda: None, monotonic=lambda: seconds.now).take(10**12)
    assert seconds.now == 0


def test_whoever_waits_goes_on_when_it_is_over() -> None:
    limit = RateLimit(lambda: 1)
    with ThreadPoolExecutor(1) as aside:
        waiting = aside.submit(limit.take, 10**9)
        limit.end()
        assert waiting.result(10) is None


def test_threads_share_one_rate() -> None:
    limit = RateLimit(lambda: 10**7)
    began = time.monotonic()
    with ThreadPoolExecutor(4) as aside:
        list(aside.map(limit.take, [10**5] * 40))
    assert time.monotonic() - began > 0.39  # four million bytes, and not a million by each of four
