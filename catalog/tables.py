"""The tables. A change here needs a migration; a test compares the two."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.types import TypeEngine

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Moment(TypeDecorator[datetime]):
    """A moment in UTC; a naive one is a bug, and is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Make it UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no timezone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Mark it as UTC; SQLite keeps no zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class _Json(TypeDecorator[Any]):
    """JSON, of PostgreSQL's better kind there; whose dialect only those who use it load."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type of the database at hand."""
        if dialect.name != "postgresql":
            return dialect.type_descriptor(JSON())
        from sqlalchemy.dialects.postgresql import JSONB

        return dialect.type_descriptor(JSONB())


# SQLite counts up by itself only in INTEGER columns.
_Counter = BigInteger().with_variant(Integer(), "sqlite")


def _id(name: str = "schedule_id", *, primary_key: bool = False) -> Column[str]:
    return Column(name, String(63), primary_key=primary_key, nullable=False)


schedules = Table(
    "schedules",
    metadata,
    _id("id", primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("definition", _Json, nullable=False),
    Column("author", String(250), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("is_deleted", Boolean, nullable=False),
)

holds = Table(
    "holds",
    metadata,
    Column("id", _Counter, primary_key=True),
    _id(),
    Column("kind", String(20), nullable=False),
    Column("until", Moment),
    Column("reason", Text),
    Column("created_by", String(250), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Index("ix_holds_schedule", "schedule_id", "ended_at"),
)

executions = Table(
    "executions",
    metadata,
    _id(primary_key=True),
    Column("run_id", String(250), primary_key=True),
    Column("status", String(20), nullable=False),
    Column("kind", String(20)),
    Column("trigger", String(20), nullable=False),
    Column("reason", Text),
    Column("note", Text),
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
    Column("error", Text),
    Column("hint", Text),
    Column("failure_class", String(20)),
    Index("ix_executions_since", "schedule_id", "since", "run_id"),
    Index("ix_executions_status", "schedule_id", "status", "since", "run_id"),
    Index("ix_executions_open", "status", "since"),
)

attempts = Table(
    "attempts",
    metadata,
    _id(primary_key=True),
    Column("run_id", String(250), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("status", String(20), nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("error", Text),
    Column("hint", Text),
    Column("failure_class", String(20)),
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
    _id(),
    Column("repository", Text, nullable=False),
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
    Column("counts", _Json, nullable=False),
    Column("warnings", _Json, nullable=False),
    Column("manifest_hash", String(64), nullable=False),
    Column("previous_set_id", String(40)),
    Column("previous_hash", String(64)),
    Column("state", String(20), nullable=False),
    Column("pinned", Boolean, nullable=False),
    Column("verified_at", Moment),
    Column("verified_level", String(20)),
    Column("verified_outcome", String(20)),
    Column("locked_until", Moment),
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
    Column("id", _Counter, primary_key=True),
    Column("set_id", String(40), nullable=False),
    _id(),
    Column("level", String(20), nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("reason", Text),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment, nullable=False),
    Column("bytes_read", BigInteger, nullable=False),
    Column("details", _Json, nullable=False),
    Index("ix_verifications_set", "set_id", "finished_at"),
    Index("ix_verifications_schedule", "schedule_id", "finished_at"),
)

events = Table(
    "events",
    metadata,
    Column("id", _Counter, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("actor", String(250), nullable=False),
    Column("action", String(63), nullable=False),
    Column("subject", String(250), nullable=False),
    Column("detail", _Json, nullable=False),
    Column("hash", String(64), nullable=False),
    Index("ix_events_subject", "subject", "id"),
)

repositories = Table(
    "repositories",
    metadata,
    Column("url", Text, primary_key=True),
    Column("id", String(32), nullable=False),
    Column("seen_at", Moment, nullable=False),
)

tickets = Table(
    "tickets",
    metadata,
    Column("run_id", String(250), primary_key=True),
    Column("verb", String(20), nullable=False),
    _id(),
    Column("request", Text, nullable=False),
    Column("person", String(250), nullable=False),
    Column("issued_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("used_at", Moment),
)

first_seen = Table(
    "first_seen",
    metadata,
    _id(primary_key=True),
    Column("at", Moment, nullable=False),
)

lost_sets = Table(
    "lost_sets",
    metadata,
    Column("set_id", String(40), primary_key=True),
    _id(),
    Column("repository", Text, nullable=False),
    Column("consistent_at", Moment, nullable=False),
    Column("finished_at", Moment, nullable=False),
    Column("lost_at", Moment, nullable=False),
    Index("ix_lost_sets_schedule", "schedule_id"),
)

deployed = Table(
    "deployed",
    metadata,
    _id("id", primary_key=True),
    Column("origin", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("line", Integer, nullable=False),
    Column("definition", _Json, nullable=False),
    Column("state", String(20), nullable=False),
    Column("problems", _Json, nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("seen_at", Moment, nullable=False),
    Index("ix_deployed_origin", "origin"),
)

load_errors = Table(
    "load_errors",
    metadata,
    Column("id", _Counter, primary_key=True),
    Column("origin", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("line", Integer, nullable=False),
    Column("column", Integer, nullable=False),
    Column("path", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("hint", Text),
    Column("schedule_id", String(63)),
    Column("seen_at", Moment, nullable=False),
    Index("ix_load_errors_origin", "origin"),
)
