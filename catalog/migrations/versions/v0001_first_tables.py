"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

_MOMENT = sa.DateTime(timezone=True)
_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "deployed",
        sa.Column("id", sa.String(length=63), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("definition", _JSON, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("problems", _JSON, nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("seen_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployed")),
    )
    op.create_index("ix_deployed_origin", "deployed", ["origin"], unique=False)
    op.create_table(
        "events",
        sa.Column("id", _COUNTER, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("actor", sa.String(length=250), nullable=False),
        sa.Column("action", sa.String(length=63), nullable=False),
        sa.Column("subject", sa.String(length=250), nullable=False),
        sa.Column("detail", _JSON, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_index("ix_events_subject", "events", ["subject", "id"], unique=False)
    op.create_table(
        "executions",
        sa.Column("schedule_id", sa.String(length=63), nullable=False),
        sa.Column("run_id", sa.String(length=250), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=True),
        sa.Column("trigger", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("run_at", _MOMENT, nullable=False),
        sa.Column("since", _MOMENT, nullable=False),
        sa.Column("queued_at", _MOMENT, nullable=True),
        sa.Column("started_at", _MOMENT, nullable=True),
        sa.Column("finished_at", _MOMENT, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("bytes_read", sa.BigInteger(), nullable=True),
        sa.Column("bytes_stored", sa.BigInteger(), nullable=True),
        sa.Column("files", sa.BigInteger(), nullable=True),
        sa.Column("set_id", sa.String(length=40), nullable=True),
        sa.Column("warnings", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("hint", sa.Text(), nullable=True),
        sa.Column("failure_class", sa.String(length=20), nullable=True),
        sa.PrimaryKeyConstraint("schedule_id", "run_id", name=op.f("pk_executions")),
    )
    op.create_index("ix_executions_open", "executions", ["status", "since"], unique=False)
    op.create_index(
        "ix_executions_since", "executions", ["schedule_id", "since", "run_id"], unique=False
    )
    op.create_index(
        "ix_executions_status",
        "executions",
        ["schedule_id", "status", "since", "run_id"],
        unique=False,
    )
    op.create_table(
        "holds",
        sa.Column("id", _COUNTER, nullable=False),
        sa.Column("schedule_id", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("until", _MOMENT, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_by", sa.String(length=250), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("ended_at", _MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
    )
    op.create_index("ix_holds_schedule", "holds", ["schedule_id", "ended_at"], unique=False)
    op.create_table(
        "load_errors",
        sa.Column("id", _COUNTER, nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("column", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=True),
        sa.Column("schedule_id", sa.String(length=63), nullable=True),
        sa.Column("seen_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_load_errors")),
    )
    op.create_index("ix_load_errors_origin", "load_errors", ["origin"], unique=False)
    op.create_table(
        "schedules",
        sa.Column("id", sa.String(length=63), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("definition", _JSON, nullable=False),
        sa.Column("author", sa.String(length=250), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", "version", name=op.f("pk_schedules")),
    )
    op.create_table(
        "sets",
        sa.Column("set_id", sa.String(length=40), nullable=False),
        sa.Column("schedule_id", sa.String(length=63), nullable=False),
        sa.Column("repository", sa.Text(), nullable=False),
        sa.Column("run_id", sa.String(length=250), nullable=False),
        sa.Column("engine", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("parent", sa.String(length=40), nullable=True),
        sa.Column("base", sa.String(length=40), nullable=True),
        sa.Column("run_at", _MOMENT, nullable=False),
        sa.Column("started_at", _MOMENT, nullable=False),
        sa.Column("consistent_at", _MOMENT, nullable=False),
        sa.Column("finished_at", _MOMENT, nullable=False),
        sa.Column("files", sa.BigInteger(), nullable=False),
        sa.Column("bytes_read", sa.BigInteger(), nullable=False),
        sa.Column("bytes_stored", sa.BigInteger(), nullable=False),
        sa.Column("counts", _JSON, nullable=False),
        sa.Column("warnings", _JSON, nullable=False),
        sa.Column("manifest_hash", sa.String(length=64), nullable=False),
        sa.Column("previous_set_id", sa.String(length=40), nullable=True),
        sa.Column("previous_hash", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("pinned", sa.Boolean(), nullable=False),
        sa.Column("verified_at", _MOMENT, nullable=True),
        sa.Column("verified_level", sa.String(length=20), nullable=True),
        sa.Column("verified_outcome", sa.String(length=20), nullable=True),
        sa.PrimaryKeyConstraint("set_id", name=op.f("pk_sets")),
    )
    op.create_index(
        "ix_sets_consistent", "sets", ["schedule_id", "consistent_at", "set_id"], unique=False
    )
    op.create_index(
        "ix_sets_latest", "sets", ["schedule_id", "state", "consistent_at", "set_id"], unique=False
    )
    op.create_index("ix_sets_parent", "sets", ["parent"], unique=False)
    op.create_table(
        "verifications",
        sa.Column("id", _COUNTER, nullable=False),
        sa.Column("set_id", sa.String(length=40), nullable=False),
        sa.Column("schedule_id", sa.String(length=63), nullable=False),
        sa.Column("level", sa.String(length=20), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("started_at", _MOMENT, nullable=False),
        sa.Column("finished_at", _MOMENT, nullable=False),
        sa.Column("bytes_read", sa.BigInteger(), nullable=False),
        sa.Column("details", _JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verifications")),
    )
    op.create_index(
        "ix_verifications_schedule", "verifications", ["schedule_id", "finished_at"], unique=False
    )
    op.create_index(
        "ix_verifications_set", "verifications", ["set_id", "finished_at"], unique=False
    )
    op.create_table(
        "attempts",
        sa.Column("schedule_id", sa.String(length=63), nullable=False),
        sa.Column("run_id", sa.String(length=250), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("started_at", _MOMENT, nullable=False),
        sa.Column("finished_at", _MOMENT, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("hint", sa.Text(), nullable=True),
        sa.Column("failure_class", sa.String(length=20), nullable=True),
        sa.ForeignKeyConstraint(
            ["schedule_id", "run_id"],
            ["executions.schedule_id", "executions.run_id"],
            name=op.f("fk_attempts_executions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("schedule_id", "run_id", "number", name=op.f("pk_attempts")),
    )
    op.create_table(
        "pieces",
        sa.Column("set_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("stream", sa.String(length=200), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("raw_size", sa.BigInteger(), nullable=False),
        sa.Column("checksum", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(
            ["set_id"], ["sets.set_id"], name=op.f("fk_pieces_sets"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("set_id", "name", name=op.f("pk_pieces")),
    )
