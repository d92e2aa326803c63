"""How far a long piece of work has come, and telling somebody about once a second."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

logger = logging.getLogger(__name__)

CONFIRMING, CLEANING = "confirming", "cleaning"
UNSTOPPABLE = (CONFIRMING, CLEANING)
"""Stages that come to their end: what is whole is published, and what is not leaves nothing."""


@dataclass(frozen=True, slots=True)
class Progress:
    """
    A point in a piece of work.

    ``bytes_*`` are bytes of the source, ``rate`` bytes a second since the stage began,
    ``eta`` seconds left; what cannot be known is None.
    """

    stage: str
    bytes_done: int = 0
    bytes_total: int | None = None
    files_done: int = 0
    files_total: int | None = None
    rate: float | None = None

    @property
    def percent(self) -> float | None:
        """Share of the bytes done, 0 to 100; None while the total is unknown."""
        if not self.bytes_total:
            return None
        return min(100.0, 100.0 * self.bytes_done / self.bytes_total)

    @property
    def eta(self) -> float | None:
        """Seconds left at this rate, or None."""
        if not self.rate or self.bytes_total is None:
            return None
        return max(0.0, (self.bytes_total - self.bytes_done) / self.rate)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON, the page and the API."""
        return {
            "stage": self.stage,
            "percent": None if self.percent is None else round(self.percent, 1),
            "bytes_done": self.bytes_done,
            "bytes_total": self.bytes_total,
            "files_done": self.files_done,
            "files_total": self.files_total,
            "rate": None if self.rate is None else round(self.rate),
            "eta": None if self.eta is None else round(self.eta),
        }


Listener = Callable[[Progress], None]


@dataclass
class Reporter:
    """
    Collects progress and tells a listener at most once every ``interval`` seconds.

    The listener may raise (``Cancelled``): that is how a run is stopped between two blocks.
    A change of stage is told at once.
    """

    listener: Listener = lambda progress: None
    interval: float = 1.0
    monotonic: Callable[[], float] = time.monotonic
    now: Progress = field(default_factory=lambda: Progress("pending"))
    left_out: float = 0.0
    """Seconds in which the run was paused: no limit of time counts them."""

    _begun: float = 0.0
    _told: float = 0.0

    def begin(
        self, stage: str, *, bytes_total: int | None = None, files_total: int | None = None
    ) -> None:
        """Start a stage."""
        self._begun = self.monotonic()
        self.now = Progress(stage, bytes_total=bytes_total, files_total=files_total)
        self._tell()

    def advance(self, *, bytes_done: int = 0, files_done: int = 0) -> None:
        """Add to what is done."""
        self.now = replace(
            self.now,
            bytes_done=self.now.bytes_done + bytes_done,
            files_done=self.now.files_done + files_done,
        )
        self.tick()

    def tick(self) -> None:
        """Let the listener know that the work waits for something, as often as it is told of progress."""
        if self.monotonic() - self._told >= self.interval:
            self._tell()

    def reach(self, *, bytes_done: int, files_done: int, bytes_total: int | None = None) -> None:
        """Set what is done, as a program tells it."""
        self.now = replace(
            self.now,
            bytes_done=bytes_done,
            files_done=files_done,
            bytes_total=bytes_total or self.now.bytes_total,
        )
        self.advance()

    def finish(self) -> None:
        """Tell the last state of the stage."""
        self._tell()

    def clean_up(self) -> None:
        """Begin to clean up after a failure; nobody is told, and nothing is raised."""
        self.now = Progress(CLEANING)

    def leave_out(self, seconds: float) -> None:
        """Let ``seconds`` of the stage not count in its rate: nothing was done meanwhile."""
        self._begun += seconds
        self.left_out += seconds

    def _tell(self) -> None:
        self._told = self.monotonic()
        elapsed = self._told - self._begun
        if elapsed > 0 and self.now.bytes_done:
            self.now = replace(self.now, rate=self.now.bytes_done / elapsed)
        try:
            self.listener(self.now)
        except (
            OSError
        ) as error:  # whoever watches is gone; an engine would take it for its source's
            logger.debug("progress was not told: %s", error)
