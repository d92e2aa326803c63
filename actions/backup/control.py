"""
What keeps an eye on a run while its engine works: the clock, and what people tell it.

It has threads of its own, because an engine may say nothing for an hour; and each of them asks one thing, because a
catalog, or Airflow, that does not answer must not stop the clock. What has to stop is ended from outside: its programs
first; and where the work still goes on after that, the main thread is interrupted. While a run is paused its programs
stand still, and that time counts neither against ``max_duration`` nor in rate and time left.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import FrameType, TracebackType
from typing import Any, Self

from airflow_backup.catalog.run_records import Order
from airflow_backup.core.errors import (
    BackupError,
    Cancelled,
    CatalogError,
    TooLong,
    WindowClosed,
    WorkerStopped,
)
from airflow_backup.core.process import running
from airflow_backup.core.progress import UNSTOPPABLE, Listener, Progress, Reporter
from airflow_backup.core.text.durations import spoken

logger = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds from ending the programs to interrupting what still works."""

LEAVE = 5.0
"""Seconds that the threads of a run that is over are waited for: some answer may not come."""

JUST_BEFORE = timedelta(minutes=1)
"""A cancel so short before an attempt began may be what ends it; an older one ended the attempt before."""

_TURN = 0.2
_WAKE = signal.SIGUSR2  # interrupts a read that blocks; SIGALRM is Airflow's own


class _Interrupted(BaseException):  # no error: nothing on the way may take it for one
    """Raised in the main thread, where the work did not stop by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a run may take."""

    max_duration: timedelta | None = None
    """Paused time does not count."""

    closes_at: datetime | None = None
    """When the window closes in which the run must have finished."""

    max_pause: timedelta | None = None
    """After that a paused run goes on by itself."""


