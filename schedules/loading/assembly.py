"""Joins files into schedules: each from its own keys, its templates and the defaults; every problem in its place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from airflow_backup.core.errors import ConfigError
from airflow_backup.core.installed.engines import names as engine_names
from airflow_backup.schedules.loading.dependencies import Elsewhere, check_dependencies
from airflow_backup.schedules.loading.layers import Layer, merge, place
from airflow_backup.schedules.loading.loaded import Loaded, Located, Rejected
from airflow_backup.schedules.loading.problems import (
    Finding,
    PathPart,
    Problem,
    did_you_mean,
    findings,
)
from airflow_backup.schedules.loading.shared import Shared
from airflow_backup.schedules.loading.yaml_reader import Document
from airflow_backup.schedules.model.notify import listed
from airflow_backup.schedules.model.presets import PRESETS
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.model.sources import EngineOptions, options_model
from airflow_backup.schedules.model.windows import Window

_REFERENCES = {"window": "windows", "skip_on": "calendars"}
_READY_MADE = {
    "windows": {
        "business_hours": Window(name="business_hours", preset="business_hours"),
        "off_hours": Window(name="off_hours", preset="off_hours"),
    },
    "calendars": {},
    "receivers": {},
}


def assemble(documents: Iterable[Document], *, elsewhere: Elsewhere | None = None) -> Loaded:
    """
    Join files into schedules, reporting everything that is wrong.

    ``elsewhere`` has further schedules that may be waited for, and what they wait for.
    """
    files = list(documents)
    shared = Shared(files)
    loaded = Loaded(files=[file.file for file in files], also=shared.also, exempt=shared.exempt)
    loaded.problems += shared.problems
    seen: dict[str, tuple[str, int]] = {}
    for document in files:
        for index, entry in enumerate(_entries(document, loaded)):
            _add(document, index, entry, shared, seen, loaded)
    check_dependencies(loaded, files, elsewhere or Elsewhere())
    loaded.problems = sorted(
        set(loaded.problems), key=lambda problem: (problem.file, problem.line, problem.column)
    )
    return loaded


def _entries(document: Document, loaded: Loaded) -> list[Any]:
    entries = document.data.get("schedules") if isinstance(document.data, dict) else None
    if entries is None or isinstance(entries, list):
        return entries or []
    hint = "does each schedule begin with `- id:`?"
    loaded.problems.append(document.problem(("schedules",), "`schedules` is not a list", hint))
    return []


def _add(
    document: Document,
    index: int,
    entry: Any,
    shared: Shared,
    seen: dict[str, tuple[str, int]],
    loaded: Loaded,
) -> None:
    """Add one schedule, or the reasons why it is rejected."""
    path: tuple[PathPart, ...] = ("schedules", index)
    line, _ = document.place(path)
    problems = [item for item in document.problems if item.path.startswith(f"schedules.{index}.")]
    schedule, identifier = None, None
    if isinstance(entry, dict):
        built = _Entry(Layer(document, path, entry), shared)
        schedule = built.schedule()
        problems += built.problems
        identifier = entry.get("id") if isinstance(entry.get("id"), str) else None
    else:
        hint = "does it begin with `- id:`?"
        problems.append(document.problem(path, "the schedule is not a mapping", hint))
    if identifier is not None and identifier in seen:
        file, first = seen[identifier]
        message = f"id `{identifier}` is already used in {file}:{first}"
        problems.append(document.problem((*path, "id"), message))
    elif identifier is not None:
        seen[identifier] = (document.file, line)
    if schedule is None or problems:
        loaded.problems += problems
        loaded.rejected.append(Rejected(identifier, document.file, line, problems))
    else:
        loaded.schedules.append(Located(schedule, document.file, line))


class _Entry:
    """One schedule in the making."""

    def __init__(self, own: Layer, shared: Shared) -> None:
        self.shared = shared
        self.problems: list[Problem] = []
        self.single: set[str] = set()
        """Keys that take a list and were given one value."""
        self.layers = [own, *self._templates(own)]
        if own.document.inherits:
            self.layers += [*self._group(shared), *shared.defaults]

    def _group(self, shared: Shared) -> list[Layer]:
        """Return what the schedules of its group inherit, if that is written."""
        layers = [*self.layers, *shared.defaults]
        name = next((layer.data["group"] for layer in layers if "group" in layer.data), None)
        found = shared.groups.get(name) if isinstance(name, str) else None
        return [] if found is None else [found]

    def schedule(self) -> Schedule | None:
        """Return the schedule, or None; ``problems`` then says why."""
        merged = merge([layer.data for layer in self.layers])
        merged.pop("extends", None)
        for key, kind in _REFERENCES.items():
            if key in merged:
                merged[key] = self._named(merged[key], key, kind)
        if "notify" in merged:
            merged["notify"] = self._notices(merged["notify"])
        self._preset(merged)
        self._source(merged)
        try:
            return Schedule.model_validate(merged)
        except ValidationError as error:
            for found in findings(error, Schedule):
                self._report(found)
            return None

    def _report(self, found: Finding) -> None:
        if found.path and found.path[0] in self.single:
            path = (found.path[0], *found.path[2:])  # it stands without the list's index
            found = Finding(path, found.message, found.hint, found.at_key)
        self.problems.append(place(found, self.layers))

    def _templates(self, own: Layer) -> list[Layer]:
        """Follow ``extends``, nearest first; a template may extend another."""
        chain: list[Layer] = []
        current, names = own, list[str]()
        while (name := current.data.get("extends")) is not None:
            found = self.shared.templates.get(name) if isinstance(name, str) else None
            if found is None:
                hint = did_you_mean(str(name), list(self.shared.templates))
                wrong = Finding(("extends",), f"no template `{name}`", hint)
            elif name in names:
                wrong = Finding(("extends",), f"template `{name}` extends itself")
            else:
                names.append(name)
                chain.append(found)
                current = found
                continue
            self.problems.append(current.problem(wrong))
            break
        return chain

    def _named(self, value: Any, key: str, kind: str) -> list[Any]:
        """Replace names of windows or calendars by what they stand for."""
        many = isinstance(value, list)
        if not many:
            self.single.add(key)
        from_catalog = []
        for index, item in enumerate(value if many else [value]):
            path: tuple[PathPart, ...] = (key, index) if many else (key,)
            found = self._one_named(item, kind, path)
            if found is not None:
                from_catalog.append(found)
        return from_catalog

    def _notices(self, value: Any) -> list[Any]:
        """Replace names of receivers and windows by what they stand for."""
        if not isinstance(value, list):
            self.single.add("notify")
        found = []
        for index, notice in enumerate(listed(value)):
            if not isinstance(notice, dict):
                found.append(notice)  # junk that the model will name
                continue
            place: tuple[PathPart, ...] = ("notify", index)
            made = dict(notice)
            for key, kind in (("to", "receivers"), ("quiet", "windows")):
                if key in notice:
                    named = (
                        self._one_named(item, kind, (*place, key)) for item in listed(notice[key])
                    )
                    made[key] = [item for item in named if item is not None]
            if made.get("to") or not notice.get("to"):  # else none is known, as was said
                found.append(made)
        return found

    def _one_named(self, item: Any, kind: str, path: tuple[PathPart, ...]) -> Any:
        if not isinstance(item, str):
            return item  # defined in place, or junk that the model will name
        known = _READY_MADE[kind] | self.shared.named[kind]
        if known.get(item) is None:
            noun = kind[:-1]
            wrong = f"{noun} `{item}` is wrong" if item in known else f"no {noun} `{item}`"
            hint = None if item in known else did_you_mean(item, list(known))
            self._report(Finding(path, wrong, hint))
            return None
        return known[item]

    def _preset(self, merged: dict[str, Any]) -> None:
        """Replace a preset of the file by its cron expression."""
        name, known = merged.get("preset"), self.shared.named["presets"]
        if not isinstance(name, str) or (name in PRESETS and name not in known):
            return
        if known.get(name) is not None:
            del merged["preset"]
            merged["cron"] = known[name].cron
            return
        wrong = f"preset `{name}` is wrong" if name in known else f"no preset `{name}`"
        self._report(Finding(("preset",), wrong, did_you_mean(name, [*PRESETS, *known])))
        merged["preset"] = "daily"  # rejected already; the rest of the report stays true

    def _source(self, merged: dict[str, Any]) -> None:
        """Check the source by its engine's own model, so that its problems have exact places."""
        source = merged.get("source")
        if not isinstance(source, dict):
            if source is not None:
                self._report(
                    Finding(("source",), "`source` is not a mapping", "write {engine: ..., ...}")
                )
                merged["source"] = _ANY_SOURCE
            return
        engine = source.get("engine")
        try:
            model = options_model(engine) if isinstance(engine, str) else None
        except ConfigError as error:
            self._report(Finding(("source", "engine"), error.message, error.hint))
            merged["source"] = _ANY_SOURCE
            return
        if model is None:
            names = engine_names()
            wrong = "`engine` is missing" if engine is None else f"no engine `{engine}`"
            hint = did_you_mean(str(engine), names) or f"there are {', '.join(names)}"
            self._report(Finding(("source", "engine"), wrong, hint))
        else:
            try:
                merged["source"] = model.model_validate(source)
                return
            except ValidationError as error:
                for found in findings(error, model):
                    path = ("source", *found.path)
                    self._report(Finding(path, found.message, found.hint, found.at_key))
            except Exception as error:  # noqa: BLE001  # another package's model; it costs this schedule alone
                wrong = (
                    f"engine `{engine}` cannot read its options: {type(error).__name__}: {error}"
                )
                self._report(Finding(("source",), wrong, "does its package fit this release?"))
        merged["source"] = _ANY_SOURCE


_ANY_SOURCE = EngineOptions(engine="files")
"""Stands for a source that is rejected already, so that the rest of the report stays true."""
