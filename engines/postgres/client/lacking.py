"""What a server says when this machine lacks something that the original has."""

from __future__ import annotations

import re

_SIGNS = (
    "is not available",
    "could not open extension control file",
    "could not access file",
    "could not load library",
    "shared_preload_libraries",
    "can only create extension",
    "ICU is not supported",
    "could not open collator",
    "[Ii]nvalid locale",
    "invalid LC_",
    "could not create locale",
    "could not find .*locale",
    "incompatible with operating system",
    "is not supported by this build",
    "collation .* does not exist",
    "out of shared memory",
    "No space left on device",
    "out of memory",
    "Cannot allocate memory",
    "too many clients",
    "could not create shared memory",
    "could not map anonymous shared memory",
    "could not resize shared memory",
    "could not create semaphores",
    "Too many open files",
    "resource manager with ID",
    "unrecognized configuration parameter",
    "maximum number of prepared transactions",
    'role ".*" does not exist',
    'tablespace ".*" does not exist',
    "stack depth limit exceeded",
)

_LACKING = re.compile("|".join(_SIGNS))


def is_not_here(message: str) -> bool:
    """
    Whether a failure says that this machine, or a server of its own, lacks what the original has.

    >>> is_not_here('extension "postgis" is not available')
    True
    >>> is_not_here('invalid byte sequence for encoding "UTF8": 0xff')
    False
    """
    return _LACKING.search(message) is not None
