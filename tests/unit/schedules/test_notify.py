"""Who is told, as it is written: names, groups, one for many, and what is wrong said where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_backup.schedules.loading.loader import Loaded, load
from airflow_backup.schedules.model.notify import ALERTS

FILE = """\
version: 1
windows: {{night: {{from: "22:00", to: "06:00"}}}}
receivers:
  on-call: {{email: ops@example.org}}
  hook: {{webhook: backup_hook}}
defaults: {{repository: "file:///b", preset: daily, source: {{engine: files, path: /srv}}, notify: {{to: on-call}}}}
groups:
  db: {{notify: [{{to: [on-call, hook], quiet: night}}, {{to: on-call, digest: weekly}}]}}
schedules:
  - {{id: wiki{more}}}
"""


def loaded(tmp_path: Path, more: str = "") -> Loaded:
    file = tmp_path / "schedules.yaml"
    file.write_text(FILE.format(more=more))
    return load(file)


def test_the_defaults_are_under_the_group_and_that_under_the_schedule(tmp_path: Path) -> None:
    (notice,) = loaded(tmp_path).by_id()["wiki"].notify
    assert (notice.to[0].key, notice.to[0].email, notice.events) == (
        "on-call",
        ["ops@example.org"],
        ALERTS,
    )
    first, second = loaded(tmp_path, ", group: db").by_id()["wiki"].notify
    assert [receiver.key for receiver in first.to] == ["on-call", "hook"]
    assert [window.name for window in first.quiet] == ["night"]
    assert second.digest == "weekly"
    (own,) = (
        loaded(tmp_path, ", group: db, notify: {to: hook, events: completed}")
        .by_id()["wiki"]
        .notify
    )
    assert [str(event) for event in own.events] == ["completed"]
    assert loaded(tmp_path, ", group: db, notify: []").by_id()["wiki"].notify == []


def test_what_is_deployed_reads_back_as_it_was(tmp_path: Path) -> None:
    schedule = loaded(tmp_path, ", group: db").by_id()["wiki"]
    again = type(schedule).model_validate(schedule.definition())
    assert again == schedule
    assert again.notify[0].to[1].key == "hook"


CASES = {
    "unknown receiver": ("{to: on-cal}", "schedules.0.notify.to: no receiver `on-cal`"),
    "no address": (
        "{to: {email: ops}}",
        "'ops' is no mail address",
    ),
    "two ways": (
        "{to: {email: a@b.c, webhook: x}}",
        "write one of `email`, `webhook`, `apprise` and `notifier`, not `email` and `webhook`",
    ),
    "any class": ("{to: {notifier: os.system}}", "no notifier 'os.system'"),
    "unknown event": ("{to: on-call, events: [fail]}", "'fail' is not one of started,"),
    "unknown window": ("{to: on-call, quiet: nigt}", "no window `nigt`"),
    "nobody": ("{to: []}", "notify"),
}


@pytest.mark.parametrize(("notify", "words"), CASES.values(), ids=CASES)
def test_what_is_wrong_is_said_where_it_stands(notify: str, words: str, tmp_path: Path) -> None:
    (problem,) = loaded(tmp_path, f", notify: {notify}").problems
    assert words in str(problem)
    assert ":10:" in str(problem), "its line"


def test_an_address_that_holds_a_token_is_refused_and_not_shown(tmp_path: Path) -> None:
    found = loaded(tmp_path, ', notify: {to: {webhook: "https://chat.example.org/T0K3N"}}').problems
    assert "put it into an Airflow connection" in str(found[0])
    assert "T0K3N" not in "".join(map(str, found))
