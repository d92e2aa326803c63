"""Schedules leave as a file and come back, through a real API server and as each role."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from airflow_backup.cli.main import main
from airflow_backup.core.installed import engines as installed_engines
from airflow_backup.schedules.export.schedules_file import schedules_file

pytestmark = pytest.mark.service

API = "backup/api/v1"
SCHEDULES = f"{API}/schedules"
NAMES = ("moved-a", "moved-b", "moved-c")


def definition(name: str, **keys: Any) -> dict[str, Any]:
    return {
        "id": name,
        "description": "costs ${HOME}, 1e5",
        "source": {"engine": "files", "path": "/srv/made", "exclude": ["*,v", " x"]},
        "repository": "sftp://vault/srv",
        "timezone": "Europe/Berlin",
        "cron": "0 3 * * *",
        "tags": ["1e5", "moved", "null"],
    } | keys


def three(**keys: Any) -> list[dict[str, Any]]:
    last = definition("moved-c", after=["moved-a"]) | keys
    del last["cron"]
    return [definition("moved-a"), definition("moved-b"), last]


@pytest.fixture
def op(clients: dict[str, httpx.Client]) -> Iterator[httpx.Client]:
    """May make schedules; those that a test imported are deleted in the end."""
    client = clients["op"]
    yield client
    remove(client)


def remove(client: httpx.Client) -> None:
    for name in NAMES[::-1]:
        client.request("DELETE", f"{SCHEDULES}/{name}", json={}, headers={"If-Match": "*"})


def bring(client: httpx.Client, given: Any, **keys: Any) -> httpx.Response:
    text = given if isinstance(given, str) else schedules_file(given)
    return client.post(f"{API}/import", json={"yaml": text} | keys, timeout=60)


def exported(client: httpx.Client, **choice: Any) -> str:
    answer = client.get(f"{API}/export", params=choice)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/yaml")
    return answer.text


def test_what_was_exported_deleted_and_imported_is_exported_again_letter_for_letter(
    op: httpx.Client,
) -> None:
    assert bring(op, three()).json()["counts"]["created"] == 3
    before = exported(op, schedule=NAMES)
    found = [op.get(f"{SCHEDULES}/{name}").json()["definition"] for name in NAMES]
    remove(op)
    assert op.get(SCHEDULES, params={"q": "moved-"}).json()["total"] == 0
    assert bring(op, before).status_code == 200
    assert exported(op, schedule=NAMES) == before
    assert [op.get(f"{SCHEDULES}/{name}").json()["definition"] for name in NAMES] == found


@pytest.mark.parametrize("letter", ["x", '"', "\N{HIRAGANA LETTER A}", "\N{GRINNING FACE}"])
def test_a_file_of_as_many_letters_as_are_allowed_is_read_whatever_they_are(
    op: httpx.Client, letter: str
) -> None:
    text = schedules_file(three())
    full = text + "# " + letter * (200_000 - len(text) - 3) + "\n"
    assert len(full) == 200_000
    assert bring(op, full, dry_run=True).status_code == 200
    assert bring(op, full + letter, dry_run=True).status_code == 422


def test_the_shell_accepts_what_is_exported_of_all(
    admin: httpx.Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = admin.get(f"{API}/export", params={"made": "false"})
    (tmp_path / "schedules.yaml").write_text(answer.text)
    assert main(["validate", str(tmp_path / "schedules.yaml")]) == 0, capsys.readouterr().out
    data = yaml.safe_load(answer.text)
    found = {each["id"]: each for each in data["schedules"]}
    assert data["version"] == 1
    assert "defaults" not in data
    assert found["orders"]["timezone"] == "Europe/Berlin"  # which a file's defaults gave it
    assert found["orders"]["repository"] == "sftp://vault/srv"
    assert "broken" not in found
    assert answer.headers["x-left-out"] == "1"
    assert "`broken` is left out, for what is written in schedules.yaml:" in answer.text


def test_the_filters_are_those_of_the_list(admin: httpx.Client) -> None:
    for choice in ({"tag": "docs"}, {"group": "databases"}, {"q": "crm"}, {"state": "disabled"}):
        listed = admin.get(SCHEDULES, params=choice).json()["schedules"]
        found = yaml.safe_load(exported(admin, **choice))["schedules"]
        assert {each["id"] for each in found} == {
            each["id"] for each in listed if each["state"] != "rejected"
        }
        assert found
    assert yaml.safe_load(exported(admin, q="no such schedule"))["schedules"] == []
    answer = admin.get(f"{API}/export", params={"schedule": ["wiki", "gone"]})
    assert (answer.status_code, answer.json()["detail"]) == (404, "no schedule 'gone'")


def test_who_may_not_make_schedules_exports_and_does_not_import(
    clients: dict[str, httpx.Client], op: httpx.Client
) -> None:
    for role in ("viewer", "user"):
        assert yaml.safe_load(exported(clients[role], schedule="wiki"))["schedules"]
        for dry_run in (True, False):
            assert bring(clients[role], three(), dry_run=dry_run).status_code == 403
    assert clients["nobody"].get(f"{API}/export").status_code == 401
    assert bring(clients["nobody"], three()).status_code == 401
    assert op.get(SCHEDULES, params={"q": "moved-"}).json()["total"] == 0


def test_one_that_is_wrong_keeps_all_from_being_made(op: httpx.Client) -> None:
    given = three()
    given[1]["cron"] = "soon"
    answer = bring(op, given)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("nothing was imported: line ")
    results = answer.json()["results"]
    assert [each["outcome"] for each in results["schedules"]] == ["created", "refused", "created"]
    (problem,) = results["schedules"][1]["problems"]
    line = schedules_file(given).splitlines()[problem["line"] - 1]
    assert (problem["field"], line.strip()) == ("cron", "cron: soon")
    assert op.get(SCHEDULES, params={"q": "moved-"}).json()["total"] == 0


def versions_of(client: httpx.Client, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"{SCHEDULES}/{name}/versions").json()["versions"]
    return found


def test_what_is_there_is_refused_skipped_or_replaced_as_asked(op: httpx.Client) -> None:
    assert bring(op, three()).status_code == 200
    assert bring(op, three()).json()["counts"]["unchanged"] == 3
    before = versions_of(op, "moved-b")
    given = three()
    given[0]["cron"] = "0 4 * * *"
    answer = bring(op, given)
    assert (answer.status_code, answer.json()["detail"]) == (
        409,
        "nothing was imported: there already is a schedule 'moved-a'",
    )
    assert bring(op, given, on_conflict="skip").json()["saved"] is False
    dry = bring(op, given, on_conflict="replace", dry_run=True).json()
    assert dry["schedules"][0]["changes"] == [
        {"key": "cron", "before": "0 3 * * *", "after": "0 4 * * *"}
    ]
    assert bring(op, given, on_conflict="replace").json()["counts"]["replaced"] == 1
    versions = versions_of(op, "moved-a")
    assert versions[0]["version"] == versions[1]["version"] + 1
    assert (versions[0]["author"], [each["key"] for each in versions[0]["changes"]]) == (
        "op",
        ["cron"],
    )
    assert versions_of(op, "moved-b") == before


def test_a_schedule_that_a_file_makes_is_never_replaced(op: httpx.Client) -> None:
    for on_conflict in ("fail", "replace"):
        answer = bring(op, [*three(), definition("wiki")], on_conflict=on_conflict)
        assert answer.status_code == 409
        assert "schedule 'wiki' is written in schedules.yaml:" in answer.json()["detail"]
    skipped = bring(op, [*three(), definition("wiki")], on_conflict="skip").json()
    assert (skipped["counts"]["created"], skipped["counts"]["skipped"]) == (3, 1)
    assert op.get(f"{SCHEDULES}/wiki").json()["made"] is None


ODD = {
    "another version": {"yaml": "version: 2\nschedules: []\n"},
    "the same id twice": {"yaml": schedules_file([definition("moved-a")] * 2)},
    "no text": {"yaml": None},
    "another key": {"yaml": "version: 1", "path": "/etc/passwd"},
    "another answer to conflicts": {"yaml": "version: 1", "on_conflict": "merge"},
    "a variable of the server": {
        "yaml": schedules_file([definition("moved-a")]).replace("$${HOME}", "${PATH}")
    },
    "a path beyond the fence": {
        "yaml": schedules_file([definition("moved-a", source={"engine": "files", "path": "/etc"})])
    },
    "too long": {"yaml": "#" * 200_001},
}


@pytest.mark.parametrize("body", ODD.values(), ids=ODD)
def test_what_is_no_file_of_ours_is_refused(op: httpx.Client, body: dict[str, Any]) -> None:
    answer = op.post(f"{API}/import", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["title"] == "Unprocessable Entity" or answer.json()["detail"]
    assert op.get(f"{SCHEDULES}/moved-a").status_code == 404


def test_everybody_who_is_logged_in_sees_templates_that_can_be_made(
    clients: dict[str, httpx.Client], op: httpx.Client
) -> None:
    found = clients["viewer"].get(f"{API}/templates").json()["templates"]
    assert len(found) == 7
    for each in found:
        assert yaml.safe_load(each["yaml"])["schedules"][0]["id"] == each["definition"]["id"]
    assert clients["nobody"].get(f"{API}/templates").status_code == 401
    database = next(each for each in found if each["name"] == "postgres-nightly")
    answer = op.post(SCHEDULES, json=database["definition"] | {"id": "moved-a"})
    assert answer.status_code == 201, answer.text


def test_everybody_who_is_logged_in_sees_what_a_form_asks_for_each_engine(
    clients: dict[str, httpx.Client],
) -> None:
    found = clients["viewer"].get(f"{API}/engines").json()["engines"]
    assert [each["name"] for each in found] == sorted(installed_engines.names())
    postgres = {
        option["key"]: option
        for each in found
        if each["name"] == "postgres"
        for option in each["options"]
    }
    assert postgres["connection"]["required"] is True
    assert [choice["value"] for choice in postgres["method"]["choices"]] == ["logical", "physical"]
    assert clients["nobody"].get(f"{API}/engines").status_code == 401
