"""Follows a shell script without running it: variables are filled in, loops over words unrolled, wrappers taken off."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from airflow_backup.core.errors import ConfigError
from airflow_backup.schedules.setup.foreign.shell.braces import without_braces
from airflow_backup.schedules.setup.foreign.shell.branches import Branches, without_keywords
from airflow_backup.schedules.setup.foreign.shell.scanner import Part, Scanner, Simple, Word
from airflow_backup.schedules.setup.foreign.shell.value import Value
from airflow_backup.schedules.setup.foreign.shell.wrappers import Inner, is_shell, unwrapped

SECRET = re.compile(r"pass|pwd|pw$|secret|token|credential|key|auth", re.IGNORECASE)
"""Names of variables whose values are never looked at."""

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\+?)=(.*)", re.DOTALL)
_READS = frozenset({"read", "mapfile", "readarray", "getopts"})
_DECLARES = frozenset({"export", "local", "declare", "readonly", "typeset"})
_MOST = 5000
"""Commands of one file, with loops written out; one that has more is refused, for the rest would be missing."""
_DEEPEST = 5


@dataclass(frozen=True, slots=True)
class Command:
    """A program and its arguments."""

    line: int
    program: str
    """Its name without folders."""
    path: str
    arguments: tuple[Value, ...]
    variables: Mapping[str, Value] = field(repr=False)
    outputs: tuple[Value, ...] = ()
    inside: str = ""
    """Which other machine or container it runs in, for people."""

    def variable(self, name: str) -> str | None:
        """Return a variable of its environment that is known and not empty."""
        found = self.variables.get(name)
        return found.text if found is not None and found.is_known and found.text else None


class Shell:
    """The variables of a script, and the commands that it comes to."""

    def __init__(self, variables: Mapping[str, str], *, home: str | None) -> None:
        self._values = {name: Value(text) for name, text in variables.items()}
        self._arrays: dict[str, list[Value]] = {}
        self._home = home
        self._left = _MOST
        self._branches = Branches()

    def commands(self, text: str, *, line: int = 1) -> Iterator[Command]:
        """Yield the commands of a text in their order."""
        try:
            yield from self._all(_piped(Scanner(text, line=line).commands()), depth=0)
        except RecursionError:
            raise ConfigError(
                "a script has quotes and brackets inside each other too deep to be read"
            ) from None

    def _all(self, simples: Sequence[Simple], depth: int) -> Iterator[Command]:
        position = 0
        while position < len(simples):
            simple = simples[position]
            position += 1
            words = without_keywords(simple.words)
            self._branches.pass_by(simple, self._values)
            yield from self._inside(simple, depth)
            if words and words[0].plain == "for" and len(words) > 3 and depth < _DEEPEST:
                end = _end_of_loop(simples, position)
                yield from self._loop(words, simples[position:end], depth)
                position = end
                continue
            yield from self._one(simple, depth)

    def _inside(self, simple: Simple, depth: int) -> Iterator[Command]:
        """Yield what runs in the ``$(...)`` of a command."""
        for line, text in simple.inner if depth < _DEEPEST else ():
            child = Shell({}, home=self._home)
            child._values, child._arrays, child._left = dict(self._values), self._arrays, self._left
            yield from child._all(_piped(Scanner(text, line=line).commands()), depth + 1)
            self._left = child._left

    def _loop(self, words: Sequence[Word], body: Sequence[Simple], depth: int) -> Iterator[Command]:
        name, values = words[1].plain or "", self._values_of(words[3:])
        for value in values:
            self._values[name] = value
            yield from self._all(body, depth + 1)

    def _one(self, simple: Simple, depth: int) -> Iterator[Command]:
        if self._left <= 0:
            raise ConfigError(
                f"a script has more than {_MOST} commands, with its loops written out",
                hint="is it one that makes backups?",
            )
        self._left -= 1
        words = without_keywords(simple.words)
        own = dict(self._values)
        is_declared = bool(words) and words[0].plain in _DECLARES
        if is_declared:
            words.pop(0)
        while words and self._assign(words[0], own):
            words.pop(0)
        if is_declared or not words:
            self._branches.assigned(self._values, own)
            self._values = own
            return
        if words[0].plain in _READS:
            names = (each.plain for each in words[1:])
            own |= {name: Value("", is_known=False) for name in names if name}
            self._values = own
            return
        outputs = tuple(each for word in simple.outputs for each in self._values_of([word]))
        arguments = self._values_of(words)
        if arguments and not arguments[0].is_known:
            yield Command(simple.line, "", "", tuple(arguments[1:]), own, outputs)
        elif arguments:
            inner = unwrapped([each.text if each.is_known else None for each in arguments])
            yield from self._unwrapped(simple, arguments, inner, own, outputs, depth)

    def _unwrapped(
        self,
        simple: Simple,
        arguments: Sequence[Value],
        inner: Inner,
        own: Mapping[str, Value],
        outputs: tuple[Value, ...],
        depth: int,
    ) -> Iterator[Command]:
        rest = arguments[inner.skipped :]
        script = inner.script
        runs = script if script is not None else rest[0].text if rest else ""
        if simple.given and is_shell(runs.strip()):
            script = simple.given
        if script is not None:
            where = inner.inside or ("another machine" if runs.endswith("ssh") else "")
            if depth < _DEEPEST:
                child = Shell({}, home=self._home)
                child._values, child._left = dict(own), self._left
                for each in child.commands(script, line=simple.line):
                    yield replace(each, inside=where or each.inside)
                self._left = child._left
            return
        if not rest or not rest[0].is_known or not rest[0].text:
            return
        path = rest[0].text
        variables = {**own, **{name: Value(text) for name, text in inner.variables.items()}}
        program = path.rstrip("/").rpartition("/")[2]
        yield Command(simple.line, program, path, tuple(rest[1:]), variables, outputs, inner.inside)

    def _assign(self, word: Word, into: dict[str, Value]) -> bool:
        """Take a word that gives a variable its value; False for any other."""
        first = word.parts[0] if word.parts else None
        if first is None or first.kind != "text" or first.quoted:
            return False
        found = _ASSIGNMENT.fullmatch(first.text)
        if found is None:
            return False
        name, more, text = found[1], found[2], found[3]
        if word.items is not None:
            before = self._arrays.get(name, []) if more else []
            self._arrays[name] = [*before, *self._values_of(word.items)]
            return True
        value = self._joined((Part("text", text), *word.parts[1:]))
        if SECRET.search(name):
            value = Value("", is_known=False)
        if more and name in into:
            before_it = into[name]
            value = Value(before_it.text + value.text, before_it.is_known and value.is_known)
        into[name] = value
        return True

    def _values_of(self, words: Sequence[Word]) -> list[Value]:
        return [
            each
            for word in words
            for single in without_braces(word.parts)
            for each in self._expanded(Word(tuple(single)))
        ]

    def _expanded(self, word: Word) -> list[Value]:
        """Fill a word in; what was not quoted falls apart at its spaces."""
        if len(word.parts) == 1:
            (part,) = word.parts
            if part.kind == "array":
                return list(self._arrays.get(part.text, [Value("", is_known=False)]))
            if part.kind == "variable" and not part.quoted:
                value = self._filled(part)
                if part.text in self._arrays:
                    return list(self._arrays[part.text][:1])
                if value.is_known:
                    return [Value(each, has_glob=_has_glob(each)) for each in value.text.split()]
        return [self._joined(word.parts)]

    def _joined(self, parts: Sequence[Part]) -> Value:
        texts, is_known, has_glob = [], True, False
        for position, part in enumerate(parts):
            value = self._filled(part)
            text = value.text
            if not position and part.kind == "text" and not part.quoted:
                text, is_home_known = self._at_home(text)
                is_known = is_home_known
            is_known = is_known and value.is_known
            has_glob = has_glob or (not part.quoted and _has_glob(text))
            texts.append(text)
        return Value("".join(texts), is_known, has_glob)

    def _at_home(self, text: str) -> tuple[str, bool]:
        if not text.startswith("~"):
            return text, True
        home = self._values["HOME"].text if "HOME" in self._values else self._home
        if text not in ("~",) and not text.startswith("~/"):
            return text, False
        return (home + text[1:], True) if home else (text, False)

    def _filled(self, part: Part) -> Value:
        if part.kind == "text":
            return Value(part.text)
        if part.kind != "variable" or SECRET.search(part.text):
            return Value("", is_known=False)
        found = self._values.get(part.text)
        if found is not None and (found.text or not found.is_known or part.default is None):
            return found
        if part.default is not None:
            return Value(part.default)
        if part.text == "HOME" and self._home:
            return Value(self._home)
        return Value("", is_known=False)


def _piped(simples: Iterable[Simple]) -> list[Simple]:
    """Give each command of a pipe the file that the last one writes to."""
    found = list(simples)
    for simple, after in zip(reversed(found[:-1]), reversed(found[1:]), strict=True):
        if simple.operator in ("|", "|&") and not simple.outputs:
            simple.outputs = after.outputs
    return found


def _has_glob(text: str) -> bool:
    return re.search(r"[*?\[]", text) is not None


def _end_of_loop(simples: Sequence[Simple], position: int) -> int:
    """Return where the loop that began before ``position`` is over."""
    depth = 1
    while position < len(simples):
        words = simples[position].words
        rest = without_keywords(words)
        leading = [each.plain for each in words[: len(words) - len(rest) + 1]]
        depth += sum(each in _LOOPS for each in leading)
        if leading[-1] == "done":
            depth -= 1
            if not depth:
                return position
        position += 1
    return position


_LOOPS = ("for", "select", "while", "until")
