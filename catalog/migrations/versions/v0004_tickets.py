"""What a person asked for, to be carried out once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "tickets",
        sa.Column("run_id", sa.String(250), nullable=False),
        sa.Column("verb", sa.String(20), nullable=False),
        sa.Column("schedule_id", sa.String(63), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("person", sa.String(250), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("run_id", name="pk_tickets"),
    )
