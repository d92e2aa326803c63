"""The compiled index gives the same schedules without YAML, and keeps the last version that was right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow_backup.schedules.loading.index import (
    CatalogSchedules,
    LastGood,
    compile_index,
    fingerprint,
    read_index,
    schedule_of,
    write_index,
)

GOOD = """\
version: 1
defaults: {repository: "file:///b", timezone: Europe/Berlin}
windows:
  nightly: {days: [mon-fri], from: 22:00, to: 06:00}
schedules:
  - id: a
    source: {engine: files, path: /srv}
    every: 1h
    window: nightly
  - id: b
    source: {engine: sqlite, path: /srv/x.db}
    cron: "0 2 * * *"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "schedules.yaml"
    path.write_text(text)
    return path


def test_an_index_reads_back_as_it_was_written(tmp_path: Path) -> None:
    index = compile_index(written(tmp_path, GOOD))
    file = tmp_path / "cache" / "index.json"
    write_index(file, index)
    again = read_index(file)
    assert again is not None
    assert again == index
    schedules = [schedule_of(definition) for definition in again.runnable().values()]
    assert [schedule.id for schedule in schedules] == ["a", "b"]
    assert schedules[0].window[0].opens == "22:00"
    assert [path.name for path in file.parent.iterdir()] == ["index.json"]


def test_a_damaged_index_is_compiled_anew(tmp_path: Path) -> None:
    file = tmp_path / "index.json"
    file.write_text('{"format": 3, "entr')
    assert read_index(file) is None


def test_the_fingerprint_follows_the_content(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    before = fingerprint(path)
    assert fingerprint(written(tmp_path, GOOD)) == before
    assert fingerprint(written(tmp_path, GOOD.replace("1h", "2h"))) != before


def test_a_schedule_that_turns_wrong_goes_on_in_its_last_good_version(tmp_path: Path) -> None:
    known = compile_index(written(tmp_path, GOOD)).last_good()
    index = compile_index(written(tmp_path, GOOD.replace("every: 1h", "evry: 1h")), known=known)
    assert [(entry.id, entry.state) for entry in index.entries.values()] == [
        ("b", "loaded"),
        ("a", "last_known_good"),
    ]
    assert index.runnable()["a"] == known.files["a"]
    assert index.entries["a"].problems


def test_a_schedule_that_was_never_right_does_not_run(tmp_path: Path) -> None:
    index = compile_index(written(tmp_path, GOOD.replace("every: 1h", "evry: 1h")))
    assert index.entries["a"].state == "rejected"
    assert list(index.runnable()) == ["b"]


def test_a_file_that_is_no_longer_yaml_stops_nothing(tmp_path: Path) -> None:
    known = compile_index(written(tmp_path, GOOD)).last_good()
    index = compile_index(written(tmp_path, GOOD + "  - ["), known=known)
    assert index.runnable() == known.files
    assert {entry.state for entry in index.entries.values()} == {"last_known_good"}


def test_a_schedule_that_is_gone_from_a_good_file_is_gone(tmp_path: Path) -> None:
    known = compile_index(written(tmp_path, GOOD)).last_good()
    index = compile_index(written(tmp_path, GOOD[: GOOD.index("  - id: b")]), known=known)
    assert list(index.entries) == ["a"]


def test_the_hash_of_a_schedule_changes_with_the_schedule_only(tmp_path: Path) -> None:
    before = compile_index(written(tmp_path, GOOD)).entries
    after = compile_index(written(tmp_path, GOOD.replace("every: 1h", "every: 2h"))).entries
    assert before["b"].content_hash == after["b"].content_hash
    assert before["a"].content_hash != after["a"].content_hash


MADE: dict[str, Any] = {
    "id": "a",
    "source": {"engine": "files", "path": "/srv/made"},
    "repository": "file:///b",
    "preset": "daily",
}


def of_page(*definitions: dict[str, Any]) -> CatalogSchedules:
    return CatalogSchedules("stamp", definitions)


def test_what_was_made_on_the_page_never_becomes_a_schedule_of_a_wrong_file(tmp_path: Path) -> None:
    only_b = GOOD.replace("- id: a", "- id: c")
    known = compile_index(written(tmp_path, only_b), from_catalog=of_page(MADE)).last_good()
    wrong = written(tmp_path, GOOD.replace("every: 1h", "evry: 1h"))
    index = compile_index(wrong, known=known, from_catalog=of_page(MADE))
    entry = index.entries["a"]
    assert (entry.file, entry.state) == ("catalog", "last_known_good")  # it goes on, fenced in
    assert entry.definition is not None
    assert entry.definition["source"]["path"] == "/srv/made"
    assert any("evry" in problem.message for problem in entry.problems)


def test_what_was_deleted_on_the_page_stays_deleted_while_a_file_cannot_be_read(
    tmp_path: Path,
) -> None:
    only_b = GOOD.replace("- id: a", "- id: c")
    known = compile_index(written(tmp_path, only_b), from_catalog=of_page(MADE)).last_good()
    index = compile_index(written(tmp_path, only_b + "  - ["), known=known, from_catalog=of_page())
    assert set(index.entries) == {"b", "c"}


def test_a_file_that_cannot_be_read_gives_no_id_away_to_the_page(tmp_path: Path) -> None:
    known = compile_index(written(tmp_path, GOOD), from_catalog=of_page(MADE)).last_good()
    index = compile_index(
        written(tmp_path, GOOD + "  - ["), known=known, from_catalog=of_page(MADE)
    )
    assert (index.entries["a"].file, index.entries["a"].state) == (
        "schedules.yaml",
        "last_known_good",
    )


def test_a_wrong_schedule_of_the_page_never_goes_on_as_what_a_file_said(tmp_path: Path) -> None:
    known = compile_index(written(tmp_path, GOOD)).last_good()
    file = written(tmp_path, GOOD.replace("- id: a", "- id: c"))
    index = compile_index(file, known=known, from_catalog=of_page(MADE | {"preset": "no such"}))
    assert (index.entries["a"].definition, index.entries["a"].state) == (None, "rejected")
    assert known == LastGood(known.files, {})
