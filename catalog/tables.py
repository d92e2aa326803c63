"""The tables. A change here needs a migration; a test compares the two."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Table,
)

from airflow_backup.catalog.columns import Counter, Json, Moment, Words, id_column, metadata

schedules = Table(
    "schedules",
    metadata,
    id_column("id", primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("definition", Json, nullable=False),
    Column("author", String(250), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("is_deleted", Boolean, nullable=False),
)

holds = Table(
    "holds",
    metadata,
    Column("id", Counter, primary_key=True),
    id_column(),
    Column("kind", String(20), nullable=False),
    Column("until", Moment),
    Column("reason", Words),
    Column("created_by", String(250), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Index("ix_holds_schedule", "schedule_id", "ended_at"),
)

executions = Table(
    "executions",
    metadata,
    id_column(primary_key=True),
    Column("run_id", String(250), primary_key=True),
    Column("status", String(20), nullable=False),
    Column("kind", String(20)),
    Column("trigger", String(20), nullable=False),
    Column("reason", Words),
    Column("note", Words),
    Column("run_at", Moment, nullable=False),
    Column("since", Moment, nullable=False),
    Column("queued_at", Moment),
    Column("started_at", Moment),
    Column("finished_at", Moment),
    Column("attempts", Integer, nullable=False),
    Column("bytes_read", BigInteger),
    Column("bytes_stored", BigInteger),
    Column("files", BigInteger),
    Column("set_id", String(40)),
    Column("warnings", Integer, nullable=False),
    Column("error", Words),
    Column("hint", Words),
    Column("failure_class", String(20)),
    Column("definition", String(64)),
    Column("definition_version", Integer),
    Column("host", String(250)),
    Column("queue", String(250)),
    Column("executor", String(250)),
    Index("ix_executions_since", "schedule_id", "since", "run_id"),
    Index("ix_executions_status", "schedule_id", "status", "since", "run_id"),
    Index("ix_executions_open", "status", "since"),
    Index("ix_executions_all", "since"),
)

attempts = Table(
    "attempts",
    metadata,
    id_column(primary_key=True),
    Column("run_id", String(250), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("status", String(20), nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("error", Words),
    Column("hint", Words),
    Column("failure_class", String(20)),
    Column("definition", String(64)),
    Column("definition_version", Integer),
    Column("host", String(250)),
    Column("queue", String(250)),
    Column("executor", String(250)),
    ForeignKeyConstraint(
        ["schedule_id", "run_id"],
        ["executions.schedule_id", "executions.run_id"],
        ondelete="CASCADE",
    ),
)

sets = Table(
    "sets",
    metadata,
    Column("set_id", String(40), primary_key=True),
    id_column(),
    Column("repository", Words, nullable=False),
    Column("run_id", String(250), nullable=False),
    Column("engine", String(63), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("parent", String(40)),
    Column("base", String(40)),
    Column("run_at", Moment, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("consistent_at", Moment, nullable=False),
    Column("finished_at", Moment, nullable=False),
    Column("files", BigInteger, nullable=False),
    Column("bytes_read", BigInteger, nullable=False),
    Column("bytes_stored", BigInteger, nullable=False),
    Column("counts", Json, nullable=False),
    Column("warnings", Json, nullable=False),
    Column("manifest_hash", String(64), nullable=False),
    Column("previous_set_id", String(40)),
    Column("previous_hash", String(64)),
    Column("state", String(20), nullable=False),
    Column("pinned", Boolean, nullable=False),
    Column("verified_at", Moment),
    Column("verified_level", String(20)),
    Column("verified_outcome", String(20)),
    Column("locked_until", Moment),
    Column("host", String(250)),
    Index("ix_sets_latest", "schedule_id", "state", "consistent_at", "set_id"),
    Index("ix_sets_consistent", "schedule_id", "consistent_at", "set_id"),
    Index("ix_sets_parent", "parent"),
)

pieces = Table(
    "pieces",
    metadata,
    Column("set_id", ForeignKey("sets.set_id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("stream", String(200), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("raw_size", BigInteger, nullable=False),
    Column("checksum", String(128), nullable=False),
)

verifications = Table(
    "verifications",
    metadata,
    Column("id", Counter, primary_key=True),
    Column("set_id", String(40), nullable=False),
    id_column(),
    Column("level", String(20), nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("reason", Words),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment, nullable=False),
    Column("bytes_read", BigInteger, nullable=False),
    Column("details", Json, nullable=False),
    Index("ix_verifications_set", "set_id", "finished_at"),
    Index("ix_verifications_schedule", "schedule_id", "finished_at"),
)

events = Table(
    "events",
    metadata,
    Column("id", Counter, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("actor", String(250), nullable=False),
    Column("action", String(63), nullable=False),
    Column("subject", String(250), nullable=False),
    Column("detail", Json, nullable=False),
    Column("hash", String(64), nullable=False),
    Index("ix_events_subject", "subject", "id"),
)

repositories = Table(
    "repositories",
    metadata,
    Column("url", Words, primary_key=True),
    Column("id", String(32), nullable=False),
    Column("seen_at", Moment, nullable=False),
)

tickets = Table(
    "tickets",
    metadata,
    Column("run_id", String(250), primary_key=True),
    Column("verb", String(20), nullable=False),
    id_column(),
    Column("request", Words, nullable=False),
    Column("person", String(250), nullable=False),
    Column("issued_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("used_at", Moment),
    Column("answer", Words),
)

first_seen = Table(
    "first_seen",
    metadata,
    id_column(primary_key=True),
    Column("at", Moment, nullable=False),
)

lost_sets = Table(
    "lost_sets",
    metadata,
    Column("set_id", String(40), primary_key=True),
    id_column(),
    Column("repository", Words, nullable=False),
    Column("consistent_at", Moment, nullable=False),
    Column("finished_at", Moment, nullable=False),
    Column("lost_at", Moment, nullable=False),
    Index("ix_lost_sets_schedule", "schedule_id"),
)

orders = Table(
    "orders",
    metadata,
    Column("id", Counter, primary_key=True),
    id_column(),
    Column("run_id", String(250), nullable=False),
    Column("action", String(20), nullable=False),
    Column("by", String(250), nullable=False),
    Column("reason", Words),
    Column("at", Moment, nullable=False),
    Index("ix_orders_run", "schedule_id", "run_id"),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(250), primary_key=True),
    id_column(),
    Column("run_id", String(250), nullable=False),
    Column("host", String(250), nullable=False),
    Column("taken_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
)

deployed = Table(
    "deployed",
    metadata,
    id_column("id", primary_key=True),
    Column("origin", Words, nullable=False),
    Column("file", Words, nullable=False),
    Column("line", Integer, nullable=False),
    Column("definition", Json, nullable=False),
    Column("state", String(20), nullable=False),
    Column("problems", Json, nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("seen_at", Moment, nullable=False),
    Index("ix_deployed_origin", "origin"),
    Index("ix_deployed_seen", "origin", "seen_at"),
)

origins = Table(
    "origins",
    metadata,
    Column("origin", Words, primary_key=True),
    Column("also", Json, nullable=False),
    Column("read_at", Moment, nullable=False),
    Column("unprotected", Json),
)

load_errors = Table(
    "load_errors",
    metadata,
    Column("id", Counter, primary_key=True),
    Column("origin", Words, nullable=False),
    Column("file", Words, nullable=False),
    Column("line", Integer, nullable=False),
    Column("column", Integer, nullable=False),
    Column("path", Words, nullable=False),
    Column("message", Words, nullable=False),
    Column("hint", Words),
    Column("schedule_id", String(63)),
    Column("seen_at", Moment, nullable=False),
    Index("ix_load_errors_origin", "origin"),
)
