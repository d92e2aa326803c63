"""A process of its own that keeps writing to an SQLite database, in balanced transactions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PROGRAM = """
import os, random, sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
number = 0
while True:
    one, two = random.randrange(1000), random.randrange(1000)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE account SET balance = balance - 1 WHERE id = ?", (one,))
    connection.execute("UPDATE account SET balance = balance + 1 WHERE id = ?", (two,))
    connection.execute("INSERT INTO moves (note) VALUES (?)", (os.urandom(400),))
    connection.execute("COMMIT")
    number += 1
    if number == 20:
        print("writing", flush=True)
    time.sleep(0.0005)
"""


@contextmanager
def writer_at(path: Path) -> Iterator[None]:
    """Keep writing until the block ends; the block starts when writing has started."""
    writer = subprocess.Popen([sys.executable, "-c", _PROGRAM, str(path)], stdout=subprocess.PIPE)
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"writing\n"
        yield
        assert writer.poll() is None, "the writer died"
    finally:
        writer.kill()
        writer.wait()
        if writer.stdout is not None:
            writer.stdout.close()
