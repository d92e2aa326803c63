"""Schedules leave as a file and come back as one: what is written, what is refused, and what becomes of each."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_backup.catalog.records import ScheduleVersion
from airflow_backup.plugin.schemas.exchange import ImportedSchedule
from airflow_backup.plugin.schemas.schedules import State
from airflow_backup.plugin.services.edits import read_yaml
from airflow_backup.plugin.services.exchange.export import written
from airflow_backup.plugin.services.exchange.file import MOST_SCHEDULES, Entry, read_file
from airflow_backup.plugin.services.exchange.plan import Decision, Known, decide
from airflow_backup.plugin.views.rows import Row
from airflow_backup.schedules.loading.dependencies import Elsewhere
from airflow_backup.schedules.loading.loaded import CATALOG
from airflow_backup.schedules.loading.loader import parse
from airflow_backup.schedules.model.schedule import Schedule

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HEAD = 'version: 1\ndefaults: {repository: "sftp://vault/srv", preset: daily}\n'
WIKI = {
    "id": "wiki",
    "source": {"engine": "sqlite", "connection": "wiki_db"},
    "repository": "sftp://vault/srv",
    "preset": "daily",
}


def definition(**keys: Any) -> dict[str, Any]:
    return Schedule.model_validate(WIKI | keys).definition()


def made(given: Mapping[str, Any], *, version: int = 3, deleted: bool = False) -> ScheduleVersion:
    return ScheduleVersion(
        id=given["id"],
        version=version,
        definition=given,
        author="ann",
        created_at=NOW,
        is_deleted=deleted,
    )


def row(given: Mapping[str, Any], *, file: str = CATALOG, state: State = State.LOADED) -> Row:
    saved = made(given) if file == CATALOG else None
    return Row(str(given["id"]), given, state, file, 7, made=saved)


def known(*rows: Row, **facts: Any) -> Known:
    given: dict[str, Any] = {
        "rows": {each.id: each for each in rows},
        "newest": {},
        "foreign": set(),
        "visible": {each.id for each in rows},
        "replaceable": {each.id for each in rows},
    }
    return Known(**(given | facts))


def entry(given: Mapping[str, Any]) -> Entry:
    return Entry(str(given["id"]), 4, given)


def decided(given: Mapping[str, Any], there: Known, on_conflict: Any = "fail") -> Decision:
    (found,) = decide([entry(given)], there, on_conflict=on_conflict)
    return found


def told(result: ImportedSchedule) -> tuple[str, str | None]:
    return result.outcome, result.detail


# --- what is written


def test_what_is_exported_is_read_again_as_it_was() -> None:
    given = [definition(), definition(id="shop", description="${HOME}, 1e5", tags=["1e5", "no"])]
    text = written([row(each) for each in given]).text
    loaded = parse(text, environ={})
    assert loaded.problems == []
    assert [each.schedule.definition() for each in loaded.schedules] == given


def test_what_could_not_be_read_again_is_left_out_and_named() -> None:
    wrong = Row("odd", {}, State.REJECTED, "a.yaml", 3, problems=[{"message": "no\ncron"}])
    old = row(definition(id="old"), file="b.yaml", state=State.LAST_KNOWN_GOOD)
    found = written([wrong, old])
    assert found.left_out == 1
    assert "`odd` is left out, for what is written in a.yaml:3 is wrong: no\\ncron\n" in found.text
    assert "`old` is as it last was right; what is written in b.yaml:7 now is wrong" in found.text
    assert list(parse(found.text, environ={}).by_id()) == ["old"]


def test_a_password_is_not_exported_and_the_head_says_so() -> None:
    given = definition(description="see https://me:s3cret@wiki/x")
    text = written([row(given)]).text
    assert "s3cret" not in text
    assert "`wiki`: a password stands in it as `***`" in text


# --- what is read

WRONG = {
    "another version": ("version: 2\nschedules: []\n", 1, "version: version 2 is not known"),
    "no schedules": ("version: 1\n", 1, "schedules: the file has no schedules"),
    "not YAML": ("version: 1\nschedules: [\n", 3, ": this is not YAML: "),
    "a list": ("- a\n", 1, ": the file is not a mapping"),
    "empty": ("", 1, ": the file is empty"),
    "exceptions": (
        HEAD + "unprotected: [{connection: a, reason: b}]\nschedules:\n"
        "  - {id: wiki, source: {engine: sqlite, connection: a}}\n",
        3,
        "unprotected: exceptions cannot be kept here",
    ),
    "a calendar of the server": (
        HEAD + "calendars: {x: {ics: /etc/passwd}}\nschedules: []\n",
        3,
        "calendars.x.ics: a calendar file lies beside a schedules file",
    ),
    "aliases that grow": (
        "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
        + "".join(
            f"{n}: &{n} [{', '.join(['*' + p] * 10)}]\n"
            for p, n in zip("abcd", "bcde", strict=True)
        ),
        1,
        ": this comes to more than 40,000 values",
    ),
    "defaults that are inherited often": (
        "version: 1\ndefaults: {window: ["
        + "{preset: off_hours}, " * 200
        + "]}\nschedules:\n"
        + "".join(f"  - {{id: s{number}}}\n" for number in range(200)),
        1,
        ": this comes to more than 40,000 values",
    ),
    "templates that are inherited often": (
        "version: 1\ntemplates:\n"
        + "".join(f"  t{n}: {{extends: t{n + 1}, tags: [a, b, c]}}\n" for n in range(200))
        + "schedules:\n"
        + "".join(f"  - {{id: s{n}, extends: t0}}\n" for n in range(200)),
        1,
        ": this comes to more than 40,000 values",
    ),
    "templates in a long row": (
        "version: 1\ntemplates:\n"
        + "".join(f"  t{n}: {{extends: t{n + 1}}}\n" for n in range(5000))
        + "schedules:\n"
        + "".join(f"  - {{id: s{n}, extends: t0}}\n" for n in range(MOST_SCHEDULES)),
        1,
        ": this comes to more than 40,000 values",
    ),
    "a number of schedules": ("version: 1\nschedules: 5\n", 2, "schedules: "),
    "too many": (
        HEAD + "schedules: &s\n" + "  - {}\n" * (MOST_SCHEDULES + 1),
        1,
        f"schedules: the file has {MOST_SCHEDULES + 1} schedules",
    ),
}


@pytest.mark.parametrize(("text", "line", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_with_a_file_names_its_line(text: str, line: int, message: str) -> None:
    (first, *_) = read_file(text, elsewhere=Elsewhere()).problems
    assert first.line == line
    assert f"{first.field}: {first.message}".startswith(message)


@pytest.mark.parametrize(
    "name", [name for name, (_, _, told) in WRONG.items() if "comes to" in told]
)
def test_what_is_typed_into_the_form_has_the_same_bound(name: str) -> None:
    loaded, _ = read_yaml(WRONG[name][0], elsewhere=Elsewhere())
    assert [each.message[:29] for each in loaded.problems] == ["this comes to more than 40,00"]
    assert loaded.schedules == []


@pytest.mark.parametrize("given", ["5", "text", "{a: b}", "[5, [], text, null]", "null"])
def test_what_is_typed_and_is_no_list_of_schedules_is_a_problem(given: str) -> None:
    loaded, _ = read_yaml(f"version: 1\nschedules: {given}\n", elsewhere=Elsewhere())
    assert loaded.schedules == []


def test_each_schedule_that_is_wrong_has_its_own_problems() -> None:
    text = (
        HEAD + "schedules:\n"
        "  - {id: wiki, source: {engine: sqlite, connection: a}}\n"
        "  - {id: shop, source: {engine: sqlite, connection: a}, crn: x}\n"
        "  - {id: wiki, source: {engine: sqlite, connection: b}}\n"
        "  - {id: deep, source: {engine: files, path: /etc}}\n"
        "  - {id: home, source: {engine: sqlite, connection: '${AIRFLOW__CORE__FERNET_KEY}'}}\n"
    )
    found = read_file(text, elsewhere=Elsewhere())
    assert found.problems == []
    assert [(each.id, each.line, [p.field for p in each.problems]) for each in found.entries] == [
        ("wiki", 4, []),
        ("shop", 5, ["crn"]),
        ("wiki", 6, ["id"]),
        ("deep", 7, ["source"]),
        ("home", 8, ["source.connection"] * 2),
    ]


def test_a_file_that_is_all_wrong_is_told_in_few_words_and_soon() -> None:
    keys = ", ".join(f"k{number}: 1" for number in range(30))
    text = f"version: 1\nx: &x {{id: wiki, {keys}}}\nschedules: [{', '.join(['*x'] * 100)}]\n"
    begun = time.process_time()
    found = read_file(text, elsewhere=Elsewhere())
    assert time.process_time() - begun < 10
    assert len(found.entries) == 100
    assert max(len(each.problems) for each in found.entries) == 21
    assert found.entries[0].problems[-1].message.endswith("more things are wrong")


# --- what becomes of each


def test_what_is_new_is_created_after_what_was_deleted() -> None:
    assert decided(definition(), known()).before is None
    ended = made(definition(), deleted=True)
    found = decided(definition(), known(newest={"wiki": ended}))
    assert (told(found.result), found.before) == (("created", None), ended)
    assert found.definition == definition()


def test_what_says_the_same_is_left_as_it_is_wherever_it_is_written() -> None:
    for file in (CATALOG, "a.yaml"):
        found = decided(definition(), known(row(definition(), file=file)))
        assert (told(found.result), found.definition) == (("unchanged", None), None)


def test_what_says_something_else_is_refused_skipped_or_replaced_as_asked() -> None:
    there, new = known(row(definition())), definition(preset="hourly")
    assert told(decided(new, there).result) == ("refused", "there already is a schedule 'wiki'")
    assert told(decided(new, there, "skip").result) == ("skipped", "it is there already: catalog")
    found = decided(new, there, "replace")
    assert found.result.outcome == "replaced"
    assert [(each.key, each.before, each.after) for each in found.result.changes] == [
        ("preset", "daily", "hourly")
    ]
    assert (found.definition, found.before) == (new, made(definition()))


@pytest.mark.parametrize("on_conflict", ["fail", "replace"])
def test_a_schedule_that_a_file_makes_is_never_replaced(on_conflict: str) -> None:
    there = known(row(definition(), file="a.yaml"))
    found = decided(definition(preset="hourly"), there, on_conflict)
    assert told(found.result) == ("refused", "schedule 'wiki' is written in a.yaml:7")


@pytest.mark.parametrize("on_conflict", ["fail", "skip", "replace"])
def test_of_what_the_reader_may_not_see_nothing_is_told(on_conflict: str) -> None:
    hidden = known(row(definition()), visible=set())
    for given in (definition(), definition(preset="hourly")):
        found = decided(given, hidden, on_conflict)
        assert told(found.result) == ("refused", "the id 'wiki' is taken")
        assert found.result.changes == []
        assert found.definition is None


def test_who_may_make_and_not_change_replaces_nothing() -> None:
    there = known(row(definition()), replaceable=set())
    found = decided(definition(preset="hourly"), there, "replace")
    assert told(found.result) == ("refused", "your role does not allow to change schedules")
    assert decided(definition(id="new"), there).result.outcome == "created"


def test_an_id_under_which_somebody_elses_dag_runs_is_refused() -> None:
    there = known(foreign={"wiki"}, visible={"wiki"})
    assert told(decided(definition(), there).result) == (
        "refused",
        "there already is a DAG 'backup__wiki', and no schedule makes it",
    )
    hidden = known(foreign={"wiki"})
    assert told(decided(definition(), hidden).result) == ("refused", "the id 'wiki' is taken")


def test_a_password_that_was_left_out_is_put_back_or_asked_for() -> None:
    full = definition(description="https://me:s3cret@wiki/x")
    masked = definition(description="https://me:***@wiki/x")
    assert told(decided(masked, known(row(full))).result) == ("unchanged", None)
    for there in (known(), known(row(full), visible=set())):
        found = decided(masked, there)
        assert found.result.outcome == "refused"
        assert [each.message for each in found.result.problems] == [
            "`***` stands where a password was left out"
        ]
