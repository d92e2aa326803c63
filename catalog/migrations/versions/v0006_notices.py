"""What the monitor saw last, and the messages that are on their way to people."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the tables; what happened before this release is told to nobody."""
    moment = sa.DateTime(timezone=True)
    counter = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "cursors",
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_cursors"),
    )
    op.create_table(
        "switches",
        sa.Column("schedule_id", sa.String(63), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("seen_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("schedule_id", name="pk_switches"),
    )
    op.create_table(
        "watched",
        sa.Column("subject", sa.String(63), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("is_troubled", sa.Boolean(), nullable=False),
        sa.Column("checked_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_watched"),
    )
    op.create_table(
        "checks",
        sa.Column("place", sa.String(63), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("every", sa.Integer()),
        sa.PrimaryKeyConstraint("place", name="pk_checks"),
    )
    op.create_table(
        "receivers",
        sa.Column("key", sa.String(63), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("digest_at", moment),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_try_at", moment),
        sa.Column("error", sa.Text()),
        sa.Column("delivered_at", moment),
        sa.PrimaryKeyConstraint("key", name="pk_receivers"),
    )
    op.create_table(
        "told",
        sa.Column("receiver", sa.String(63), nullable=False),
        sa.Column("subject", sa.String(63), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.PrimaryKeyConstraint("receiver", "subject", name="pk_told"),
    )
    op.create_table(
        "messages",
        sa.Column("number", counter, nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("receiver", sa.String(63), nullable=False),
        sa.Column("content", _json(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("not_before", moment, nullable=False),
        sa.Column("batch", sa.String(40)),
        sa.Column("claimed_until", moment),
        sa.Column("ended_at", moment),
        sa.Column("outcome", sa.String(20)),
        sa.PrimaryKeyConstraint("number", name="pk_messages"),
    )
    op.create_index("ix_messages_id", "messages", ["id"], unique=True)
    op.create_index("ix_messages_open", "messages", ["receiver", "ended_at", "number"])


def _json() -> sa.types.TypeEngine[object]:
    if op.get_bind().dialect.name != "postgresql":
        return sa.JSON()
    from sqlalchemy.dialects.postgresql import JSONB

    return JSONB()
