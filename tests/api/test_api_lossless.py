"""A schedule that is opened on the page and saved again is what it was, through a real API server."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from support.definitions import definitions
from support.page_answers import ask_forms

pytestmark = pytest.mark.service

SCHEDULES = "backup/api/v1/schedules"
ODD = {
    "id": "odd",
    "source": {"engine": "files", "paths": ["/srv/a,b"], "exclude": ["*,v", " x"]},
    "repository": "sftp://vault/srv",
    "cron": "0 2 * * *",
    "description": "two\nlines, ${of} them",
    "tags": ["a, b", "null"],
    "window": [{"name": "evening", "from": "20:00", "timezone": "Asia/Tokyo"}],
    "retention": {"last": 3, "max_bytes": 2**60 - 1},
}


def engines(client: httpx.Client) -> list[Any]:
    found: list[Any] = client.get("backup/api/v1/engines").json()["engines"]
    return found


def letters(value: Any) -> str:
    return json.dumps(value)


def test_a_schedule_is_saved_as_it_was_opened(clients: dict[str, httpx.Client]) -> None:
    op = clients["op"]
    assert op.post(SCHEDULES, json=ODD).status_code == 201
    try:
        opened = op.get(f"{SCHEDULES}/odd").json()["definition"]
        assert letters(opened["retention"]) == letters(ODD["retention"])
        (answer,) = ask_forms([opened], engines(op))
        assert letters(answer["again"]) == letters(opened)
        written = op.post(f"{SCHEDULES}/validate", json={"yaml": answer["yaml"]}).json()
        assert letters(written["definition"]) == letters(opened)
        body, match = answer["again"], {"If-Match": '"1"'}
        saved = op.put(f"{SCHEDULES}/odd", json=body, headers=match)
        assert letters(saved.json()["definition"]) == letters(opened)
        versions = op.get(f"{SCHEDULES}/odd/versions").json()["versions"]
        assert [version["changes"] for version in versions][:1] == [[]]
    finally:
        op.request("DELETE", f"{SCHEDULES}/odd", json={}, headers={"If-Match": "*"})


def test_the_server_reads_the_form_and_its_yaml_alike(clients: dict[str, httpx.Client]) -> None:
    stored = [schedule.definition() for _, schedule in definitions(60, seed=7)]
    fair = [
        each for each in stored if "after" not in each and each["source"]["engine"] != "command"
    ]
    answers = ask_forms(fair, engines(clients["op"]))
    for definition, answer in zip(fair, answers, strict=True):
        for body in (answer["again"], {"yaml": answer["yaml"]}):
            told = clients["op"].post(f"{SCHEDULES}/validate", json=body).json()
            fenced = [each for each in told["problems"] if "allowed" not in str(each)]
            assert [each for each in fenced if "administrator" not in str(each)] == []
            if told["problems"] == []:
                assert letters(told["definition"]) == letters(definition)
