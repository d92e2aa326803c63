"""Definitions as the catalog keeps them, read once: the same text says the same schedule for ever."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from airflow_backup.schedules.model.schedule import Schedule


class StoredDefinition(dict[str, Any]):
    """A definition, and what follows from it alone; it is shared between requests, so nobody may change it."""

    def __init__(self, text: str) -> None:
        super().__init__(json.loads(text))
        self.text = text
        """As it is stored."""
        self.remembered: dict[str, Any] = {}
        """Further answers that follow from it and from the moment that they name, by what they answer."""

    @cached_property
    def schedule(self) -> Schedule | None:
        """The schedule; None when it is empty, or of a version of this package that we do not understand."""
        try:
            return Schedule.model_validate_json(self.text)
        except ValidationError:
            return None


class Definitions:
    """Those that were read last: as many as there are schedules, so that each is parsed once however many these are."""

    def __init__(self) -> None:
        self._known: dict[str, StoredDefinition] = {}

    def read(self, texts: Iterable[str]) -> list[StoredDefinition]:
        """Return the definitions of all schedules, in order; those that are gone are forgotten."""
        known, found = self._known, list[StoredDefinition]()
        for text in texts:
            before = known.get(text)  # one that was never right is empty, and known all the same
            found.append(StoredDefinition(text) if before is None else before)
        self._known = {each.text: each for each in found}
        return found
