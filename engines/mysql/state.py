"""What the manifest of a set of a MySQL or MariaDB server says: of its restore, and for the next set."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, model_validator

from airflow_backup.core.format.state import Amount, Name, PlainName, SetState
from airflow_backup.core.words import Kind

Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,64}$")]
Text = Annotated[str, Field(max_length=4096)]


class Place(SetState):
    """A place in the binary log."""

    file: PlainName
    offset: Amount
    gtid: Text | None = None


class MysqlState(SetState):
    """Databases, a server's whole data folder, or a stretch of the binary log."""

    method: Literal["logical", "physical"]
    identity: Text | None = None
    """Which server it was."""

    database: Name | None = None
    """The only one that the set is of; None for all."""

    databases: list[Name] | None = None
    charset: Annotated[list[Word], Field(min_length=2, max_length=2)] | None = None
    """Character set and collation of the only database."""

    settings: dict[Word, Text] | None = None
    leaves_out: list[Text] | None = None
    binlog: Place | None = None
    chain_binlog: Place | None = None
    since: Place | None = None
    files: list[PlainName] | None = None
    continues: Text | None = None
    server_began: Amount | None = None
    from_lsn: Amount | None = None
    to_lsn: Amount | None = None

    @model_validator(mode="after")
    def _each_method_says_what_it_needs(self, info: ValidationInfo) -> MysqlState:
        if (info.context or {}).get("kind") is Kind.ARCHIVE_LOG:
            if self.binlog is None:
                raise ValueError("`binlog` belongs to an archived log")
        elif self.method == "logical" and self.databases is None:
            raise ValueError("`databases` belongs to a logical set")
        elif self.method == "physical" and self.to_lsn is None:
            raise ValueError("`to_lsn` belongs to a physical set")
        return self
