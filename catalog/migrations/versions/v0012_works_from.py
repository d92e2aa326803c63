"""Which releases may go on with the catalog after this one has changed it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the column beside the version; whoever upgrades fills it."""
    op.add_column("airflow_backup_version", sa.Column("works_from", sa.String(32)))
