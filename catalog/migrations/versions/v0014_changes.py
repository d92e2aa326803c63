"""Which schedules changed: the page reads those again, and not all of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from airflow_backup.catalog.changes import note_changes

revision = "0014"
down_revision = "0013"

_WATCHED = ("executions", "sets", "lost_sets", "verifications", "first_seen")


def upgrade() -> None:
    """Add the table, and what fills it; and an index that tells whether what is deployed is what it was."""
    counter = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "changes",
        sa.Column("id", counter, nullable=False),
        sa.Column("schedule_id", sa.String(63), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("transaction", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_changes"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_changes_transaction", "changes", ["transaction"])
    op.create_index("ix_changes_at", "changes", ["at"])
    op.create_index("ix_deployed_seen", "deployed", ["origin", "seen_at"])
    note_changes(op.get_bind(), _WATCHED)
