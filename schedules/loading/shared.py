"""
What schedules share: defaults, templates, groups, presets, windows, calendars and receivers of all files together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from airflow_backup.core.text.names import quoted
from airflow_backup.schedules.loading.layers import Layer
from airflow_backup.schedules.loading.loaded import Exempt
from airflow_backup.schedules.loading.problems import (
    Finding,
    PathPart,
    Problem,
    did_you_mean,
    findings,
)
from airflow_backup.schedules.loading.yaml_reader import Document
from airflow_backup.schedules.model.calendars import Calendar
from airflow_backup.schedules.model.notify import Receiver
from airflow_backup.schedules.model.presets import Preset
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.model.sources import Unprotected
from airflow_backup.schedules.model.windows import Window

FORMAT_VERSION = 1
TOP_LEVEL = (
    "version",
    "defaults",
    "presets",
    "windows",
    "calendars",
    "receivers",
    "templates",
    "groups",
    "unprotected",
    "schedules",
)
NOT_INHERITED = ("id", "extends")

_NAMED: dict[str, type[BaseModel]] = {
    "presets": Preset,
    "windows": Window,
    "calendars": Calendar,
    "receivers": Receiver,
}


class Shared:
    """
    The definitions of all files, checked once where they stand.

    ``named`` maps ``presets``, ``windows``, ``calendars`` and ``receivers`` to their entries by name; an entry that
    is wrong is None, so that the schedules which use it can say so.
    """

    def __init__(self, documents: list[Document]) -> None:
        self.problems: list[Problem] = []
        self.named: dict[str, dict[str, Any]] = {key: {} for key in _NAMED}
        self.templates: dict[str, Layer] = {}
        self.groups: dict[str, Layer] = {}
        self.defaults: list[Layer] = []
        self.exempt: list[Exempt] = []
        self.also: list[str] = []
        """Other files that were read: calendars."""
        for document in documents:
            self.problems += document.problems
            if document.data is not None or not document.problems:
                self._check_top_level(document)
            self._collect(document)

    def _report(
        self, document: Document, path: tuple[PathPart, ...], message: str, hint: str | None = None
    ) -> None:
        self.problems.append(document.problem(path, message, hint))

    def _report_key(
        self, document: Document, path: tuple[PathPart, ...], message: str, hint: str | None = None
    ) -> None:
        self.problems.append(document.problem(path, message, hint, at_key=True))

    def _check_top_level(self, document: Document) -> None:
        if not isinstance(document.data, dict):
            what = "empty" if document.data is None else "not a mapping"
            self._report(document, (), f"the file is {what}", "does it begin with `version: 1`?")
            return
        for key in document.data:
            if key not in TOP_LEVEL:
                hint = did_you_mean(str(key), TOP_LEVEL)
                self._report_key(document, (str(key),), f"unknown key `{key}`", hint)
        version, hint = document.data.get("version"), f"write `version: {FORMAT_VERSION}`"
        if version is None:
            self._report(document, ("version",), "`version` is missing", hint)
        elif version != FORMAT_VERSION or isinstance(version, bool):
            self._report(document, ("version",), f"version {quoted(version)} is not known", hint)

    def _collect(self, document: Document) -> None:
        for key, model in _NAMED.items():
            for name, value in self._mapping(document, key).items():
                self._add_named(document, key, str(name), value, model)
        self._add_defaults(document, self._mapping(document, "defaults"))
        for name, value in self._mapping(document, "templates").items():
            self._add_template(document, str(name), value)
        for name, value in self._mapping(document, "groups").items():
            self._add_group(document, str(name), value)
        self._add_exceptions(document)

    def _mapping(self, document: Document, key: str) -> dict[str, Any]:
        value = document.data.get(key) if isinstance(document.data, dict) else None
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._report(document, (key,), f"`{key}` is not a mapping")
            return {}
        return value

    def _add_defaults(self, document: Document, data: Mapping[str, Any]) -> None:
        if data and self.defaults:
            first = self.defaults[0].document.file
            self._report_key(document, ("defaults",), f"`defaults` stand in {first} already")
        elif data:
            self.defaults.append(self._layer(document, ("defaults",), data))

    def _add_template(self, document: Document, name: str, value: Any) -> None:
        path = ("templates", name)
        if not isinstance(value, dict):
            self._report(document, path, f"template `{name}` is not a mapping")
        elif name in self.templates:
            self._report_key(document, path, f"template `{name}` stands twice")
        else:
            self.templates[name] = self._layer(document, path, value, more=("extends",))

    def _add_group(self, document: Document, name: str, value: Any) -> None:
        path = ("groups", name)
        if not isinstance(value, dict):
            self._report(document, path, f"group `{name}` is not a mapping")
        elif name in self.groups:
            self._report_key(document, path, f"group `{name}` stands twice")
        else:
            self.groups[name] = self._layer(document, path, value, less=("group",))

    def _add_exceptions(self, document: Document) -> None:
        """Read what is unprotected on purpose."""
        given = document.data.get("unprotected") if isinstance(document.data, dict) else None
        if given is not None and not isinstance(given, list):
            hint = "write a list of {connection: ..., reason: ...}"
            self._report(document, ("unprotected",), "`unprotected` is not a list", hint)
            return
        for index, value in enumerate(given or []):
            path: tuple[PathPart, ...] = ("unprotected", index)
            try:
                made = Unprotected.model_validate(value)
            except ValidationError as error:
                for found in findings(error, Unprotected):
                    self._place(document, path, found)
                continue
            if any(each.unprotected.connection == made.connection for each in self.exempt):
                self._report(document, path, f"connection `{made.connection}` stands twice")
                continue
            line, _ = document.place(path)
            self.exempt.append(Exempt(made, document.file, line))

    def _layer(
        self,
        document: Document,
        path: tuple[PathPart, ...],
        data: Mapping[str, Any],
        *,
        more: tuple[str, ...] = (),
        less: tuple[str, ...] = (),
    ) -> Layer:
        """Make a layer that others inherit: its unknown keys are reported here, once, and left out."""
        left_out = (*NOT_INHERITED, *less)
        known = [*(key for key in Schedule.model_fields if key not in left_out), *more]
        for key in data:
            if key not in known:
                hint = did_you_mean(str(key), known)
                self._report_key(document, (*path, str(key)), f"unknown key `{key}`", hint)
        return Layer(document, path, {key: value for key, value in data.items() if key in known})

    def _add_named(
        self, document: Document, key: str, name: str, value: Any, model: type[BaseModel]
    ) -> None:
        path = (key, name)
        if name in self.named[key]:
            self._report_key(document, path, f"{key[:-1]} `{name}` stands twice")
            return
        self.named[key][name] = None
        given = {"cron": value} if model is Preset and isinstance(value, str) else value
        if model is Receiver and isinstance(value, dict):
            given = value | {
                "name": name
            }  # messages are remembered by it, so it must be a good one
        try:
            made = model.model_validate(given)
        except ValidationError as error:
            for found in findings(error, model):
                self._place(document, path, found)
            return
        if isinstance(made, Calendar) and made.ics is not None:
            self._read_calendar(document, name, made)
        else:
            named = {"name": name} if "name" in model.model_fields else {}
            self.named[key][name] = made.model_copy(update=named)

    def _place(self, document: Document, path: tuple[PathPart, ...], found: Finding) -> None:
        whole = (*path, *found.path)
        self.problems.append(
            document.problem(whole, found.message, found.hint, at_key=found.at_key)
        )

    def _read_calendar(self, document: Document, name: str, calendar: Calendar) -> None:
        """Put the days of an .ics file into the calendar, so that nobody else needs the file."""
        from airflow_backup.schedules.loading.ics import (
            days_of,  # icalendar; only for those who use it
        )

        if document.folder is None:  # sent to the API: it must not read files of the server
            self._report(
                document,
                ("calendars", name, "ics"),
                "a calendar file lies beside a schedules file",
                "write the days as `dates`",
            )
            return
        file = document.folder / str(calendar.ics)
        self.also.append(str(file))
        try:
            days = days_of(file.read_bytes())
        except OSError as error:
            self._report(
                document,
                ("calendars", name, "ics"),
                f"{calendar.ics} cannot be read: {error.strerror}",
            )
        except ValueError as error:
            self._report(
                document, ("calendars", name, "ics"), f"{calendar.ics} is not a calendar: {error}"
            )
        else:
            update = {"name": name, "ics": None, "dates": [*calendar.dates, *days]}
            self.named["calendars"][name] = calendar.model_copy(update=update)
