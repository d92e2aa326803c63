"""What a run answered that somebody asked something."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the column; of those before, none was asked."""
    op.add_column("tickets", sa.Column("answer", sa.Text()))
