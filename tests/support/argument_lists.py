"""Watches the argument lists of every process of the machine: what stands there, anybody may read."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType


class ArgumentLists:
    """Used in a ``with`` block; ``seen`` holds every argument list that lived long enough to be seen."""

    def __init__(self, *, only: str = "") -> None:
        self.seen: set[str] = set()
        self._only = only
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> set[str]:
        self._thread.start()
        return self.seen

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.is_set():
            for folder in Path("/proc").iterdir():
                if folder.name.isdigit():
                    self._note(folder)
            time.sleep(0.005)

    def _note(self, folder: Path) -> None:
        try:
            told = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return  # it has ended
        if self._only in told:
            self.seen.add(told)
