"""What the API accepts as bodies: always a JSON object."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from airflow_backup.core.words import Kind
from airflow_backup.plugin.models import Model


class ToggleRequest(Model):
    """Enable or disable a schedule."""

    enabled: bool


class RunRequest(Model):
    """Run a schedule now."""

    kind: Kind | None = None
    """What to take; what the schedule takes when missing."""
    note: Annotated[str, Field(max_length=1000)] | None = None
    """For those who read the history."""


class Nothing(Model):
    """An empty object: a change needs a JSON body, also when there is nothing to say."""
