"""A wrong schedules file says what is wrong, where, and what would be right; the right schedules stay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.schedules.loading.assembly import assemble
from airflow_backup.schedules.loading.dependencies import Elsewhere
from airflow_backup.schedules.loading.loader import check_definition, load, parse
from airflow_backup.schedules.loading.yaml_reader import read
from airflow_backup.schedules.model.repository_url import check_repository

GOOD = """\
version: 1
defaults:
  timezone: Europe/Berlin
  repository: file:///var/backups
windows:
  nightly: {days: [mon-fri], from: 22:00, to: 06:00}
calendars:
  freeze: {dates: [2026-12-24..2026-12-27]}
templates:
  prod: {priority: 200, retry: {max_retries: 5}}
schedules:
  - id: wiki
    extends: prod
    source: {engine: files, path: /srv/wiki}
    cron: "0 2 * * *"
    window: nightly
    skip_on: freeze
    retry: {delay: 1m}
"""


def wrong(schedule: str, *, top: str = "") -> str:
    """A file whose only schedule begins in line 5, with what is wrong in line 8."""
    return (
        "version: 1\n"
        "defaults:\n"
        "  repository: file:///b\n"
        "schedules:\n"
        "  - id: wiki\n"
        "    source: {engine: files, path: /srv}\n"
        "    description: a wiki\n"
        f"{schedule}\n{top}"
    )


def test_a_good_file_gives_effective_schedules() -> None:
    loaded = parse(GOOD)
    assert loaded.problems == []
    (wiki,) = (item.schedule for item in loaded.schedules)
    assert wiki.timezone == "Europe/Berlin"
    assert wiki.priority == 200
    assert (wiki.retry.max_retries, wiki.retry.delay.total_seconds()) == (5, 60)
    assert [window.name for window in wiki.window] == ["nightly"]
    assert [calendar.name for calendar in wiki.skip_on] == ["freeze"]


PROBLEMS: dict[str, tuple[str, ...]] = {
    "unknown key": (
        '    cron: "0 2 * * *"\n    crn: x',
        "9:5: schedules.0.crn: unknown key `crn`\n    HINT: did you mean `cron`?",
    ),
    "no time": ("    priority: 3", "5:5: schedules.0: when does it run?"),
    "two times": (
        "    every: 1h\n    preset: daily",
        "5:5: schedules.0: write only one of `every` and `preset`",
    ),
    "never fires": (
        '    cron: "0 2 30 2 *"',
        "8:11: schedules.0.cron: cron '0 2 30 2 *' never fires: no month has that day",
    ),
    "wrong hour": (
        '    cron: "0 25 * * *"',
        "8:11: schedules.0.cron: cron '0 25 * * *' is wrong: the hour '25' is not possible",
    ),
    "random cron": ('    cron: "R 2 * * *"', "8:11: schedules.0.cron: cron 'R 2 * * *' is random"),
    "seven fields": (
        '    cron: "0 0 2 * * * 2026"',
        "8:11: schedules.0.cron: cron '0 0 2 * * * 2026' has 7 fields",
    ),
    "unknown timezone": (
        "    every: 1h\n    timezone: Mars/Olympus",
        "9:15: schedules.0.timezone: 'Mars/Olympus' is not a timezone",
    ),
    "unknown preset": (
        "    preset: dayly",
        "8:13: schedules.0.preset: no preset `dayly`\n    HINT: did you mean `daily`?",
    ),
    "unknown window": (
        "    every: 1h\n    window: nightly",
        "9:13: schedules.0.window: no window `nightly`",
    ),
    "not a duration": ("    every: often", "8:12: schedules.0.every: 'often' is not a duration"),
    "too frequent": (
        "    every: 0s",
        "8:12: schedules.0.every: `every` is shorter than one second",
    ),
    "not a number": (
        "    every: 1h\n    priority: high",
        "9:15: schedules.0.priority: 'high' is not a whole number",
    ),
    "too high": (
        "    every: 1h\n    priority: 256",
        "9:15: schedules.0.priority: 256 is more than 255",
    ),
    "wrong word": (
        "    every: 1h\n    missed: run_onse",
        "9:13: schedules.0.missed: 'run_onse' is not one of skip, run_once\n    HINT: did you mean `run_once`?",
    ),
    "key twice": (
        "    every: 1h\n    every: 2h",
        "9:5: schedules.0.every: key `every` stands twice",
    ),
    "kind and levels": (
        '    kind: full\n    levels: {full: "0 2 * * *"}',
        "5:5: schedules.0: `kind` and `levels` exclude each other",
    ),
    "level misspelled": (
        '    levels: {ful: "0 2 * * *"}',
        "8:14: schedules.0.levels.ful: unknown key `ful`\n    HINT: did you mean `full`?",
    ),
    "deep": (
        "    every: 1h\n    retry: {max_retries: -1}",
        "9:26: schedules.0.retry.max_retries: -1 is less than 0",
    ),
    "caps": (
        "    every: 1h\n    retry: {delay: 5m, max_delay: 1m}",
        "9:12: schedules.0.retry: `max_delay` is shorter than `delay`",
    ),
    "unknown template": (
        "    every: 1h\n    extends: prod",
        "9:14: schedules.0.extends: no template `prod`",
    ),
    "unknown dependency": ("    after: [users]", "8:13: schedules.0.after.0: no schedule `users`"),
    "waits for itself": (
        "    after: [wiki]",
        "8:13: schedules.0.after.0: `wiki` would wait for itself",
    ),
    "same id": (
        "    every: 1h\n  - id: wiki\n    source: {engine: files, path: /x}\n    every: 1h",
        "9:9: schedules.1.id: id `wiki` is already used in schedules.yaml:5",
    ),
    "no engine": (
        "    every: 1h\n  - id: b\n    every: 1h\n    source: {engine: filez, path: /x}",
        "11:22: schedules.1.source.engine: no engine `filez`\n    HINT: did you mean `files`?",
    ),
    "no path": (
        "    every: 1h\n  - id: b\n    every: 1h\n    source: {engine: files}",
        "11:13: schedules.1.source: write either `path` or `paths`",
    ),
    "relative path": (
        "    every: 1h\n  - id: b\n    every: 1h\n    source: {engine: sqlite, path: x.db}",
        "11:36: schedules.1.source.path: 'x.db' is not an absolute path",
    ),
    "no source": (
        "    every: 1h\n  - id: b\n    every: 1h",
        "9:5: schedules.1.source: `source` is missing",
    ),
    "bad id": (
        "    every: 1h\n  - id: Wiki 2\n    source: {engine: files, path: /x}\n    every: 1h",
        "9:9: schedules.1.id: 'Wiki 2' is not a name",
    ),
    "not a mapping": ("    every: 1h\n  - wiki", "9:5: schedules.1: the schedule is not a mapping"),
    "bad window, and what uses it": (
        "    every: 1h\n    window: odd\nwindows:\n  odd: {days: [funday]}",
        "9:13: schedules.0.window: window `odd` is wrong",
        "11:15: windows.odd.days: 'funday' is not a day",
    ),
    "bad date": (
        "    every: 1h\ncalendars:\n  freeze: {dates: [2026-02-30]}",
        "10:20: calendars.freeze.dates.0: '2026-02-30' is not a date",
    ),
    "unknown country": (
        "    every: 1h\ncalendars:\n  c: {country: XX}",
        "10:6: calendars.c: no holidays are known for country 'XX'",
    ),
    "unknown top-level key": (
        "    every: 1h\nshedules: []",
        "9:1: shedules: unknown key `shedules`\n    HINT: did you mean `schedules`?",
    ),
    "unknown default": (
        "    every: 1h\ntemplates:\n  t: {prioritty: 3}",
        "10:7: templates.t.prioritty: unknown key `prioritty`\n    HINT: did you mean `priority`?",
    ),
}


MORE_PROBLEMS: dict[str, tuple[str, ...]] = {
    "two at once": (
        "    every: often\n    priority: high",
        "8:12: schedules.0.every: 'often' is not a duration",
        "9:15: schedules.0.priority: 'high' is not a whole number",
    ),
    "description is no text": (
        "    every: 1h\n    group: [a]",
        "9:12: schedules.0.group: a list is not text",
    ),
    "group is no name": (
        "    every: 1h\n    group: My Group",
        "9:12: schedules.0.group: 'My Group' is not a name",
    ),
    "tags are no list": (
        "    every: 1h\n    tags: prod",
        "9:11: schedules.0.tags: 'prod' is not a list",
    ),
    "an empty tag": ('    every: 1h\n    tags: [a, ""]', "9:15: schedules.0.tags.1: is empty"),
    "a long tag": (
        f"    every: 1h\n    tags: [{'a' * 91}]",
        "9:12: schedules.0.tags.0: is longer than 90 characters",
    ),
    "repository of a protocol that is not on the list": (
        "    every: 1h\n    repository: ftp://host/b",
        "9:17: schedules.0.repository: no storage 'ftp'\n    HINT: there are file://, s3://, gs://, az://, sftp://",
    ),
    "repository with credentials": (
        "    every: 1h\n    repository: s3://key:word@bucket/b",
        "9:17: schedules.0.repository: credentials belong into `connection`, not into the URL",
    ),
    "repository is no URL": (
        "    every: 1h\n    repository: /b",
        "9:17: schedules.0.repository: '/b' is not a storage URL",
    ),
    "kind is no kind": (
        "    every: 1h\n    kind: increment",
        "9:11: schedules.0.kind: 'increment' is not one of full, incremental,",
    ),
    "empty cron": ('    cron: ""', "8:11: schedules.0.cron: cron '' has 0 fields"),
    "a cron with a name": (
        '    cron: "@daily"',
        "8:11: schedules.0.cron: cron '@daily' is not accepted",
    ),
    "a cron that is a number": (
        "    cron: 5",
        "8:11: schedules.0.cron: 5 is not a cron expression",
    ),
    "wrong minute": (
        '    cron: "61 2 * * *"',
        "8:11: schedules.0.cron: cron '61 2 * * *' is wrong: the minute '61' is not possible",
    ),
    "wrong month": (
        '    cron: "0 2 * 13 *"',
        "8:11: schedules.0.cron: cron '0 2 * 13 *' is wrong: the month '13' is not possible",
    ),
    "wrong weekday": (
        '    cron: "0 2 * * 5L"',
        "8:11: schedules.0.cron: cron '0 2 * * 5L' is wrong: the day of the week '5L' is not possible",
    ),
    "wrong second": (
        '    cron: "61 0 2 * * *"',
        "8:11: schedules.0.cron: cron '61 0 2 * * *' is wrong: the second '61' is not possible",
    ),
    "a step of nothing": (
        '    cron: "*/0 * * * *"',
        "8:11: schedules.0.cron: cron '*/0 * * * *' is wrong: the minute '*/0' is not possible",
    ),
    "31st of short months": (
        '    cron: "0 0 31 4,6 *"',
        "8:11: schedules.0.cron: cron '0 0 31 4,6 *' never fires",
    ),
    "a level that never fires": (
        '    levels: {full: "0 2 31 2 *"}',
        "8:20: schedules.0.levels.full: cron '0 2 31 2 *' never fires",
    ),
    "no level": ("    levels: {}", "8:13: schedules.0.levels: `levels` is empty"),
    "after and a time": (
        "    every: 1h\n    after: [wiki2]",
        "5:5: schedules.0: `after` and `every` exclude each other",
    ),
    "in a circle": (
        "    after: [b]\n  - id: b\n    source: {engine: files, path: /x}\n    after: [wiki]",
        "8:13: schedules.0.after.0: `wiki` would wait for itself, by way of `b`",
        "11:13: schedules.1.after.0: `b` would wait for itself, by way of `wiki`",
    ),
    "a negative duration": (
        "    every: 1h\n    jitter: -5m",
        "9:13: schedules.0.jitter: '-5m' is not a duration",
    ),
    "enabled is no boolean": (
        "    every: 1h\n    enabled: maybe",
        "9:14: schedules.0.enabled: 'maybe' is not true or false",
    ),
    "not a size": (
        "    every: 1h\n    retention: {max_bytes: lots}",
        "9:28: schedules.0.retention.max_bytes: 'lots' is not a size",
    ),
    "keep none": (
        "    every: 1h\n    retention: {last: 0}",
        "9:23: schedules.0.retention.last: 0 is less than 1",
    ),
    "retention misspelled": (
        "    every: 1h\n    retention: {dayly: 3}",
        "9:17: schedules.0.retention.dayly: unknown key `dayly`\n    HINT: did you mean `daily`?",
    ),
    "verify level": (
        "    every: 1h\n    verify: {level: thorough}",
        "9:21: schedules.0.verify.level: 'thorough' is not one of",
    ),
    "checksum": (
        "    every: 1h\n    checksum: sha265",
        "9:15: schedules.0.checksum: 'sha265' is not one of",
    ),
    "window time": (
        '    every: 1h\n    window: {from: "25:00", to: "06:00"}',
        "9:20: schedules.0.window.from: '25:00' is not a time of day",
    ),
    "window says nothing": (
        "    every: 1h\n    window: {timezone: UTC}",
        "9:13: schedules.0.window: write `days`, `from` and `to`",
    ),
    "window preset": (
        "    every: 1h\n    window: office_hours",
        "9:13: schedules.0.window: no window `office_hours`",
    ),
    "window says too much": (
        "    every: 1h\nwindows:\n  w: {preset: off_hours, days: [mon]}",
        "10:6: windows.w: `preset` and times exclude each other",
    ),
    "calendar says nothing": (
        "    every: 1h\ncalendars:\n  c: {}",
        "10:6: calendars.c: write `dates`, `country` or `ics`",
    ),
    "calendar part": (
        "    every: 1h\ncalendars:\n  c: {country: DE, subdivision: XX}",
        "10:6: calendars.c: country DE has no subdivision 'XX'",
    ),
    "dates turned round": (
        "    every: 1h\ncalendars:\n  c: {dates: [2026-12-27..2026-12-24]}",
        "10:15: calendars.c.dates.0: '2026-12-27..2026-12-24' ends before it begins",
    ),
    "unknown calendar": (
        "    every: 1h\n    skip_on: [xmas]",
        "9:15: schedules.0.skip_on.0: no calendar `xmas`",
    ),
    "template in a circle": (
        "    extends: a\ntemplates:\n  a: {extends: b, every: 1h}\n  b: {extends: a}",
        "11:16: templates.b.extends: template `a` extends itself",
    ),
    "own preset is wrong": (
        '    preset: mine\npresets:\n  mine: "0 2 30 2 *"',
        "8:13: schedules.0.preset: preset `mine` is wrong",
        "10:9: presets.mine.cron: cron '0 2 30 2 *' never fires",
    ),
    "windows are no mapping": (
        "    every: 1h\nwindows: [a]",
        "9:10: windows: `windows` is not a mapping",
    ),
    "source is no mapping": (
        "    every: 1h\n  - id: b\n    every: 1h\n    source: /srv",
        "11:13: schedules.1.source: `source` is not a mapping",
    ),
    "sqlite with both": (
        "    every: 1h\n  - id: b\n    every: 1h\n    source: {engine: sqlite, path: /x, connection: y}",
        "11:13: schedules.1.source: write either `path` or `connection`",
    ),
}
ALL_PROBLEMS = PROBLEMS | MORE_PROBLEMS


def test_there_are_many_cases() -> None:
    assert len(ALL_PROBLEMS) + len(FILES) >= 60


@pytest.mark.parametrize("case", ALL_PROBLEMS.values(), ids=ALL_PROBLEMS)
def test_a_problem_names_its_place_and_what_would_be_right(case: tuple[str, ...]) -> None:
    schedule, *expected = case
    found = [str(problem) for problem in parse(wrong(schedule), environ={}).problems]
    assert len(found) == len(expected), found
    for text, beginning in zip(found, expected, strict=True):
        assert text.startswith(f"schedules.yaml:{beginning}")


FILES = {
    "empty": ("", "1:1: the file is empty"),
    "a list": ("- a\n", "1:1: the file is not a mapping"),
    "not yaml": ("version: 1\nschedules: [", "3:1: this is not YAML"),
    "a tab": ("version: 1\nschedules:\n\t- id: a\n", "3:1: this is not YAML"),
    "no version": ("schedules: []\n", "1:1: version: `version` is missing"),
    "a later version": ("version: 2\nschedules: []\n", "1:10: version: version 2 is not known"),
    "python": ("version: !!python/name:os.system x\n", "1:10: this is not YAML"),
    "a circle": ("version: &a [*a]\n", "1:1: an alias contains itself"),
    "too deep": (
        "version: " + "[" * 100 + "]" * 100,
        "1:1: the file is nested deeper than 40 levels",
    ),
}


@pytest.mark.parametrize(("text", "problem"), FILES.values(), ids=FILES)
def test_a_file_that_is_no_schedules_file_is_refused(text: str, problem: str) -> None:
    loaded = parse(text)
    (found,) = loaded.problems
    assert str(found).startswith(f"schedules.yaml:{problem}")
    assert loaded.schedules == []


def test_aliases_that_would_grow_without_bounds_are_refused() -> None:
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in range(1, 10):
        text += f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n"
    (problem,) = parse(text).problems
    assert problem.message.startswith("the file grows to more than")


def test_one_wrong_schedule_among_ten_costs_the_others_nothing() -> None:
    schedules = "".join(
        f"  - id: s{number}\n    source: {{engine: files, path: /srv/{number}}}\n"
        f'    cron: "{"0 2 30 2 *" if number == 4 else "0 2 * * *"}"\n'
        for number in range(10)
    )
    loaded = parse(f"version: 1\ndefaults: {{repository: file:///b}}\nschedules:\n{schedules}")
    assert len(loaded.schedules) == 9
    assert [(wrong.id, wrong.line) for wrong in loaded.rejected] == [("s4", 16)]
    assert len(loaded.problems) == 1


def test_a_problem_in_the_defaults_is_reported_where_it_stands() -> None:
    loaded = parse(
        wrong("    every: 1h").replace("  repository:", "  timezone: Mars/X\n  repository:")
    )
    (problem,) = loaded.problems
    assert (problem.line, problem.path) == (3, "defaults.timezone")


def test_a_folder_works_like_one_file(tmp_path: Path) -> None:
    (tmp_path / "00-shared.yaml").write_text(
        "version: 1\ndefaults: {repository: file:///b, every: 1h}\n"
    )
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(
            f"version: 1\nschedules:\n  - id: {name}\n    source: {{engine: files, path: /srv}}\n"
        )
    loaded = load(tmp_path)
    assert loaded.problems == []
    assert [(item.schedule.id, item.file, item.line) for item in loaded.schedules] == [
        ("a", "a.yaml", 3),
        ("b", "b.yaml", 3),
    ]


def test_an_unreadable_file_of_a_folder_costs_the_others_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"version: 1 # \xff\n")
    (tmp_path / "b.yaml").write_text(wrong("    every: 1h"))
    loaded = load(tmp_path)
    assert [item.schedule.id for item in loaded.schedules] == ["wiki"]
    assert [problem.message for problem in loaded.problems] == [
        "the file is not UTF-8: invalid start byte at byte 13"
    ]


def test_a_schedule_replaces_the_time_of_its_defaults_as_a_whole() -> None:
    text = wrong("    every: 1h").replace("defaults:\n", "defaults:\n  cron: '0 2 * * *'\n")
    (item,) = parse(text).schedules
    assert (item.schedule.cron, item.schedule.every is not None) == (None, True)


@pytest.mark.parametrize("place", ["vault:99999", "vault:ssh"])
def test_a_repository_with_a_port_that_there_is_not_is_wrong_where_it_is_written(
    place: str,
) -> None:
    with pytest.raises(ValueError, match="has no port that there is"):
        check_repository(f"sftp://{place}/backups")


SECRETS: dict[str, dict[str, Any]] = {
    "restic's way": {"repository": "rest:https://me:s3cret@host/"},
    "large letters": {"repository": "SFTP://me:s3cret@host/x"},
    "no scheme": {"repository": "sftp:me:s3cret@host/x"},
    "a slash": {"repository": "sftp://me:s3cret/more@host/x"},
    "behind the cut": {"repository": f"rest:https://me:s3cret{'x' * 100}@host/"},
    "a connection": {"connection": "postgresql://me:s3cret@host/db"},
    "a source": {"source": {"engine": "postgres", "connection": "postgresql://me:s3cret@host/db"}},
    "a key": {"source": {"engine": "sqlite", "path": "sqlite://me:s3cret@host"}},
    "a time": {"every": "me:s3cret@host"},
}


@pytest.mark.parametrize("more", SECRETS.values(), ids=SECRETS)
def test_a_problem_tells_no_password(more: dict[str, Any]) -> None:
    """Whoever may read the schedule reads its problems, and import errors stand in Airflow for all."""
    base = {
        "id": "a",
        "source": {"engine": "files", "path": "/srv/a"},
        "repository": "file:///b/a",
        "cron": "0 2 * * *",
    }
    loaded = check_definition(base | more)
    assert loaded.problems
    assert "s3cret" not in repr(loaded.problems)


def test_nobody_waits_for_itself_by_way_of_what_is_elsewhere() -> None:
    base = {"source": {"engine": "sqlite", "path": "/a.db"}, "repository": "file:///backups"}
    definition = base | {"id": "wiki", "after": ["shop"]}

    def wrong(follows: dict[str, list[str]], *, ids: tuple[str, ...] = ("shop",)) -> list[str]:
        loaded = check_definition(definition, elsewhere=Elsewhere(ids, follows))
        return [problem.message for problem in loaded.problems]

    told = "`wiki` would wait for itself, by way of `shop`"
    assert wrong({}) == wrong({"shop": ["crm"], "crm": ["gone"]}) == []
    assert wrong({"shop": ["wiki"]}) == wrong({"shop": ["hidden"], "hidden": ["wiki"]}) == [told]
    assert wrong({"wiki": ["crm"], "crm": ["wiki"]}) == []  # it takes the place of the one before
    assert wrong({"shop": ["wiki"]}, ids=()) == ["no schedule `shop`"]


@pytest.mark.parametrize(("stays", "wrong"), [(False, []), (True, ["shop"])])
def test_what_is_left_as_it_is_waits_as_before(stays: bool, wrong: list[str]) -> None:
    base = {"source": {"engine": "sqlite", "path": "/a.db"}, "repository": "file:///backups"}
    file = {
        "version": 1,
        "schedules": [
            base | {"id": "wiki", "preset": "daily"},
            base | {"id": "shop", "after": ["wiki"]},
        ],
    }
    there = Elsewhere(["wiki"], {"wiki": ["shop"]}, stays=stays)
    loaded = assemble([read(json.dumps(file), file="yaml")], elsewhere=there)
    assert [each.id for each in loaded.rejected] == wrong
