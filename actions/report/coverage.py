"""
Which of Airflow's connections does no schedule protect? Pure, but for looking up engines.

What counts is what an installed engine says that it can back up. A connection is protected by a schedule that is
enabled and has it as its source, or reads the same place under another name; how well, the schedule's protection says.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from airflow_backup.core.connections import (
    Connection,
    Connections,
    from_environment,
    ids_in_environment,
)
from airflow_backup.core.errors import BackupError, ConfigError, NotFound
from airflow_backup.core.paths.places import holders
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.model.sources import EngineOptions, ways_by_type

log = logging.getLogger(__name__)

State = Literal["protected", "unprotected", "exception"]


@dataclass(frozen=True, slots=True)
class Covered:
    """A connection, the engine that can back it up, and the schedules that do."""

    connection_id: str
    type: str
    engine: str
    source: Mapping[str, Any]
    """What a schedule would write to protect it."""
    schedules: tuple[str, ...]
    """The enabled schedules that protect it, by id."""
    reason: str | None
    """Why it is an exception; None where it is none, or where a schedule protects it after all."""

    @property
    def state(self) -> State:
        """Whether something protects it, or nothing does, or nothing need."""
        if self.schedules:
            return "protected"
        return "unprotected" if self.reason is None else "exception"


@dataclass(frozen=True, slots=True)
class Coverage:
    """All connections that count, in order of id; and the exceptions that say nothing true."""

    found: tuple[Covered, ...]
    unknown: tuple[str, ...]
    """Exceptions for connections that there are not, or that no engine can back up."""

    def count(self, state: State) -> int:
        """Return how many connections are in a state."""
        return sum(each.state == state for each in self.found)

    @property
    def percent(self) -> float:
        """The share of connections that is protected, 0 to 100; exceptions do not count, and of nothing all is."""
        protected, unprotected = self.count("protected"), self.count("unprotected")
        wanted = protected + unprotected
        return 100.0 * protected / wanted if wanted else 100.0

    @property
    def percent_shown(self) -> float:
        """`percent` with one digit, cut and not rounded: 100 only where all of them are."""
        return math.floor(self.percent * 10) / 10


def coverage(
    connections: Iterable[Connection],
    schedules: Iterable[Schedule],
    exceptions: Mapping[str, str],
) -> Coverage:
    """
    Say of each connection what protects it.

    ``schedules`` are those that are enabled, ``exceptions`` the reason of each by the id of the connection.
    """
    known = {each.id: each for each in connections}
    ways = ways_by_type()
    sources = _Sources(schedules, known)
    found = tuple(
        Covered(
            identifier,
            connection.type,
            ways[connection.type].engine,
            ways[connection.type].source(connection),
            tuple(sorted(sources.protecting(connection))),
            exceptions.get(identifier),
        )
        for identifier, connection in sorted(known.items())
        if connection.type in ways
    )
    counted = {each.connection_id for each in found}
    return Coverage(found, tuple(sorted(set(exceptions) - counted)))


class _Sources:
    """What schedules read, by the name of the place, for there are as many as connections, or more."""

    def __init__(self, schedules: Iterable[Schedule], known: Mapping[str, Connection]) -> None:
        self._models: dict[type[EngineOptions], None] = {}
        self._reading: dict[tuple[type[EngineOptions], str], dict[str, Schedule]] = {}
        self._naming: dict[tuple[type[EngineOptions], str], dict[str, bool]] = {}
        for each in schedules:
            if each.source.connection_types:
                self._add(each, partial(_look_up, known))

    def _add(self, schedule: Schedule, connections: Connections) -> None:
        model = type(schedule.source)
        self._models[model] = None
        places = _asked(lambda: schedule.source.places(connections))
        for place in places:
            self._reading.setdefault((model, place), {})[schedule.id] = schedule
        named = getattr(schedule.source, "connection", None)
        if named is not None:
            self._naming.setdefault((model, named), {})[schedule.id] = bool(places)

    def protecting(self, connection: Connection) -> set[str]:
        """Return the schedules that read all that a connection leads to; where nobody can tell, those that name it."""
        found: set[str] = set()
        for model in self._models:
            if connection.type in model.connection_types:
                found |= self._by(model, connection)
        return found

    def _by(self, model: type[EngineOptions], connection: Connection) -> set[str]:
        naming = self._naming.get((model, connection.id), {})
        theirs = () if connection.unread else _asked(lambda: model.places_behind(connection))
        if not theirs:
            return set(naming)
        reading = set.intersection(*({*self._holding(model, each)} for each in theirs))
        return reading | {each for each, is_known in naming.items() if not is_known}

    def _holding(self, model: type[EngineOptions], place: str) -> Iterator[str]:
        for holder in holders(place):
            for schedule in self._reading.get((model, holder), {}).values():
                if schedule.source.takes(holder, place):
                    yield schedule.id


def _asked(places: Callable[[], tuple[str, ...]]) -> tuple[str, ...]:
    """
    Return what an engine names; nothing where nobody can tell: its connection is not known here, or names nothing.
    """
    try:
        return tuple(places())
    except BackupError:
        return ()
    except Exception as error:  # noqa: BLE001  # somebody else's engine; it must cost only who uses it
        # The connection of a variable has a password, which the words of the error may quote.
        log.error("an engine cannot say what it reads: %s", type(error).__name__)
        return ()


def _look_up(known: Mapping[str, Connection], identifier: str) -> Connection:
    if identifier not in known or known[identifier].unread:
        raise NotFound(f"no connection '{identifier}'")
    return known[identifier]


def with_environment(
    stored: Iterable[Connection],
    mentioned: Iterable[str],
    *,
    environ: Mapping[str, str] = os.environ,
    unreadable: Callable[[ConfigError], None] | None = None,
) -> list[Connection]:
    """
    Return the stored connections and those of variables, which win, as they do in Airflow.

    A variable does not say how the letters of its id are written: as in ``stored``, else as in ``mentioned``. What
    cannot be read raises ConfigError, or is told to ``unreadable`` and left out.
    """
    found = {each.id: each for each in stored}
    written: dict[str, set[str]] = {}
    for identifier in (*mentioned, *found):
        written.setdefault(identifier.upper(), set()).add(identifier)
    for each in ids_in_environment(environ):
        for identifier in sorted(written.get(each.upper(), {each})):
            try:
                found[identifier] = from_environment(identifier, environ=environ)
            except ConfigError as error:
                if unreadable is None:
                    raise
                found.pop(identifier, None)  # Airflow would not take the stored one either
                unreadable(error)
    return list(found.values())


def mentioned(schedules: Iterable[Schedule], exceptions: Iterable[str] = ()) -> list[str]:
    """List the connections that schedules and exceptions name."""
    named = (getattr(each.source, "connection", None) for each in schedules)
    return [*(each for each in named if each is not None), *exceptions]
