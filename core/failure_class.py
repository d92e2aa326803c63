"""What kind of failure something was: decides whether, and how late, a run is tried again."""

from __future__ import annotations

from enum import StrEnum


class FailureClass(StrEnum):
    """What kind of failure it was; decides whether, and how late, a run is tried again."""

    NETWORK = "network"
    THROTTLED = "throttled"
    LOCKED = "locked"
    SPACE = "space"
    PERMISSION = "permission"
    NOT_FOUND = "not_found"
    CONFIG = "config"
    SOURCE_CHANGED = "source_changed"
    TOOL = "tool"
    CORRUPT = "corrupt"
    TIME = "time"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @property
    def retryable(self) -> bool:
        """Whether trying again can mend it without a person."""
        return self not in _PERMANENT

    @property
    def waits_longer(self) -> bool:
        """Whether the far side needs time (``network_delay`` instead of ``delay``)."""
        return self in (FailureClass.NETWORK, FailureClass.THROTTLED, FailureClass.LOCKED)


_PERMANENT = frozenset(
    {
        FailureClass.SPACE,
        FailureClass.PERMISSION,
        FailureClass.NOT_FOUND,
        FailureClass.CONFIG,
        FailureClass.TOOL,
        FailureClass.CORRUPT,
        FailureClass.TIME,
        FailureClass.CANCELLED,
    }
)
