"""What a script can tell from the exit code; documented in docs/reference/commands.md."""

from __future__ import annotations

DONE = 0
"""The command did what it says."""

BAD = 1
"""The answer is bad: invalid, late, failed."""

USAGE = 2
"""The command line is wrong."""

NOT_FOUND = 3
"""No such schedule, set or file."""

TRY_AGAIN = 4
"""It failed in a way that may mend itself: network, lock."""

INCONCLUSIVE = 5
"""Whether the sets are whole could not be told."""
