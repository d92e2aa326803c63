"""Messages that their receiver refuses for good."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add what is known of a refusal."""
    op.add_column("receivers", sa.Column("refused_at", sa.DateTime(timezone=True)))
    op.add_column("messages", sa.Column("error", sa.Text()))
