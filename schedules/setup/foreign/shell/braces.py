"""Writes ``{a,b}`` of a shell out as several words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from airflow_backup.schedules.setup.foreign.shell.scanner import Part

_MOST = 200


def without_braces(parts: Sequence[Part]) -> list[list[Part]]:
    """
    Return the words that a word with braces stands for.

    >>> found = without_braces([Part("text", "--exclude={"), Part("text", "/a", quoted=True), Part("text", ",b}")])
    >>> ["".join(part.text for part in word) for word in found]
    ['--exclude=/a', '--exclude=b']
    """
    if not any("{" in each.text for each in parts if each.kind == "text" and not each.quoted):
        return [list(parts)]
    done: list[list[Part]] = []
    waiting = [_letters(parts)]
    while waiting:
        word = waiting.pop(0)
        choices = _first_braces(word)
        if choices is None or len(done) + len(waiting) + len(choices) > _MOST:
            done.append(word)
        else:
            waiting[:0] = choices
    return done


def _letters(parts: Sequence[Part]) -> list[Part]:
    """Cut text that is not quoted at what means something in braces."""
    found: list[Part] = []
    for part in parts:
        if part.kind != "text" or part.quoted:
            found.append(part)
            continue
        text = ""
        for letter in part.text:
            if letter in "{},":
                found += [replace(part, text=text), replace(part, text=letter)]
                text = ""
            else:
                text += letter
        found.append(replace(part, text=text))
    return [each for each in found if each.text or each.kind != "text" or each.quoted]


def _first_braces(word: Sequence[Part]) -> list[list[Part]] | None:
    """Return the words for the first pair of braces with a comma in it; None where there is none."""
    for begin, part in enumerate(word):
        if not _is(part, "{"):
            continue
        depth, commas = 0, []
        for position in range(begin, len(word)):
            depth += _is(word[position], "{") - _is(word[position], "}")
            if depth == 1 and _is(word[position], ","):
                commas.append(position)
            if not depth:
                if not commas:
                    break
                edges = [begin, *commas, position]
                pieces = [word[a + 1 : b] for a, b in pairwise(edges)]
                return [[*word[:begin], *each, *word[position + 1 :]] for each in pieces]
    return None


def _is(part: Part, letter: str) -> bool:
    return part.kind == "text" and not part.quoted and part.text == letter
