"""A schedules file that we write says what the definitions say, letter for letter."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_backup.schedules.export.schedules_file import schedules_file
from airflow_backup.schedules.export.yaml_text import block
from airflow_backup.schedules.loading.loader import parse
from airflow_backup.schedules.loading.placeholders import fill
from airflow_backup.schedules.loading.yaml_reader import read
from airflow_backup.schedules.model.schedule import Schedule
from support.definitions import definitions

ODD: list[Any] = [
    *("1e5", "0x10", "22:00", "no", "null", "~", "", " ", "-", "1_000", "0123", "${HOME}", "$${x}"),
    *("a: b", "a #b", "two\nlines", "\u2028", "\x85", "\ufeff", "Grüße 🚀", '"q"', "'", "\\", "=", "<<", "---"),
    *(7, -1, 0.25, 1.0, 1e16, True, False, None, [], {}, [[]], [{}], [[1, "1"], []], {"no": {"1": []}}),
]  # fmt: skip


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_any_value_is_read_as_what_it_is(value: Any) -> None:
    given = {"a": value, "b": [value, {"c": value}], str(value): 1}
    text = "\n".join(block(given))
    assert json.dumps(fill(read(text, file="x"), {}).data) == json.dumps(given), text


def test_five_hundred_schedules_come_back_as_they_were() -> None:
    given = [
        {**schedule.definition(), "id": f"s{number}"}
        for number, (_, schedule) in enumerate(definitions(500, seed=11))
    ]
    for each in given:
        each.pop("after", None)
        if not {"cron", "every", "preset", "levels"} & each.keys():
            each["preset"] = "daily"
    loaded = parse(schedules_file(given), environ={})
    assert loaded.problems == []
    again = [item.schedule.definition() for item in loaded.schedules]
    assert json.dumps(again) == json.dumps([parsed(each) for each in given])


def parsed(definition: dict[str, Any]) -> dict[str, Any]:
    """Put keys that were added by the test into the order of the model."""
    return {key: definition[key] for key in Schedule.model_fields if key in definition}


def test_what_the_file_does_not_have_is_said_in_its_head() -> None:
    text = schedules_file([{"id": "b", "after": ["a", "b"]}], notes=["`x` was left\nout"])
    assert "# - `x` was left\\nout\n" in text
    assert "# - `b` runs after `a`, which this file does not have\n" in text


def test_a_file_without_schedules_is_a_schedules_file() -> None:
    assert parse(schedules_file([]), environ={}).problems == []
