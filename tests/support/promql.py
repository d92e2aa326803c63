"""
Evaluates Prometheus rules over one scrape, as `promtool test rules` would: the part of PromQL that our rules use.

That is: a comparison of a metric with a number, ``time() - metric`` compared with a number, ``absent(metric)``,
matchers ``=`` ``!=`` ``=~`` ``!~``, numbers with ``*``, and ``and``/``unless`` on equal labels.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping

Labels = frozenset[tuple[str, str]]
Scrape = Mapping[str, Mapping[Labels, float]]

_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
_PAIR = re.compile(r'(\w+)(=~|!~|!=|=)"((?:[^"\\]|\\.)*)"')
_COMPARED = re.compile(r"^(time\(\) - )?(\w+)(?:\{(.*)\})? (<|>|<=|>=|==|!=) ([-\d. *]+)$")
_ABSENT = re.compile(r"^absent\((\w+)(?:\{(.*)\})?\)$")
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def scrape(text: str) -> Scrape:
    """Read a page of metrics."""
    found: dict[str, dict[Labels, float]] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        sample = _SAMPLE.match(line)
        assert sample is not None, line
        name, labels, value = sample.groups()
        pairs = frozenset((key, given) for key, _, given in _PAIR.findall(labels or ""))
        found.setdefault(name, {})[pairs] = float(value)
    return found


def firing(expression: str, samples: Scrape, *, now: float) -> list[dict[str, str]]:
    """Return the labels for which a rule fires; AssertionError for what is not understood."""
    for word in (" unless ", " and "):
        left, found, right = expression.partition(word)
        if found:
            others = firing(right, samples, now=now)
            is_kept = word == " and "
            return [each for each in firing(left, samples, now=now) if (each in others) is is_kept]
    absent = _ABSENT.match(expression)
    if absent is not None:
        return [] if _select(samples, absent[1], absent[2]) else [{}]
    compared = _COMPARED.match(expression)
    assert compared is not None, f"this PromQL is not understood: {expression}"
    age, name, matchers, sign, number = compared.groups()
    limit = 1.0
    for factor in number.split("*"):
        limit *= float(factor)
    found_samples = _select(samples, name, matchers)
    return [
        dict(labels)
        for labels, value in found_samples.items()
        if _OPERATORS[sign](now - value if age else value, limit)
    ]


def _select(samples: Scrape, name: str, matchers: str | None) -> dict[Labels, float]:
    wanted = _PAIR.findall(matchers or "")
    return {
        labels: value
        for labels, value in samples.get(name, {}).items()
        if all(_matches(dict(labels).get(key, ""), sign, text) for key, sign, text in wanted)
    }


def _matches(value: str, sign: str, text: str) -> bool:
    is_equal = re.fullmatch(text, value) is not None if "~" in sign else value == text
    return is_equal is not sign.startswith("!")
