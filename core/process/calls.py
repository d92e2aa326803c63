"""
What a program in a cage may not ask of the kernel: to speak to anybody outside, or to reach into another process.

A network namespace holds back no socket that is a file: a database next door takes a local user's word for who it is,
and the cage runs as one. Landlock does not know of those either. So a filter (seccomp, in classic BPF;
https://docs.kernel.org/userspace-api/seccomp_filter.html) refuses to connect at all; whoever is in the cage listens,
and is spoken to. It is run by a bare interpreter beside `sandbox`, and imports nothing of this package.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

_SET_SECCOMP, _FILTER = 22, 2
_LOAD, _EQUAL, _AT_LEAST, _SET_BITS, _RETURN, _AND = 0x20, 0x15, 0x35, 0x45, 0x06, 0x54
_ALLOW, _REFUSE, _UNKNOWN = 0x7FFF0000, 0x00050000 | errno.EACCES, 0x00050000 | errno.ENOSYS
_NUMBER, _MACHINE, _ARGUMENTS = 0, 4, 16
_AF_UNIX, _DATAGRAM, _TYPE = 1, 2, 0xF

# The machine's number for audits; connect, sendto, socket; those that are refused whatever they ask.
_MACHINES = {
    "x86_64": (0xC000003E, 42, 44, 41, (101, 310, 311, 438)),
    "aarch64": (0xC00000B7, 203, 206, 198, (117, 270, 271, 438)),
}
_IO_URING = (425, 426, 427)
"""The same numbers on both; it does for a program what is refused here, and whoever asks for it goes on without."""
_OTHER_NUMBERS = 0x40000000
"""From here on x86_64 has the calls of another convention (x32)."""


def _step(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("HBBI", code, then, otherwise, value)


def _filter(machine: str) -> bytes:
    audit, connect, sendto, socket, others = _MACHINES[machine]
    steps = [
        _step(_LOAD, _MACHINE),
        _step(_EQUAL, audit, 1, 0),
        _step(_RETURN, _UNKNOWN),
        _step(_LOAD, _NUMBER),
        _step(_AT_LEAST, _OTHER_NUMBERS, 0, 1),
        _step(_RETURN, _UNKNOWN),
    ]
    for number in (connect, *others):
        steps += [_step(_EQUAL, number, 0, 1), _step(_RETURN, _REFUSE)]
    for number in _IO_URING:
        steps += [_step(_EQUAL, number, 0, 1), _step(_RETURN, _UNKNOWN)]
    steps += [
        # A datagram that names whom it is for; both halves of the pointer.
        _step(_EQUAL, sendto, 0, 6),
        _step(_LOAD, _ARGUMENTS + 8 * 4),
        _step(_EQUAL, 0, 0, 3),
        _step(_LOAD, _ARGUMENTS + 8 * 4 + 4),
        _step(_EQUAL, 0, 0, 1),
        _step(_RETURN, _ALLOW),
        _step(_RETURN, _REFUSE),
        # A socket for datagrams that is a file: a message of it may name anybody.
        _step(_EQUAL, socket, 0, 6),
        _step(_LOAD, _ARGUMENTS),
        _step(_EQUAL, _AF_UNIX, 0, 4),
        _step(_LOAD, _ARGUMENTS + 8),
        _step(_AND, _TYPE),
        _step(_EQUAL, _DATAGRAM, 0, 1),
        _step(_RETURN, _REFUSE),
        _step(_RETURN, _ALLOW),
    ]
    return b"".join(steps)


def refuse_calls() -> None:
    """Set the filter, for this process and all that it becomes; OSError where this machine knows none."""
    steps = _filter(platform.machine()) if platform.machine() in _MACHINES else b""
    if not steps:
        raise OSError(errno.ENOSYS, "no filter for this machine")
    buffer = ctypes.create_string_buffer(steps, len(steps))
    program = struct.pack("HxxxxxxP", len(steps) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_SET_SECCOMP, _FILTER, ctypes.c_char_p(program), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
