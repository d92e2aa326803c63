"""Lets this process end with the one above it, which nobody else would tell it of."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys

logger = logging.getLogger(__name__)

_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


def end_with_parent() -> bool:
    """
    Have this process asked to end (SIGTERM) in the moment in which its parent has ended, however that came.

    Return whether it is so: only Linux can, and only a process that knows what to do then is asked, one that has a
    handler of its own for SIGTERM.
    """
    if not sys.platform.startswith("linux") or not callable(signal.getsignal(signal.SIGTERM)):
        return False
    parent = os.getppid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_DEATH_SIGNAL, int(signal.SIGTERM), 0, 0, 0) != 0:
        logger.warning("works on if its parent dies: %s", os.strerror(ctypes.get_errno()))
        return False
    if os.getppid() != parent:  # it ended meanwhile
        os.kill(os.getpid(), signal.SIGTERM)
    return True
