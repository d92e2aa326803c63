"""What is wrong with a schedules file: where, what, and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from airflow_backup.core.text.names import quoted

PathPart = int | str


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """
    One thing that is wrong, with its place.

    >>> print(Problem("schedules.yaml", 4, 5, "schedules.0.crn", "unknown key `crn`", "did you mean `cron`?"))
    schedules.yaml:4:5: schedules.0.crn: unknown key `crn`
        HINT: did you mean `cron`?
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}"
        text = f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"
        return text if self.hint is None else f"{text}\n    HINT: {self.hint}"

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem before it has a place: its path inside the model, and whether the key itself is meant."""

    path: tuple[PathPart, ...]
    message: str
    hint: str | None = None
    at_key: bool = False


def findings(error: ValidationError, model: type[BaseModel]) -> list[Finding]:
    """Put each of pydantic's errors into our words."""
    return [_finding(dict(item), model) for item in error.errors(include_url=False)]


def _finding(item: dict[str, Any], model: type[BaseModel]) -> Finding:
    path = tuple(part for part in item["loc"] if isinstance(part, int | str))
    kind: str = item["type"]
    if kind == "extra_forbidden":
        key = str(path[-1])
        return Finding(
            path, f"unknown key `{key}`", did_you_mean(key, keys_at(model, path[:-1])), at_key=True
        )
    if kind == "missing":
        return Finding(path, f"`{path[-1]}` is missing", at_key=True)
    if kind == "value_error":
        text, _, advice = str(item["ctx"]["error"]).partition("; ")
        return Finding(path, text, advice or None)
    worder = _WORDS.get(kind)
    context: Mapping[str, Any] = item.get("ctx", {})
    if worder is not None:
        message, hint = worder(item["input"], context)
        return Finding(path, message, hint)
    message = item["msg"]
    return Finding(path, message[:1].lower() + message[1:])


def _one_of(given: Any, context: Mapping[str, Any]) -> tuple[str, str | None]:
    expected = str(context.get("expected", ""))
    known = [word.strip(" '") for word in expected.replace(" or ", ",").split(",")]
    return f"{quoted(given)} is not one of {', '.join(known)}", did_you_mean(str(given), known)


def _not_a(what: str, hint: str | None = None) -> Callable[..., tuple[str, str | None]]:
    return lambda given, context: (f"{quoted(given)} is not {what}", hint)


def _bound(words: str, key: str) -> Callable[..., tuple[str, str | None]]:
    return lambda given, context: (f"{quoted(given)} is {words} {context[key]}", None)


def _pattern(given: Any, context: Mapping[str, Any]) -> tuple[str, str | None]:
    pattern = str(context.get("pattern", ""))
    if pattern.startswith("^[a-z][a-z0-9_-]"):
        return (
            f"{quoted(given)} is not a name",
            "a small letter, then small letters, digits, `_` or `-`; at most 63",
        )
    if pattern.startswith("^/"):
        return f"{quoted(given)} is not an absolute path", "does it start with `/`?"
    if pattern.startswith("^[^@?="):
        return (
            f"{quoted(given)} is not the id of a connection",
            "make a connection in Airflow, and write its id here",
        )
    if "://" in pattern:
        return f"{quoted(given)} is not a storage URL", "write for example file:///var/backups"
    return f"{quoted(given)} does not match {pattern}", None


_WORDS: dict[str, Callable[..., tuple[str, str | None]]] = {
    "literal_error": _one_of,
    "enum": _one_of,
    "string_type": _not_a("text", "is it missing its quotes?"),
    "int_type": _not_a("a whole number"),
    "int_parsing": _not_a("a whole number"),
    "int_from_float": _not_a("a whole number"),
    "bool_type": _not_a("true or false"),
    "bool_parsing": _not_a("true or false"),
    "list_type": _not_a("a list"),
    "dict_type": _not_a("a mapping"),
    "model_type": _not_a("a mapping"),
    "model_attributes_type": _not_a("a mapping"),
    "string_pattern_mismatch": _pattern,
    "greater_than_equal": _bound("less than", "ge"),
    "greater_than": _bound("not more than", "gt"),
    "less_than_equal": _bound("more than", "le"),
    "string_too_short": lambda given, context: ("is empty", None),
    "too_short": lambda given, context: ("is empty", None),
    "too_long": lambda given, context: (
        f"has more than {context['max_length']} entries",
        None,
    ),
    "string_too_long": lambda given, context: (
        f"is longer than {context['max_length']} characters",
        None,
    ),
}


_LONGEST_WORD = 100


def did_you_mean(word: str, known: Sequence[str]) -> str | None:
    """
    Suggest the nearest known word.

    >>> did_you_mean("crn", ["cron", "every"])
    'did you mean `cron`?'
    """
    if len(word) > _LONGEST_WORD:
        return None  # comparing takes the square of its length
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else None


def keys_at(model: type[BaseModel], path: Sequence[PathPart]) -> list[str]:
    """List the keys that may stand at ``path`` inside ``model``."""
    current: type[BaseModel] | None = model
    for part in path:
        if isinstance(part, int):
            continue
        field = None if current is None else current.model_fields.get(part)
        current = None if field is None else _model_in(field.annotation)
    if current is None:
        return []
    return [field.alias or name for name, field in current.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _model_in(argument)
        if found is not None:
            return found
    return None