class Control:
    """
    Stops and pauses one run; used in a ``with`` block around the work, in the main thread.

    ``orders`` returns what people told the run last, ``publish`` shows progress to them; both are called in
    threads, about once a second, and may fail, or not come back: a run is never lost because nobody can be told of it.
    ``listener`` is told progress in the thread of the work. ``keep`` renews what the run has for itself; what it
    raises ends the run, unless that is the catalog which does not answer.
    """

    def __init__(
        self,
        *,
        limits: Limits,
        clock: Callable[[], datetime],
        orders: Callable[[], Order | None] = lambda: None,
        publish: Callable[[dict[str, Any]], None] = lambda progress: None,
        listener: Listener = lambda progress: None,
        keep: Callable[[], None] = lambda: None,
        interval: float = 1.0,
    ) -> None:
        self.limits, self._clock = limits, clock
        self._orders, self._publish, self._listener = orders, publish, listener
        self._keep, self._interval = keep, interval
        self.reporter = Reporter(self._listen)
        self.stopped: BackupError | None = None
        """Why the run has to end; None while it may go on."""

        self._asked_at = 0.0
        self._is_paused = False
        self._pause: Order | None = None
        self._pause_ends: float | None = None
        self._paused_at = self._paused_for = 0.0
        self._begun, self._begun_at = time.monotonic(), clock()
        self._last_old: int | None = None
        self._shown: dict[str, Any] | None = None
        self._is_over = threading.Event()
        self._turn = threading.Lock()  # of those threads only: never waited for in a signal handler
        self._threads = [
            threading.Thread(target=self._again_and_again, args=(act,), name="control", daemon=True)
            for act in (self._keep_limits, self.look, self._keep_leases, self._show)
        ]
        self._handler_before: Any = None

    def __enter__(self) -> Self:
        self._begun, self._begun_at = time.monotonic(), self._clock()
        with contextlib.suppress(BackupError):
            self._know_the_old(self._orders())
        if threading.current_thread() is threading.main_thread():
            self._handler_before = signal.signal(_WAKE, self._interrupt)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join(LEAVE / len(self._threads))
        if self._handler_before is not None:
            signal.signal(_WAKE, self._handler_before)
        running.resume_all()

    def stop(self, why: BackupError) -> None:
        """End the run as soon as it can; made for signal handlers too. The first reason stays."""
        if self.stopped is not None:
            return
        self._asked_at = time.monotonic()
        self.stopped = why
        self._is_paused = False
        running.end_all()  # once: what an engine runs after that cleans up behind it

    def check(self) -> None:
        """Wait while the run is paused; raise why it has to end, if it has."""
        while self._is_paused and self.stopped is None:
            time.sleep(_TURN)
        if self.stopped is not None:
            raise self.stopped

    def why(self, error: BaseException) -> BaseException:
        """Return why the work failed: a program that we ended failed because of us."""
        if self.stopped is None:
            return error
        order = self._told() if isinstance(self.stopped, WorkerStopped) else None
        if order is not None and order.action == "cancel" and self._is_meant(order):
            self.stopped = Cancelled(order.text)
        return self.stopped

    def look(self) -> None:
        """Read once from the catalog whether somebody cancelled, paused or resumed the run."""
        order = self._told()
        if self._is_over.is_set():
            return
        if order is not None and order.action == "cancel":
            if not self._is_old(order):
                self.stop(Cancelled(order.text))
        elif order is not None and order.action == "pause":
            self._obey(order)
        else:
            self._go_on()

    def _listen(self, progress: Progress) -> None:
        if progress.stage not in UNSTOPPABLE:
            self.check()
        self._listener(progress)

    def _again_and_again(self, act: Callable[[], None]) -> None:
        while not self._is_over.wait(self._interval):
            try:
                act()
            except Exception as error:  # noqa: BLE001 -- Airflow's may be any
                logger.warning("nobody can be told how the run goes, and it goes on: %s", error)

    def _told(self) -> Order | None:
        try:
            order = self._orders()
        except BackupError as error:
            logger.debug("what the run is told cannot be read: %s", error)
            return self._pause if self._is_paused else None  # as it was
        self._know_the_old(order)
        return order

    def _know_the_old(self, order: Order | None) -> None:
        if self._last_old is None:
            self._last_old = 0 if order is None else order.id

    def _is_meant(self, order: Order) -> bool:
        return not self._is_old(order) or self._begun_at - order.at < JUST_BEFORE

    def _is_old(self, order: Order) -> bool:
        return self._last_old is not None and order.id <= self._last_old

    def _show(self) -> None:
        shown = self.reporter.now.as_dict()
        if self._is_paused:
            shown |= {"stage": "paused", "rate": None, "eta": None}
        if shown != self._shown:
            self._publish(shown)
            self._shown = shown

    def _obey(self, order: Order) -> None:
        with self._turn:
            if order == self._pause or self.stopped is not None:
                return
            left, before = self._left_of_pause(order), self._pause
            self._pause = order
            if left is not None and left <= 0:
                return
            now = time.monotonic()
            self._pause_ends = None if left is None else now + left
            self._paused_at, self._is_paused = now, True
            try:
                running.pause_all()
            except BaseException:  # tried again at the next look
                self._pause, self._is_paused = before, False
                raise
            if self.stopped is not None:
                running.resume_all()

    def _left_of_pause(self, order: Order) -> float | None:
        """Return how long it stands still at most, in seconds; of a pause from before a retry, what is left."""
        limit = self.limits.max_pause
        if limit is None:
            return None
        if not self._is_old(order):
            return limit.total_seconds()
        return min(limit, order.at + limit - self._clock()).total_seconds()

    def _go_on(self) -> None:
        with self._turn:
            if not self._is_paused:
                return
            paused = self._pause_so_far()
            self._paused_for += paused
            self.reporter.leave_out(paused)
            self._is_paused = False
            running.resume_all()

    def _pause_so_far(self) -> float:
        """Return for how many seconds the run has been paused this time."""
        return time.monotonic() - self._paused_at if self._is_paused else 0.0

    def _keep_limits(self) -> None:
        limits, ends = self.limits, self._pause_ends if self._is_paused else None
        if ends is not None and time.monotonic() > ends:
            logger.warning("the run was paused for as long as it may be, and goes on")
            self._go_on()
        worked = time.monotonic() - self._begun - self._paused_for - self._pause_so_far()
        if limits.max_duration is not None and worked > limits.max_duration.total_seconds():
            self.stop(
                TooLong(
                    f"longer than max_duration {spoken(limits.max_duration)}",
                    hint="what made it slow? else give it more time: max_duration",
                )
            )
        if limits.closes_at is not None and self._clock() >= limits.closes_at:
            self.stop(
                WindowClosed(
                    "the backup was not finished when its window closed",
                    hint="begin earlier, widen the window, or write finish_in_window: finish",
                )
            )
        self._insist()

    def _keep_leases(self) -> None:
        try:
            self._keep()
        except CatalogError as error:
            logger.debug("a lease cannot be renewed: %s", error)
        except BackupError as error:
            self.stop(error)

    def _insist(self) -> None:
        """End what was started meanwhile, and interrupt what works on although its programs have ended."""
        if self.stopped is None or time.monotonic() - self._asked_at < PATIENCE:
            return
        self._asked_at = time.monotonic()
        if self.reporter.now.stage in UNSTOPPABLE:
            return
        running.end_all()
        main = threading.main_thread().ident
        if self._handler_before is not None and main is not None:
            signal.pthread_kill(main, _WAKE)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        # What publishes a set or cleans up after one comes to its end.
        if self.stopped is not None and self.reporter.now.stage not in UNSTOPPABLE:
            raise _Interrupted
