"""What the manifest of a set of files says for the next one."""

from __future__ import annotations

from airflow_backup.core.format.state import Amount, Link, SetState


class FilesState(SetState):
    """How long the chain is, and how large the tree."""

    link: Link = 0
    """How many sets lie below it."""

    bytes: Amount | None = None
    """What a restore writes."""
