"""The tables of what people are told. A change here needs a migration; a test compares the two."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table

from airflow_backup.catalog.columns import Counter, Json, Moment, Words, id_column, metadata

cursors = Table(
    "cursors",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("event_id", BigInteger, nullable=False),
)

switches = Table(
    "switches",
    metadata,
    id_column(primary_key=True),
    Column("enabled", Boolean, nullable=False),
    Column("seen_at", Moment, nullable=False),
)

watched = Table(
    "watched",
    metadata,
    Column("subject", String(63), primary_key=True),
    Column("state", String(20), nullable=False),
    Column("is_troubled", Boolean, nullable=False),
    Column("checked_at", Moment, nullable=False),
)

checks = Table(
    "checks",
    metadata,
    Column("place", String(63), primary_key=True),
    Column("at", Moment, nullable=False),
    Column("every", Integer),
)

receivers = Table(
    "receivers",
    metadata,
    Column("key", String(63), primary_key=True),
    Column("cursor", BigInteger, nullable=False),
    Column("digest_at", Moment),
    Column("failures", Integer, nullable=False),
    Column("next_try_at", Moment),
    Column("error", Words),
    Column("delivered_at", Moment),
    Column("refused_at", Moment),
)

told = Table(
    "told",
    metadata,
    Column("receiver", String(63), primary_key=True),
    Column("subject", String(63), primary_key=True),
    Column("level", Integer, nullable=False),
    Column("at", Moment, nullable=False),
)

messages = Table(
    "messages",
    metadata,
    Column("number", Counter, primary_key=True),
    Column("id", String(40), nullable=False),
    Column("receiver", String(63), nullable=False),
    Column("content", Json, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("not_before", Moment, nullable=False),
    Column("batch", String(40)),
    Column("claimed_until", Moment),
    Column("ended_at", Moment),
    Column("outcome", String(20)),
    Column("error", Words),
    Index("ix_messages_id", "id", unique=True),
    Index("ix_messages_open", "receiver", "ended_at", "number"),
)
