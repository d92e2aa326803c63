"""Sets that nobody may remove before a moment."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the moment."""
    op.add_column("sets", sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True))
