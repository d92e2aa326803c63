"""Reads a program's arguments by its grammar: which options take a value, and by which letter they go."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from airflow_backup.schedules.setup.foreign.shell.value import Value

_PASSWORD = re.compile(r"(pass(?:word|phrase|wd)?)(?!-)\w.*", re.IGNORECASE | re.DOTALL)
"""An option whose password was written without the sign between them."""


@dataclass(frozen=True)
class Grammar:
    """The options of a program, as far as they matter."""

    valued: frozenset[str]
    """Long names, and letters without one, that take a value."""
    letters: Mapping[str, str]
    """The long name of each letter."""
    attached: frozenset[str] = frozenset()
    """Names whose value, if any, stands in the same word: mysql's ``-pSECRET``."""


def grammar(valued: str, letters: str = "", attached: str = "") -> Grammar:
    """
    Write a grammar in short: names with spaces between them, letters as ``h=host``.

    >>> grammar("host port", "h=host p=port").letters
    {'h': 'host', 'p': 'port'}
    """
    pairs = dict(each.split("=") for each in letters.split())
    return Grammar(frozenset(valued.split()), pairs, frozenset(attached.split()))


@dataclass
class Arguments:
    """What was given: options by their long names, and operands."""

    options: list[tuple[str, Value | None]] = field(default_factory=list)
    operands: list[Value] = field(default_factory=list)
    before: list[int] = field(default_factory=list)
    """How many options stand before each operand."""

    def add(self, *operands: Value) -> None:
        """Add operands that stand behind the options there are."""
        self.operands += operands
        self.before += [len(self.options)] * len(operands)

    def has(self, *names: str) -> bool:
        """Whether one of these options was given."""
        return any(name in names for name, _ in self.options)

    def all(self, *names: str) -> list[Value]:
        """Return the values of all options of these names."""
        return [value for name, value in self.options if name in names and value is not None]

    def text(self, *names: str) -> str | None:
        """Return the last value of an option, where it is known."""
        found = [each.text for each in self.all(*names) if each.is_known and each.text]
        return found[-1] if found else None

    def others(self, known: str) -> list[str]:
        """Name the options that are not among the words of ``known``, each once and without its value."""
        ignored = set(known.split())
        cut = (name if name in ignored else _PASSWORD.sub(r"\1", name) for name, _ in self.options)
        found = dict.fromkeys(name for name in cut if name not in ignored)
        return [f"-{name}" if len(name) == 1 else f"--{name}" for name in found]


def read(given: Sequence[Value], rules: Grammar) -> Arguments:
    """Read arguments in the manner of GNU."""
    found = Arguments()
    rest = list(given)
    while rest:
        word = rest.pop(0)
        if word.text == "--" and word.is_known:
            found.add(*rest)
            return found
        if word.text.startswith("--"):
            _long(word, rest, rules, found)
        elif word.text.startswith("-") and len(word.text) > 1:
            _short(word, rest, rules, found)
        else:
            found.add(word)
    return found


def _long(word: Value, rest: list[Value], rules: Grammar, found: Arguments) -> None:
    name, equals, text = word.text[2:].partition("=")
    if equals:
        value: Value | None = Value(text, word.is_known, word.has_glob)
    else:
        value = rest.pop(0) if name in rules.valued and rest else None
    found.options.append((name, value))


def _short(word: Value, rest: list[Value], rules: Grammar, found: Arguments) -> None:
    letters = word.text[1:]
    for position, letter in enumerate(letters):
        name = rules.letters.get(letter, letter)
        after = letters[position + 1 :]
        if name in rules.attached:
            value = Value(after, word.is_known) if after else None
            found.options.append((name, value))
            return
        if name in rules.valued:
            if after:
                after = after.removeprefix("=")
                value = Value(after, word.is_known, word.has_glob)
            else:
                value = rest.pop(0) if rest else None
            found.options.append((name, value))
            return
        found.options.append((name, None))


def bundled(given: Sequence[Value], rules: Grammar) -> list[Value]:
    """
    Write tar's old form, ``czf FILE``, as options.

    >>> [each.text for each in bundled([Value("czf"), Value("x.tgz"), Value("/srv")], grammar("file", "f=file"))]
    ['-c', '-z', '-f', 'x.tgz', '/srv']
    """
    if not given or given[0].text.startswith("-") or not given[0].is_known:
        return list(given)
    rest, found = list(given[1:]), []
    for letter in given[0].text:
        found.append(Value(f"-{letter}"))
        if rules.letters.get(letter, letter) in rules.valued and rest:
            found.append(rest.pop(0))
    return [*found, *rest]
