"""When schedules files were last read, and by which definition each run went."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the table and the columns; of runs before, nobody knows."""
    op.create_table(
        "origins",
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("also", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("origin", name="pk_origins"),
    )
    for table in ("executions", "attempts"):
        op.add_column(table, sa.Column("definition", sa.String(64)))
        op.add_column(table, sa.Column("definition_version", sa.Integer()))
