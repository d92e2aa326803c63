"""Reads another tool's YAML: safely, with the tags that it may have, and with the files that it includes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from airflow_backup.core.errors import ConfigError
from airflow_backup.core.text.names import quoted
from airflow_backup.schedules.loading.yaml_reader import hostile

_DEEPEST = 8
_LARGEST = 4 * 2**20
_MERGE = "tag:yaml.org,2002:merge"


class _Loader(yaml.SafeLoader):
    """Takes the value of a tag that it does not know as it is; `!include` is a file beside the one that says it."""

    folder: Path | None = None
    origin = ""
    depth = 0


def _included(loader: _Loader, node: yaml.Node) -> Any:
    names = node.value if isinstance(node, yaml.SequenceNode) else [node]
    found: Any = {}
    for each in names:
        found = merged(found, _read_file(loader, str(each.value)))
    return found


@dataclass(frozen=True)
class _Marked:
    """A value that says how it is joined with those of an included file: `!retain` alone, `!omit` takes away."""

    sign: str
    value: Any


def _plain(loader: _Loader, suffix: str, node: yaml.Node) -> Any:
    found = _untagged(loader, node)
    return _Marked(suffix, found) if suffix in ("retain", "omit") else found


def _untagged(loader: _Loader, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)  # type: ignore[arg-type]


_Loader.add_constructor("!include", _included)
_Loader.add_multi_constructor("!", _plain)


def read(text: str, *, origin: str, folder: Path | None, depth: int = 0) -> Any:
    """Return plain data; ConfigError with the line of what is no YAML."""
    return unmarked(_read(text, origin=origin, folder=folder, depth=depth))


def _read(text: str, *, origin: str, folder: Path | None, depth: int) -> Any:
    loader = _Loader(text)
    loader.folder, loader.origin, loader.depth = folder, origin, depth
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        problem = hostile(root)
        if problem is not None:
            raise ConfigError(f"{origin}: {problem}")
        half = _half_letter(root)
        if half is not None:
            raise ConfigError(f"{origin}, line {half}: a text has half a letter in it")
        before = _take_includes(loader, root)
        return (
            merged(before, loader.construct_document(root))
            if before
            else loader.construct_document(root)
        )
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = 1 if mark is None else mark.line + 1
        # The words of the error may quote a password.
        raise ConfigError(f"{origin}, line {line}: this is not YAML") from None
    finally:
        loader.dispose()


def _half_letter(root: yaml.Node) -> int | None:
    """Return the line of a text that is none, as escapes can make it; each node is looked at once."""
    waiting, seen = [root], {id(root)}
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.ScalarNode):
            if any("\ud800" <= letter <= "\udfff" for letter in node.value):
                return int(node.start_mark.line) + 1
            continue
        for child in node.value:
            for each in child if isinstance(child, tuple) else (child,):
                if id(each) not in seen:
                    seen.add(id(each))
                    waiting.append(each)
    return None


def _take_includes(loader: _Loader, root: yaml.Node) -> Any:
    """Take `<<: !include FILE` out of the top of a file, and return what those files say."""
    if not isinstance(root, yaml.MappingNode):
        return {}
    found: Any = {}
    kept = []
    for key, value in root.value:
        if key.tag == _MERGE and value.tag == "!include":
            found = merged(found, _included(loader, value))
        else:
            kept.append((key, value))
    root.value = kept
    return found


def _read_file(loader: _Loader, name: str) -> Any:
    path = Path(name).expanduser()
    if not path.is_absolute():
        if loader.folder is None:
            raise _unreadable(loader.origin, name)
        path = loader.folder / path
    if loader.depth >= _DEEPEST:
        raise ConfigError(f"{loader.origin}: files include each other more than {_DEEPEST} deep")
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            raise _unreadable(loader.origin, name)
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise _unreadable(loader.origin, name) from None
    return _read(text, origin=path.name, folder=path.parent, depth=loader.depth + 1)


def _unreadable(origin: str, name: str) -> ConfigError:
    return ConfigError(
        f"{origin} includes {quoted(name)}, which cannot be read",
        hint="put that file where it says, and try again",
    )


def merged(below: Any, above: Any) -> Any:
    """
    Lay one file's data over another's, as borgmatic does: mappings join, lists follow each other.

    >>> merged({"a": 1, "l": [1]}, {"b": 2, "l": [2]})
    {'a': 1, 'l': [1, 2], 'b': 2}
    """
    if isinstance(above, _Marked) and above.sign == "retain":
        return above
    below = below.value if isinstance(below, _Marked) else below
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        return {
            **below,
            **{
                key: merged(below[key], value) if key in below else value
                for key, value in above.items()
            },
        }
    if isinstance(below, list) and isinstance(above, list):
        omitted = [each.value for each in above if _is_omitted(each)]
        return [*(each for each in below if each not in omitted), *above]
    return above


def _is_omitted(value: Any) -> bool:
    return isinstance(value, _Marked) and value.sign == "omit"


def unmarked(value: Any) -> Any:
    """Take the signs of joining away, and what is omitted."""
    if isinstance(value, _Marked):
        return unmarked(value.value)
    if isinstance(value, dict):
        return {key: unmarked(each) for key, each in value.items()}
    if isinstance(value, list):
        return [unmarked(each) for each in value if not _is_omitted(each)]
    return value
