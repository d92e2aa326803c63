"""What the manifest of a set of a PostgreSQL server says: of its restore, and for the next set."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from airflow_backup.core.format.state import Name, SetState

Position = Annotated[str, Field(pattern=r"^[0-9A-F]{1,8}/[0-9A-F]{1,8}$")]
"""In the WAL, as PostgreSQL writes it."""

Version = Annotated[int, Field(ge=9, le=99)]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Text = Annotated[str, Field(max_length=200)]


class Wal(SetState):
    """Which stretch of which WAL a set needs, or is."""

    system: Annotated[str, Field(pattern=r"^[0-9]{1,20}$")]
    timeline: Annotated[int, Field(ge=1, lt=2**32)]
    segment_size: Annotated[int, Field(ge=2**20, le=2**30)]
    """Bytes."""

    since: Position
    begin: Position
    end: Position


class PostgresState(SetState):
    """A database, a cluster, or a stretch of WAL."""

    method: Literal["logical", "physical"]
    database: Name | None = None
    encoding: Word | None = None
    server: Version | None = None
    """The major version."""

    superuser: Name | None = None
    """Whom the cluster was made by."""

    wal: Wal | None = None
    archives: bool | None = None
    subscriptions: Annotated[int, Field(ge=0)] | None = None
    began: Text | None = None
    """When the server was started."""

    tail: Text | None = None
    """The digest of the last segment's beginning."""

    segments: Annotated[list[Text], Field(max_length=2)] | None = None
    continues: Text | None = None
    """The archived log before it."""

    @model_validator(mode="after")
    def _a_cluster_says_what_it_is(self) -> PostgresState:
        if self.method == "physical" and None in (self.server, self.superuser, self.wal):
            raise ValueError("`server`, `superuser` and `wal` belong to a physical set")
        return self
