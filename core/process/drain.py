"""
Passes a program's output on, and reads it to its end also when nobody wants it any more.

nbackup puts a database into backup mode while it writes. Where its reader is killed, nbackup would end in the
middle, and the database stay in that mode: changes go to a second file that grows until somebody notices. So
this small process stands between the two; it lets nbackup come to its end, which takes the database out again.

It is run as a file, by a bare interpreter: nothing of this package is imported here.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

_CHUNK = 1 << 18


def main() -> None:
    """Run ``PROGRAM ARGUMENTS...``, and end as it ended."""
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        program = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, restore_signals=True)
    except OSError as error:
        os.write(2, f"{sys.argv[1]} cannot be run: {error.strerror}\n".encode())
        os._exit(127)
    assert program.stdout is not None
    # Whoever ends the group means the program; this has to see how it ends.
    signal.signal(signal.SIGTERM, lambda number, frame: program.send_signal(number))
    is_wanted = True
    while chunk := os.read(program.stdout.fileno(), _CHUNK):
        view = memoryview(chunk)
        while is_wanted and view:
            try:
                view = view[os.write(1, view) :]
            except OSError:
                is_wanted = False
    code = program.wait()
    os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
