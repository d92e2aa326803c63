"""What variables are after an `if` or a `case`: unknown, where its branches say different things."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airflow_backup.schedules.setup.foreign.shell.scanner import Simple, Word
from airflow_backup.schedules.setup.foreign.shell.value import Value

_KEYWORDS = frozenset({"then", "do", "else", "elif", "if", "while", "until", "!", "{", "time"})
_BEGINS = ("if", "case")
_ENDS = ("fi", "esac")


class Branches:
    """Follows which variables are given values where only one of several branches runs."""

    def __init__(self) -> None:
        self._depth = 0
        self._is_after_test = False
        self._said: dict[str, set[Value]] = {}

    def pass_by(self, simple: Simple, values: dict[str, Value]) -> None:
        """Take note of the next command; at the end of all branches, forget what they do not agree on."""
        rest = without_keywords(simple.words)
        leading = [each.plain for each in simple.words[: len(simple.words) - len(rest) + 1]]
        self._depth += sum(each in _BEGINS for each in leading)
        if leading and leading[-1] in _ENDS:
            self._depth = max(self._depth - 1, 0)
        if not self._depth:
            self._forget(values)
        self._was_test, self._is_after_test = self._is_after_test, simple.operator in ("&&", "||")

    _was_test = False

    def assigned(self, before: Mapping[str, Value], after: dict[str, Value]) -> None:
        """Take note of what a command gave variables."""
        changed = [name for name, value in after.items() if before.get(name) != value]
        for name in changed if self._depth or self._was_test else ():
            known = self._said.setdefault(name, set())
            known |= {each for each in (before.get(name), after[name]) if each is not None}
        if not self._depth:
            self._forget(after)

    def _forget(self, values: dict[str, Value]) -> None:
        for name, said in self._said.items():
            if len(said) > 1:
                values[name] = Value("", is_known=False)
        self._said.clear()


def without_keywords(words: Sequence[Word]) -> list[Word]:
    """Return the words of a command after ``do``, ``then`` and their like."""
    rest = list(words)
    while rest and rest[0].plain in _KEYWORDS:
        rest.pop(0)
    return rest
