"""What all bodies and answers have in common."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""Moments that are given must lie between these: others cannot be shown in every zone, nor reckoned with."""


class ApiModel(BaseModel):
    """A frozen value; unknown keys are errors, attribute docstrings are the documentation."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_serialization_defaults_required=True,  # an answer always has every field
    )


def _bounded(moment: datetime) -> datetime:
    # Compared as they are: the year 9999 with an offset cannot be turned into UTC.
    if not FIRST <= moment <= LAST:
        raise ValueError("a moment lies between the years 1970 and 2200")
    return moment.astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(_bounded)]
"""A moment with its offset from UTC, between 1970 and 2200."""

Reason = Annotated[str, Field(max_length=500)]
"""Why something is done, for those who wonder."""

Id = Annotated[str, Field(max_length=63)]
"""The id of a schedule, or the name of a group."""
