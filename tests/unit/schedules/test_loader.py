"""A wrong schedules file says what is wrong, where, and what would be right; the right schedules stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_backup.schedules.loader import load, parse

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


PROBLEMS = {
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
    "bad window": (
        "    every: 1h\n    window: odd\nwindows:\n  odd: {days: [funday]}",
        "11:15: windows.odd.days: 'funday' is not a day",
    ),
    "uses a bad window": (
        "    every: 1h\n    window: odd\nwindows:\n  odd: {days: [funday]}",
        "9:13: schedules.0.window: window `odd` is wrong",
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


@pytest.mark.parametrize(("schedule", "problem"), PROBLEMS.values(), ids=PROBLEMS)
def test_a_problem_names_its_place_and_what_would_be_right(schedule: str, problem: str) -> None:
    texts = [str(found) for found in parse(wrong(schedule)).problems]
    assert [text for text in texts if text.startswith(f"schedules.yaml:{problem}")], texts


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
    assert str(loaded.problems[0]).startswith(f"schedules.yaml:{problem}")
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
