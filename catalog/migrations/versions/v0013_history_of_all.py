"""The history of all schedules in the order of time, without sorting it each time."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the index."""
    op.create_index("ix_executions_all", "executions", ["since"])
