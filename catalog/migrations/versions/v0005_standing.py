"""When a schedule was seen first, and which stored sets are not there any more."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the tables; what ran before was there since its first execution."""
    op.create_table(
        "first_seen",
        sa.Column("schedule_id", sa.String(63), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("schedule_id", name="pk_first_seen"),
    )
    op.create_table(
        "lost_sets",
        sa.Column("set_id", sa.String(40), nullable=False),
        sa.Column("schedule_id", sa.String(63), nullable=False),
        sa.Column("repository", sa.Text(), nullable=False),
        sa.Column("consistent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lost_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("set_id", name="pk_lost_sets"),
    )
    op.create_index("ix_lost_sets_schedule", "lost_sets", ["schedule_id"])
    op.execute(
        "INSERT INTO first_seen (schedule_id, at) "
        "SELECT schedule_id, min(since) FROM executions GROUP BY schedule_id"
    )
