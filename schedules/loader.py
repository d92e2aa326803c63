"""
Reads schedules files: every problem at once, and a wrong schedule never costs the others theirs.

A folder of ``*.yaml`` works like one file. ``defaults`` are under everything, then the templates a schedule
``extends``, then the schedule itself: a key given higher up replaces the one below, except that ``source``,
``retry`` and ``verify`` are joined key by key.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from airflow_backup.schedules.calendars import Calendar
from airflow_backup.schedules.model import Schedule
from airflow_backup.schedules.placeholders import fill
from airflow_backup.schedules.presets import PRESETS, Preset
from airflow_backup.schedules.problems import Finding, PathPart, Problem, did_you_mean, findings
from airflow_backup.schedules.sources import engine_names, source_model
from airflow_backup.schedules.windows import Window
from airflow_backup.schedules.yaml_reader import Document, read

FORMAT_VERSION = 1
TOP_LEVEL = ("version", "defaults", "presets", "windows", "calendars", "templates", "schedules")
JOINED = ("source", "retry", "verify")
NOT_IN_DEFAULTS = ("id", "extends")

_SHARED: dict[str, type[BaseModel]] = {"presets": Preset, "windows": Window, "calendars": Calendar}
_REFERENCES = {"window": "windows", "skip_on": "calendars"}


@dataclass(frozen=True)
class Located:
    """A schedule that is right, and where it stands."""

    schedule: Schedule
    file: str
    line: int


@dataclass(frozen=True)
class Rejected:
    """A schedule that is wrong, where it stands and why; its id may be wrong too."""

    id: str | None
    file: str
    line: int
    problems: list[Problem]


@dataclass
class Loaded:
    """What a file or folder says: the schedules that are right, those that are not, every problem."""

    files: list[str] = field(default_factory=list)
    schedules: list[Located] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def by_id(self) -> dict[str, Schedule]:
        """Return the right schedules by their ids."""
        return {item.schedule.id: item.schedule for item in self.schedules}


def load(path: Path, *, environ: Mapping[str, str] = os.environ) -> Loaded:
    """
    Read a schedules file, or every ``*.yaml`` and ``*.yml`` of a folder; never raises for what they say.

    Placeholders are filled from ``environ``.
    """
    files = schedule_files(path)
    if not files:
        missing = "is an empty folder" if path.is_dir() else "does not exist"
        hint = "is `[backup] schedules_path` right?"
        return Loaded(
            problems=[Problem(str(path), 1, 1, "", f"the schedules file {missing}", hint)]
        )
    documents = []
    for file in files:
        name = str(file.relative_to(path)) if path.is_dir() else file.name
        documents.append(_read_file(file, name))
    return assemble(fill(document, environ) for document in documents)


def schedule_files(path: Path) -> list[Path]:
    """List the files that make up ``path``, in the order of their names."""
    if path.is_dir():
        return sorted(item for item in path.iterdir() if item.suffix in (".yaml", ".yml"))
    return [path] if path.is_file() else []


def parse(
    text: str, *, file: str = "schedules.yaml", environ: Mapping[str, str] = os.environ
) -> Loaded:
    """Read the text of one schedules file."""
    return assemble([fill(read(text, file=file), environ)])


def _read_file(path: Path, name: str) -> Document:
    try:
        return read(path.read_text(encoding="utf-8"), file=name)
    except UnicodeDecodeError as error:
        message = f"the file is not UTF-8: {error.reason} at byte {error.start}"
    except OSError as error:
        message = f"the file cannot be read: {error.strerror}"
    return Document(name, None, None, [Problem(name, 1, 1, "", message)])


def assemble(documents: Iterable[Document]) -> Loaded:
    """Join files into schedules, reporting everything that is wrong."""
    return _Assembly(list(documents)).run()


@dataclass(frozen=True)
class Layer:
    """A mapping that a schedule is made of, and where it stands: defaults, a template or the schedule itself."""

    document: Document
    path: tuple[PathPart, ...]
    data: Mapping[str, Any]

    def problem(self, found: Finding) -> Problem:
        """Give the finding its place in the file."""
        return self.document.problem(
            (*self.path, *found.path), found.message, found.hint, at_key=found.at_key
        )


class _Assembly:
    def __init__(self, documents: list[Document]) -> None:
        self.documents = documents
        self.loaded = Loaded(files=[document.file for document in documents])
        self.shared: dict[str, dict[str, Any]] = {key: {} for key in _SHARED}
        self.templates: dict[str, Layer] = {}
        self.defaults: list[Layer] = []
        self.seen: dict[str, tuple[str, int]] = {}

    def run(self) -> Loaded:
        for document in self.documents:
            self.loaded.problems += document.problems
            if document.data is not None or not document.problems:
                self._check_top_level(document)
        for document in self.documents:
            self._collect_shared(document)
        for document in self.documents:
            self._schedules_of(document)
        self._check_dependencies()
        self.loaded.problems = sorted(
            set(self.loaded.problems), key=lambda p: (p.file, p.line, p.column, p.path)
        )
        return self.loaded

    def _report(
        self,
        document: Document,
        path: tuple[PathPart, ...],
        message: str,
        hint: str | None = None,
        *,
        at_key: bool = False,
    ) -> None:
        self.loaded.problems.append(document.problem(path, message, hint, at_key=at_key))

    # the file as a whole

    def _check_top_level(self, document: Document) -> None:
        if not isinstance(document.data, dict):
            self._report(
                document,
                (),
                "the file is empty" if document.data is None else "the file is not a mapping",
                "does it begin with `version: 1`?",
            )
            return
        for key in document.data:
            if key not in TOP_LEVEL:
                self._report(
                    document,
                    (str(key),),
                    f"unknown key `{key}`",
                    did_you_mean(str(key), TOP_LEVEL),
                    at_key=True,
                )
        version = document.data.get("version")
        if version is None:
            self._report(
                document, ("version",), "`version` is missing", f"write `version: {FORMAT_VERSION}`"
            )
        elif version != FORMAT_VERSION:
            self._report(
                document,
                ("version",),
                f"version {version!r} is not known",
                f"write `version: {FORMAT_VERSION}`",
            )

    def _mapping(self, document: Document, key: str) -> dict[str, Any]:
        value = document.data.get(key) if isinstance(document.data, dict) else None
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._report(document, (key,), f"`{key}` is not a mapping")
            return {}
        return value

    def _collect_shared(self, document: Document) -> None:
        for key, model in _SHARED.items():
            for name, value in self._mapping(document, key).items():
                self._add_shared(document, key, str(name), value, model)
        defaults = self._mapping(document, "defaults")
        if defaults and self.defaults:
            self._report(
                document,
                ("defaults",),
                f"`defaults` stand in {self.defaults[0].document.file} already",
                at_key=True,
            )
        elif defaults:
            self.defaults.append(self._layer(document, ("defaults",), defaults))
        for name, value in self._mapping(document, "templates").items():
            path = ("templates", str(name))
            if not isinstance(value, dict):
                self._report(document, path, f"template `{name}` is not a mapping")
            elif name in self.templates:
                self._report(document, path, f"template `{name}` stands twice", at_key=True)
            else:
                self.templates[str(name)] = self._layer(document, path, value, extends=True)

    def _layer(
        self,
        document: Document,
        path: tuple[PathPart, ...],
        data: Mapping[str, Any],
        *,
        extends: bool = False,
    ) -> Layer:
        """Make a layer that others inherit: its unknown keys are reported here, once, and left out."""
        known = [key for key in _schedule_keys() if key not in NOT_IN_DEFAULTS]
        if extends:
            known.append("extends")
        for key in data:
            if key not in known:
                self._report(
                    document,
                    (*path, str(key)),
                    f"unknown key `{key}`",
                    did_you_mean(str(key), known),
                    at_key=True,
                )
        return Layer(document, path, {key: value for key, value in data.items() if key in known})

    def _add_shared(
        self, document: Document, key: str, name: str, value: Any, model: type[BaseModel]
    ) -> None:
        path = (key, name)
        if name in self.shared[key]:
            self._report(document, path, f"{key[:-1]} `{name}` stands twice", at_key=True)
            return
        self.shared[key][name] = None
        given = {"cron": value} if model is Preset and isinstance(value, str) else value
        try:
            made = model.model_validate(given)
        except ValidationError as error:
            for found in findings(error, model):
                self._report(
                    document, (*path, *found.path), found.message, found.hint, at_key=found.at_key
                )
        else:
            named = "name" in model.model_fields
            self.shared[key][name] = made.model_copy(update={"name": name}) if named else made

    # the schedules

    def _schedules_of(self, document: Document) -> None:
        entries = document.data.get("schedules") if isinstance(document.data, dict) else None
        if entries is None:
            return
        if not isinstance(entries, list):
            self._report(
                document,
                ("schedules",),
                "`schedules` is not a list",
                "does each schedule begin with `- id:`?",
            )
            return
        for index, entry in enumerate(entries):
            self._add_schedule(document, index, entry)

    def _add_schedule(self, document: Document, index: int, entry: Any) -> None:
        path = ("schedules", index)
        line, _ = document.place(path)
        prefix = f"schedules.{index}."
        problems = [p for p in document.problems if p.path.startswith(prefix)]
        identifier = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(entry, dict):
            problems.append(
                document.problem(
                    path, "the schedule is not a mapping", "does it begin with `- id:`?"
                )
            )
            schedule = None
        else:
            schedule = self._build(Layer(document, path, entry), problems)
        if isinstance(identifier, str) and identifier in self.seen:
            file, first = self.seen[identifier]
            problems.append(
                document.problem(
                    (*path, "id"), f"id `{identifier}` is already used in {file}:{first}"
                )
            )
            identifier = None
        elif isinstance(identifier, str):
            self.seen[identifier] = (document.file, line)
        if schedule is None or problems:
            self.loaded.problems += problems
            self.loaded.rejected.append(
                Rejected(
                    identifier if isinstance(identifier, str) else None,
                    document.file,
                    line,
                    problems,
                )
            )
        else:
            self.loaded.schedules.append(Located(schedule, document.file, line))

    def _build(self, own: Layer, problems: list[Problem]) -> Schedule | None:
        layers = [own, *self._templates_of(own, problems), *self.defaults]
        merged = merge([layer.data for layer in layers])
        merged.pop("extends", None)
        for key, kind in _REFERENCES.items():
            if key in merged:
                merged[key] = self._resolve(merged[key], key, kind, layers, problems)
        self._resolve_preset(merged, layers, problems)
        self._read_source(merged, layers, problems)
        try:
            schedule = Schedule.model_validate(merged)
        except ValidationError as error:
            problems += [_place(found, layers) for found in findings(error, Schedule)]
            return None
        return schedule

    def _templates_of(self, own: Layer, problems: list[Problem]) -> list[Layer]:
        """Follow ``extends``, nearest first; a template may extend another."""
        chain: list[Layer] = []
        current, names = own, list[str]()
        while (name := current.data.get("extends")) is not None:
            found = self.templates.get(name) if isinstance(name, str) else None
            if found is None:
                problems.append(
                    current.problem(
                        Finding(
                            ("extends",),
                            f"no template `{name}`",
                            did_you_mean(str(name), list(self.templates)),
                        )
                    )
                )
                break
            if name in names:
                problems.append(
                    current.problem(Finding(("extends",), f"template `{name}` extends itself"))
                )
                break
            names.append(name)
            chain.append(found)
            current = found
        return chain

    def _resolve(
        self, value: Any, key: str, kind: str, layers: list[Layer], problems: list[Problem]
    ) -> list[Any]:
        """Replace names of windows or calendars by what they stand for."""
        known = self.shared[kind]
        made: list[Any] = []
        many = isinstance(value, list)
        for index, item in enumerate(value if many else [value]):
            path: tuple[PathPart, ...] = (key, index) if many else (key,)
            if isinstance(item, dict):
                made.append(item)
            elif item in known and known[item] is not None:
                made.append(known[item])
            elif kind == "windows" and item in ("business_hours", "off_hours"):
                made.append(Window(name=item, preset=item))
            else:
                wrong = isinstance(item, str) and item in known
                message = f"{kind[:-1]} `{item}` is wrong" if wrong else f"no {kind[:-1]} `{item}`"
                hint = None if wrong else did_you_mean(str(item), list(known))
                problems.append(_place(Finding(path, message, hint), layers))
        return made

    def _resolve_preset(
        self, merged: dict[str, Any], layers: list[Layer], problems: list[Problem]
    ) -> None:
        name = merged.get("preset")
        if not isinstance(name, str) or (name in PRESETS and name not in self.shared["presets"]):
            return
        known = self.shared["presets"]
        if known.get(name) is not None:
            del merged["preset"]
            merged.setdefault("cron", known[name].cron)
            return
        message = f"preset `{name}` is wrong" if name in known else f"no preset `{name}`"
        hint = did_you_mean(name, [*PRESETS, *known])
        problems.append(_place(Finding(("preset",), message, hint), layers))
        merged["preset"] = (
            "daily"  # rejected already; keeps the rest of the report to what is really wrong
        )

    def _read_source(
        self, merged: dict[str, Any], layers: list[Layer], problems: list[Problem]
    ) -> None:
        """Check the source by its engine's own model, so that its problems have exact places."""
        source = merged.get("source")
        if not isinstance(source, dict):
            return
        engine = source.get("engine")
        model = source_model(engine) if isinstance(engine, str) else None
        if model is None:
            message = "`engine` is missing" if engine is None else f"no engine `{engine}`"
            hint = (
                did_you_mean(str(engine), engine_names())
                or f"there are {', '.join(engine_names())}"
            )
            problems.append(_place(Finding(("source", "engine"), message, hint), layers))
        else:
            try:
                merged["source"] = model.model_validate(source)
                return
            except ValidationError as error:
                for found in findings(error, model):
                    at = Finding(("source", *found.path), found.message, found.hint, found.at_key)
                    problems.append(_place(at, layers))
        merged["source"] = source_model("files").model_validate({"engine": "files", "path": "/"})  # type: ignore[union-attr]

    # what holds between schedules

    def _check_dependencies(self) -> None:
        """Reject what runs ``after`` an id that is nowhere, or after itself by a detour."""
        follows = {item.schedule.id: item.schedule.after for item in self.loaded.schedules}
        for item in list(self.loaded.schedules):
            for index, name in enumerate(item.schedule.after):
                if name not in self.seen:
                    self._reject(
                        item, index, f"no schedule `{name}`", did_you_mean(name, list(self.seen))
                    )
                elif item.schedule.id in _reachable(name, follows):
                    self._reject(
                        item,
                        index,
                        f"`{item.schedule.id}` would wait for itself, by way of `{name}`",
                        None,
                    )

    def _reject(self, item: Located, index: int, message: str, hint: str | None) -> None:
        document = next(found for found in self.documents if found.file == item.file)
        entries = document.data["schedules"]
        position = next(
            i
            for i, entry in enumerate(entries)
            if isinstance(entry, dict) and entry.get("id") == item.schedule.id
        )
        problem = document.problem(("schedules", position, "after", index), message, hint)
        self.loaded.problems.append(problem)
        if item in self.loaded.schedules:
            self.loaded.schedules.remove(item)
            self.loaded.rejected.append(Rejected(item.schedule.id, item.file, item.line, [problem]))


