"""
What the page's form opens, it gives back: nothing that nobody typed changes, in the form, as YAML, and when saved.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.core.installed import engines as installed_engines
from airflow_backup.plugin.http.routes.engines import list_engines
from airflow_backup.plugin.services.edits import read_yaml
from airflow_backup.schedules.loading.dependencies import Elsewhere
from airflow_backup.schedules.loading.loader import check_definition
from airflow_backup.schedules.model.schedule import Schedule
from support.definitions import SOURCES, definitions
from support.page_answers import ask_forms

COUNT = 2_000
SEED = 20261121
USUALLY_EXCLUDED = {"airflow": ["__pycache__/"], "files": [], "restic": []}

Data = dict[str, Any]


@cache
def generated() -> list[tuple[Data, Schedule]]:
    return list(definitions(COUNT, seed=SEED))


@cache
def stored() -> list[Data]:
    """What the server tells the page: the definition in effect."""
    return [json.loads(json.dumps(schedule.definition())) for _, schedule in generated()]


@cache
def answers(kind: str) -> list[Data]:
    given = stored() if kind == "stored" else [written for written, _ in generated()]
    engines = list_engines().model_dump(mode="json")["engines"]
    return ask_forms(given, engines)


def letters(value: Any) -> str:
    """Write a definition so that 1, 1.0 and "1" differ."""
    return json.dumps(value)


def after(definition: Data) -> set[str]:
    return set(definition.get("after", []))


def test_every_key_and_every_engine_is_among_them() -> None:
    keys = {key for written, _ in generated() for key in written}
    assert keys == set(Schedule.model_fields)
    for engine in SOURCES:
        sources = [
            schedule.source for _, schedule in generated() if schedule.source.engine == engine
        ]
        told = {key for source in sources for key in source.model_dump(exclude_defaults=True)}
        assert told == set(type(sources[0]).model_fields), engine


@pytest.mark.parametrize("kind", ["stored", "written"])
def test_the_form_gives_back_what_it_opened(kind: str) -> None:
    given = stored() if kind == "stored" else [written for written, _ in generated()]
    for before, answer in zip(given, answers(kind), strict=True):
        assert letters(answer["again"]) == letters(before)


@pytest.mark.parametrize("kind", ["stored", "written"])
def test_what_the_form_writes_as_yaml_means_the_same(kind: str) -> None:
    for (_, schedule), definition, answer in zip(generated(), stored(), answers(kind), strict=True):
        loaded, _ = read_yaml(answer["yaml"], elsewhere=Elsewhere(after(definition)))
        assert loaded.problems == []
        again = loaded.schedules[0].schedule
        assert letters(again.definition()) == letters(definition), answer["yaml"]
        assert again.digest() == schedule.digest()


def test_what_is_saved_without_a_change_is_saved_as_it_was() -> None:
    for definition, answer in zip(stored(), answers("stored"), strict=True):
        loaded = check_definition(answer["again"], elsewhere=Elsewhere(after(definition)))
        assert loaded.problems == []
        assert letters(loaded.schedules[0].schedule.definition()) == letters(definition)


def without(definition: Data, key: str) -> str:
    return letters({name: value for name, value in definition.items() if name != key})


@pytest.mark.parametrize("kind", ["stored", "written"])
@pytest.mark.parametrize(("change", "key"), [("described", "description"), ("tagged", "tags")])
def test_a_change_of_one_field_changes_one_key(kind: str, change: str, key: str) -> None:
    given = stored() if kind == "stored" else [written for written, _ in generated()]
    for before, answer in zip(given, answers(kind), strict=True):
        assert without(answer[change], key) == without(before, key)
        if key == "tags":
            assert answer[change][key] == [*before.get(key, []), "one, more"]


def test_a_pattern_more_leaves_the_others_as_they_are() -> None:
    for before, answer in zip(stored(), answers("stored"), strict=True):
        old, new = before["source"], answer["excluded"]["source"]
        assert without(new, "exclude") == without(old, "exclude")
        usual = USUALLY_EXCLUDED.get(old["engine"])
        if usual is None:  # the form does not ask for it
            assert new == old
        else:
            assert new["exclude"] == [*old.get("exclude", usual), "one, more"]


def test_another_end_of_a_window_keeps_its_name_days_and_zone() -> None:
    found = 0
    for before, answer in zip(stored(), answers("stored"), strict=True):
        if answer["longer"] is not None:
            found += 1
            assert answer["longer"]["window"] == [before["window"][0] | {"to": "05:55"}]
    assert found > COUNT / 20


def test_an_engine_whose_package_is_broken_says_so_and_costs_the_others_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "tape_without_licence.py").write_text("raise RuntimeError('no licence')")
    monkeypatch.syspath_prepend(str(tmp_path))
    point = EntryPoint("tape", "tape_without_licence:Engine", installed_engines.ENTRY_POINT_GROUP)
    monkeypatch.setattr(installed_engines, "points", lambda: [point])
    found = {each.name: each for each in list_engines().engines}
    assert set(found) == {*installed_engines.built_in(), "tape"}
    problem = found["tape"].problem or ""
    assert "no licence" in problem
    assert "does it fit this release?" in problem
    assert "\n" not in problem
    assert found["tape"].options == []
    assert all(
        each.problem is None and each.options for each in found.values() if each.name != "tape"
    )
