"""Which connections no schedule protects on purpose, by the files that say so."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the column; the DAG processor fills it when it reads the files next."""
    op.add_column(
        "origins", sa.Column("unprotected", sa.JSON().with_variant(JSONB(), "postgresql"))
    )
