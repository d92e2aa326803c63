"""What all bodies and answers have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from airflow_backup.core.clock import bounded
from airflow_backup.core.ids import SCHEDULE_ID


class ApiModel(BaseModel):
    """A frozen value; unknown keys are errors, attribute docstrings are the documentation."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_serialization_defaults_required=True,  # an answer always has every field
    )


Moment = Annotated[AwareDatetime, AfterValidator(bounded)]
"""A moment with its offset from UTC, between 1970 and 2200."""

Reason = Annotated[str, Field(max_length=500)]
"""Why something is done, for those who wonder."""

Id = Annotated[str, Field(max_length=63)]
"""The id of a schedule, or the name of a group."""

AskedId = Annotated[
    str, Field(max_length=63, json_schema_extra={"pattern": f"^{SCHEDULE_ID.pattern}$"})
]
"""The id of a schedule in an address: others are not found, not wrong. 500 fit into what a server reads."""