def merge(layers: list[Mapping[str, Any]]) -> dict[str, Any]:
    """
    Join mappings, the first one strongest; some keys are joined key by key.

    >>> merge([{"cron": "0 2 * * *", "retry": {"delay": "1m"}}, {"cron": "0 3 * * *", "retry": {"max_retries": 5}}])
    {'cron': '0 2 * * *', 'retry': {'max_retries': 5, 'delay': '1m'}}
    """
    merged: dict[str, Any] = {}
    for layer in reversed(layers):
        for key, value in layer.items():
            below = merged.get(key)
            joined = key in JOINED and isinstance(below, dict) and isinstance(value, dict)
            merged[key] = {**below, **value} if joined and below is not None else value
    when = _answers_to_when(layers)
    return {key: value for key, value in merged.items() if key not in _WHEN or key in when}


_WHEN = ("cron", "every", "preset", "levels", "after")


def _answers_to_when(layers: list[Mapping[str, Any]]) -> set[str]:
    """Return the keys of the strongest layer that says when; what is below is replaced as a whole."""
    for layer in layers:
        found = {key for key in _WHEN if key in layer}
        if found:
            return found
    return set()


def _place(found: Finding, layers: list[Layer]) -> Problem:
    """Put the finding into the layer that has most of its path; the strongest of equals."""
    best = max(
        layers,
        key=lambda layer: layer.document.depth_of((*layer.path, *found.path)) - len(layer.path),
    )
    return best.problem(found)


def _schedule_keys() -> Iterator[str]:
    yield from Schedule.model_fields


def _reachable(start: str, follows: Mapping[str, list[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        current = waiting.pop()
        if current not in seen:
            seen.add(current)
            waiting += follows.get(current, [])
    return seen
