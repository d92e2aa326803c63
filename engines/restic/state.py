"""What the manifest of a set in a restic repository says: where it lies, which is compared and never gone by."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from airflow_backup.core.format.state import Place, SetState


class ResticState(SetState):
    """What a set says about a restic snapshot: its repository, its id and its paths."""

    repository: Place
    connection: Place | None = None
    snapshot: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    paths: list[Place] | None = None
