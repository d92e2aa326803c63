"""What the manifest of a set of a Firebird database says: of its restore, and for the next set."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from airflow_backup.core.format.state import Link, Place, SetState


class FirebirdState(SetState):
    """A database, or the pages of it that changed."""

    method: Literal["logical", "physical"]
    database: Place
    """Where the database lay."""

    leaves_out: list[Place] | None = None
    level: Link | None = None
    guid: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None
    """What nbackup calls the set, and asks for when it takes the next."""

    @model_validator(mode="after")
    def _a_physical_set_says_which_it_is(self) -> FirebirdState:
        if self.method == "physical" and self.guid is None:
            raise ValueError("`guid` belongs to a physical set")
        return self
