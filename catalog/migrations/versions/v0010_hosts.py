"""Which host, queue and executor took each attempt; on which host each set was read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the columns; of what was before, nobody knows."""
    for table in ("executions", "attempts"):
        for column in ("host", "queue", "executor"):
            op.add_column(table, sa.Column(column, sa.String(250)))
    op.add_column("sets", sa.Column("host", sa.String(250)))
