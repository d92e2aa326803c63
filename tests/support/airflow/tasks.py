"""The processes that carry out Airflow's tasks, as the system shows them: found, killed, stopped from outside."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

_TITLE = re.compile(rb"^airflow worker -- ([0-9a-f]{8}-[0-9a-f-]{27})")


@dataclass(frozen=True)
class Work:
    """The process of one attempt of one task; its supervisor is above it."""

    pid: int
    supervisor: int
    id: str

    @property
    def below(self) -> list[int]:
        """What the task has started, its children first."""
        return below(self.pid)


@dataclass(frozen=True)
class Named:
    """Which task an attempt is of."""

    dag_id: str
    run_id: str
    task_id: str
    attempt: int


def at_work() -> list[Work]:
    """Return the tasks of all Airflows of this machine; whose they are, their databases tell."""
    found = []
    for pid, title in titles():
        match = _TITLE.match(title)
        if match:
            found.append(Work(pid, parent(pid), match[1].decode()))
    return found


def titles() -> Iterator[tuple[int, bytes]]:
    """Give every process with its command line, zombies left out."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            title = Path(f"/proc/{name}/cmdline").read_bytes()
            if title:
                yield int(name), title


def parent(pid: int) -> int:
    """Return the number of the process above; 0 where there is none."""
    return _family().get(pid, 0)


def below(root: int) -> list[int]:
    """Return every process below another."""
    parents = _family()
    found, ahead = [], [root]
    while ahead:
        above = ahead.pop()
        children = [pid for pid, its in parents.items() if its == above]
        found += children
        ahead += children
    return found


def send(number: signal.Signals, *pids: int) -> None:
    """Send a signal to each process that is still there."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def name_of(work: str, metadata: Path) -> Named | None:
    """Ask Airflow's own database (SQLite) which task an attempt is of."""
    with closing(sqlite3.connect(f"file:{metadata}?mode=ro", uri=True, timeout=30)) as database:
        row = database.execute(
            "SELECT dag_id, run_id, task_id, try_number FROM task_instance WHERE replace(id, '-', '') = ?",
            (work.replace("-", ""),),
        ).fetchone()
    return None if row is None else Named(*row)


def wait_until_gone(pid: int, *, patience: float = 60) -> bool:
    """Wait for the end of a process; return whether it came."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if not Path(f"/proc/{pid}").exists() or state(pid) in ("Z", ""):
            return True
        time.sleep(0.05)
    return False


def _family() -> dict[int, int]:
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError, ValueError, IndexError):
            fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
            if fields[0] not in ("Z", "X"):
                found[int(name)] = int(fields[1])
    return found


def state(pid: int) -> str:
    """Return how a process is, as ``ps`` says it in a letter; nothing where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
