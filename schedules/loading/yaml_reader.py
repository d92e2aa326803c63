"""
Reads YAML safely: text becomes plain data and keeps its marks, so that every problem has a line.

Booleans are ``true`` and ``false`` only, numbers are decimal, and nothing else is converted (the core schema
of YAML 1.2): ``22:00`` stays text, ``no`` stays text. Keys that stand twice are problems. Hostile files are
refused: too large, too deep, or growing through aliases.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from airflow_backup.schedules.loading.problems import PathPart, Problem

if TYPE_CHECKING:
    from yaml import SafeLoader as _Loader
else:
    # libyaml's loader is four times as fast; PyYAML may have been built without it
    _Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MAX_BYTES = 16 * 2**20
MAX_DEPTH = 40
MAX_NODES = 2_000_000


class _StrictLoader(_Loader):
    """YAML 1.2's core schema; a problem for every key that stands twice."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # PyYAML's own shape

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.repeated: list[tuple[yaml.Node, str]] = []

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    self.repeated.append((key, key.value))
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+0123456789.")),
    ("merge", r"<<", ["<"]),
):
    _StrictLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _first
    )
_StrictLoader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(node.value))


@dataclass(frozen=True)
class Document:
    """One file: its data and its tree of nodes, or the problems that kept it from being read."""

    file: str
    data: Any
    root: yaml.Node | None
    problems: list[Problem]
    folder: Path | None = None
    """Where the file lies; what it names by relative paths lies there, too."""
    inherits: bool = True
    """Whether its schedules take the defaults of the files; those made on the page are whole by themselves."""

    def place(self, path: tuple[PathPart, ...], *, at_key: bool = False) -> tuple[int, int]:
        """Return line and column (from 1) of ``path``, or of its nearest ancestor when missing."""
        node, _ = walk(self.root, path, at_key=at_key)
        if node is None:
            return 1, 1
        return node.start_mark.line + 1, node.start_mark.column + 1

    def depth_of(self, path: tuple[PathPart, ...]) -> int:
        """Return how many parts of ``path`` exist in the file."""
        return walk(self.root, path)[1]

    def problem(
        self,
        path: tuple[PathPart, ...],
        message: str,
        hint: str | None = None,
        *,
        at_key: bool = False,
    ) -> Problem:
        """Make a problem at ``path``."""
        line, column = self.place(path, at_key=at_key)
        return Problem(self.file, line, column, ".".join(map(str, path)), message, hint)


def read(text: str, *, file: str) -> Document:
    """Read a YAML text; never raises for what the text says."""
    if len(text) > MAX_BYTES:
        return _unread(file, 1, 1, f"the file is larger than {MAX_BYTES // 2**20} MiB", "split it")
    loader = _StrictLoader(text)
    try:
        root: yaml.Node | None = loader.get_single_node()
        if root is None:
            return Document(file, None, None, [])
        refused = hostile(root)
        if refused is not None:
            return _unread(file, 1, 1, refused, "is this really a schedules file?")
        data = loader.construct_document(root)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        return _not_yaml(file, error)
    finally:
        loader.dispose()
    repeated = [_repeated(file, root, key, name) for key, name in loader.repeated]
    return Document(file, data, root, repeated)


def _repeated(file: str, root: yaml.Node, key: yaml.Node, name: str) -> Problem:
    path = ".".join(map(str, _path_to(root, key) or (name,)))
    mark = key.start_mark
    return Problem(file, mark.line + 1, mark.column + 1, path, f"key `{name}` stands twice")


def _path_to(node: yaml.Node, wanted: yaml.Node) -> tuple[PathPart, ...] | None:
    """Find the path of a key by its node; None when it is not below ``node``."""
    steps: list[tuple[PathPart, yaml.Node]] = []
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key is wanted:
                return (key.value,)
            steps.append((key.value if isinstance(key, yaml.ScalarNode) else "?", value))
    elif isinstance(node, yaml.SequenceNode):
        steps += enumerate(node.value)
    for part, child in steps:
        below = _path_to(child, wanted)
        if below is not None:
            return (part, *below)
    return None


def _not_yaml(file: str, error: Exception) -> Document:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    reason = getattr(error, "problem", None) or str(error).split("\n")[0]
    hint = (
        "is a tab used for indentation?"
        if "'\\t'" in str(reason)
        else "are indentation and quotes right?"
    )
    return _unread(file, line, column, f"this is not YAML: {reason}", hint)


def _unread(file: str, line: int, column: int, message: str, hint: str) -> Document:
    return Document(file, None, None, [Problem(file, line, column, "", message, hint)])


def hostile(root: yaml.Node) -> str | None:
    """Say why the tree must not be expanded: nested too deep, aliases in a circle or too many nodes."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: yaml.Node, depth: int) -> int:
        if depth > MAX_DEPTH:
            raise _Hostile(f"the file is nested deeper than {MAX_DEPTH} levels")
        if id(node) in open_nodes:
            raise _Hostile("an alias contains itself")
        known = sizes.get(id(node))
        if known is not None:
            return known
        open_nodes.add(id(node))
        count = 1 + sum(size(child, depth + 1) for child in _children(node))
        open_nodes.discard(id(node))
        if count > MAX_NODES:
            raise _Hostile(f"the file grows to more than {MAX_NODES:,} nodes through its aliases")
        sizes[id(node)] = count
        return count

    try:
        size(root, 0)
    except _Hostile as found:
        return str(found)
    return None


class _Hostile(Exception):  # never leaves this module
    pass


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                yield key
            if not isinstance(value, yaml.ScalarNode):
                yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from (item for item in node.value if not isinstance(item, yaml.ScalarNode))


def walk(
    root: yaml.Node | None, path: tuple[PathPart, ...], *, at_key: bool = False
) -> tuple[yaml.Node | None, int]:
    """Follow ``path``; return the last node reached (its key, when asked) and how many parts were found."""
    node = root
    for found, part in enumerate(path):
        step = _step(node, part)
        if step is None:
            return node, found
        key, value = step
        if at_key and found == len(path) - 1:
            return key, len(path)
        node = value
    return node, len(path)


def _step(node: yaml.Node | None, part: PathPart) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == str(part):
                return key, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None
