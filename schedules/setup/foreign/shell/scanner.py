"""
Cuts a shell script into simple commands, without running anything.

It knows quotes, variables, arrays, comments, continued lines, here-documents and redirections. What only a shell can
tell (``$(date)``, arithmetic) becomes a part that is unknown. Linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ASSIGNED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_BRACED = re.compile(r"\{(#?[A-Za-z_][A-Za-z0-9_]*)(\[[@*]\])?(?::?-([^}$`]*))?\}")
_OPERATORS = re.compile(r"&&|\|\||;;|\|&|[;&|()\n]")
_REDIRECT = re.compile(r"(\d*|&)(<<<|<<-?|<>|>>|>\||>&|<&|[<>])")
_WHICH = re.compile(
    r"\s*(?:\S*/which|which|command\s+-v|type\s+-[pP])\s+([\w./-]+)\s*(?:2>\s*\S+)?\s*"
)
_ENDS = frozenset(" \t\n;&|()<>")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a word: text, or what stands for it."""

    kind: Literal["text", "variable", "array", "unknown"]
    text: str = ""
    quoted: bool = False
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command, with the list of an array that it begins."""

    parts: tuple[Part, ...]
    items: tuple[Word, ...] | None = None

    @property
    def plain(self) -> str | None:
        """Its text, where it is nothing but that, and was not quoted."""
        if len(self.parts) == 1 and self.parts[0].kind == "text" and not self.parts[0].quoted:
            return self.parts[0].text
        return None


@dataclass(slots=True)
class Simple:
    """One command: its words, where its output goes, and what stands after it."""

    line: int
    words: list[Word] = field(default_factory=list)
    outputs: list[Word] = field(default_factory=list)
    operator: str = "\n"
    inner: list[tuple[int, str]] = field(default_factory=list)
    """What stands in its ``$(...)``, which is run before it, each with its line."""
    given: str = ""
    """The text of its here-documents."""


class Scanner:
    """Walks through a text once."""

    def __init__(self, text: str, *, line: int = 1) -> None:
        self._text, self._at, self._line = text, 0, line
        self._here: list[str] = []
        self._is_in_array = False
        self._inner: list[tuple[int, str]] = []
        self._given = ""

    def commands(self) -> Iterator[Simple]:
        """Yield the simple commands in their order."""
        found = Simple(self._line)
        while self._at < len(self._text):
            operator = self._step(found)
            if operator is not None:
                found.operator = operator
                if self._is_one(found):
                    yield found
                found = Simple(self._line)
        if self._is_one(found):
            yield found

    def _is_one(self, found: Simple) -> bool:
        """Give a command what was read with it; False where there is none."""
        found.inner, self._inner = self._inner, []
        found.given, self._given = self._given, ""
        return bool(found.words or found.inner)

    def _step(self, found: Simple) -> str | None:
        """Take the next blank, comment, redirection, operator or word; return an operator."""
        text, letter = self._text, self._text[self._at]
        if letter in " \t\r" or text.startswith("\\\n", self._at):
            self._skip(2 if letter == "\\" else 1)
            return None
        if letter == "#":
            end = text.find("\n", self._at)
            self._skip((len(text) if end < 0 else end) - self._at)
            return None
        redirect = _REDIRECT.match(text, self._at)
        if redirect is not None:
            self._skip(redirect.end() - self._at)
            self._redirect(redirect[2], found, is_output=redirect[1] in ("", "1", "&"))
            return None
        operator = _OPERATORS.match(text, self._at)
        if operator is not None:
            self._skip(operator.end() - self._at)
            if operator[0] == "\n":
                self._skip_here_documents()
            return operator[0]
        if not found.words:
            found.line = self._line
        found.words.append(self._word())
        return None

    def _skip(self, count: int) -> None:
        self._line += self._text.count("\n", self._at, self._at + count)
        self._at += count

    def _redirect(self, operator: str, found: Simple, *, is_output: bool) -> None:
        while self._at < len(self._text) and self._text[self._at] in " \t":
            self._at += 1
        if self._at >= len(self._text) or self._text[self._at] == "\n":
            return
        target = self._word()
        if operator.startswith("<<") and operator != "<<<":
            name = re.escape("".join(part.text for part in target.parts))
            self._here.append(rf"\t*{name}" if operator == "<<-" else name)
        elif operator in (">", ">>", ">|") and is_output:
            found.outputs.append(target)

    def _skip_here_documents(self) -> None:
        """Leave out the text of here-documents; one that never ends takes the rest."""
        for end in self._here:
            closing = re.compile(rf"^{end}$", re.MULTILINE).search(self._text, self._at)
            ends = len(self._text) if closing is None else closing.start()
            self._given += self._text[self._at : ends]
            self._skip((len(self._text) if closing is None else closing.end()) - self._at)
        self._here = []

    def _word(self) -> Word:
        begin = self._at
        parts: list[Part] = []
        while self._at < len(self._text) and self._text[self._at] not in _ENDS:
            letter = self._text[self._at]
            if letter == "'":
                parts.append(self._single())
            elif letter == '"':
                self._skip(1)
                parts += self._double()
            elif letter == "\\":
                parts += self._backslash()
            elif letter in "$`":
                parts.append(self._dollar(quoted=False))
            else:
                parts.append(self._bare())
        if self._at == begin:  # a bracket or an operator where a word should be
            self._skip(1)
        is_array = (
            not self._is_in_array
            and self._text.startswith("(", self._at)
            and _ASSIGNED.fullmatch(self._text, begin, self._at) is not None
        )
        # What stands between the quotes of "$NAME" is empty, and would make two more parts.
        kept = tuple(each for each in parts if each.text or each.kind != "text") or tuple(parts[:1])
        return Word(kept, self._items() if is_array else None)

    def _items(self) -> tuple[Word, ...]:
        """Read the words between the brackets of an array."""
        self._skip(1)
        inner = Simple(self._line)
        self._is_in_array = True
        while self._at < len(self._text) and self._text[self._at] != ")":
            self._step(inner)
        self._is_in_array = False
        self._skip(1)
        return tuple(inner.words)

    def _bare(self) -> Part:
        begin = self._at
        while self._at < len(self._text) and self._text[self._at] not in _STOPS:
            self._at += 1
        return Part("text", self._text[begin : self._at])

    def _backslash(self) -> list[Part]:
        after = self._text[self._at + 1 : self._at + 2]
        self._skip(2)
        return [] if after in ("\n", "") else [Part("text", after, quoted=True)]

    def _single(self) -> Part:
        end = self._text.find("'", self._at + 1)
        end = len(self._text) if end < 0 else end
        found = self._text[self._at + 1 : end]
        self._skip(end + 1 - self._at)
        return Part("text", found, quoted=True)

    def _double(self) -> list[Part]:
        parts: list[Part] = []
        letters: list[str] = []
        while self._at < len(self._text) and self._text[self._at] != '"':
            letter = self._text[self._at]
            if letter in "$`":
                parts.append(Part("text", "".join(letters), quoted=True))
                letters = []
                parts.append(self._dollar(quoted=True))
                continue
            if letter == "\\" and self._text[self._at + 1 : self._at + 2] in '"\\$`\n':
                self._skip(1)
                letter = self._text[self._at : self._at + 1].replace("\n", "")
            letters.append(letter)
            self._skip(1)
        self._skip(1)
        return [*parts, Part("text", "".join(letters), quoted=True)]

    def _dollar(self, *, quoted: bool) -> Part:
        text = self._text
        if text[self._at] == "`":
            end = text.find("`", self._at + 1)
            begin, line = self._at + 1, self._line
            self._skip((len(text) if end < 0 else end + 1) - self._at)
            return self._run(text[begin : self._at - 1], line, quoted=quoted)
        self._at += 1
        if text.startswith("(", self._at):
            begin, line, before = self._at + 1, self._line, len(self._inner)
            self._skip_brackets()
            del self._inner[before:]  # what stands deeper is found when this is read
            return self._run(text[begin : self._at - 1], line, quoted=quoted)
        if text.startswith("'", self._at) and not quoted:
            return self._single()
        if text.startswith("{", self._at):
            return self._braced(quoted=quoted)
        name = _NAME.match(text, self._at)
        if name is not None:
            self._at = name.end()
            return Part("variable", name[0], quoted)
        if self._at < len(text) and text[self._at] in "0123456789@*#?$!-":
            self._at += 1
            return Part("unknown", quoted=quoted)
        return Part("text", "$", quoted=True)

    def _run(self, script: str, line: int, *, quoted: bool) -> Part:
        """Take what a shell puts in place of a command: unknown, unless it is a program's own name."""
        named = _WHICH.fullmatch(script)
        if named is not None:
            return Part("text", named[1], quoted=True)
        if not script.startswith("("):  # else it is arithmetic
            self._inner.append((line, script))
        return Part("unknown", quoted=quoted)

    def _braced(self, *, quoted: bool) -> Part:
        found = _BRACED.match(self._text, self._at)
        if found is None:
            end = self._text.find("}", self._at)
            self._skip((len(self._text) if end < 0 else end + 1) - self._at)
            return Part("unknown", quoted=quoted)
        self._skip(found.end() - self._at)
        if found[1].startswith("#"):
            return Part("unknown", quoted=quoted)
        return Part("array" if found[2] else "variable", found[1], quoted, found[3])

    def _skip_brackets(self) -> None:
        """Leave out ``$(...)``, with the brackets and quotes inside it."""
        depth, text = 0, self._text
        while self._at < len(text):
            letter = text[self._at]
            if letter == "'":
                self._single()
                continue
            if letter == '"':
                self._skip(1)
                self._double()
                continue
            depth += {"(": 1, ")": -1}.get(letter, 0)
            self._skip(2 if letter == "\\" else 1)
            if not depth:
                return


_STOPS = _ENDS | frozenset("'\"\\$`")
