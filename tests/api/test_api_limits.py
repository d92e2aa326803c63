"""One request cannot break the page: moments, lengths, depths and sizes have ends, and a bad row costs itself alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from airflow_backup.catalog import Catalog
from support.airflow.home import AirflowHome

pytestmark = pytest.mark.service

API = "backup/api/v1"
VALID = {
    "id": "limited",
    "source": {"engine": "files", "path": "/srv/limited"},
    "repository": "sftp://vault/srv",
    "cron": "0 2 * * *",
}
MOMENTS = (
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00+14:00",
    "1969-12-31T23:59:59Z",
    "2200-01-02T00:00:00Z",
    "2026-11-21T02:00:00",
    "-1",
    "1e400",
    "noon",
)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_moment_that_cannot_be_shown_is_refused_everywhere(
    admin: httpx.Client, moment: str
) -> None:
    answers = [
        admin.post(f"{API}/schedules/orders/pause", json={"until": moment}),
        admin.post(f"{API}/maintenance", json={"enabled": True, "until": moment}),
        admin.post(
            f"{API}/schedules/bulk", json={"action": "pause", "ids": ["orders"], "until": moment}
        ),
        admin.get(f"{API}/schedules/orders/runs", params={"before": moment}),
        admin.get(f"{API}/schedules/orders/recovery-path", params={"at": moment}),
    ]
    assert [each.status_code for each in answers] == [422] * len(answers)
    for path in ("schedules", "status", "metrics", "timeline"):
        assert admin.get(f"{API}/{path}").status_code == 200


DEFINITIONS = {
    "a duration of many digits": {"alert_after": "9" * 5000 + "d"},
    "a duration beyond a century": {"max_duration": "40000d"},
    "a duration of the year 9999": {"missed_grace": "2919990d"},
    "a size without end": {"retention": {"max_bytes": "9" * 400 + "TB"}},
    "a count of many digits": {"retention": {"last": 10**400}},
    "a long cron": {"cron": ",".join(map(str, range(60))) + " * * * *" + " " * 200},
    "a cron of forty kilobytes": {"cron": ",".join(["1"] * 20_000) + " * * * *"},
    "many windows": {"window": [{"days": ["mon"], "from": "01:00", "to": "02:00"}] * 1001},
    "windows that open without end": {
        "window": [
            {
                "from": f"{number // 30:02}:{number % 30 * 2:02}",
                "to": f"{number // 30:02}:{number % 30 * 2 + 1:02}",
            }
            for number in range(720)
        ]
    },
    "many dates": {"skip_on": [{"dates": ["2026-12-24"] * 10_001}]},
    "many calendars": {"skip_on": [{"dates": ["2026-12-24"]}] * 101},
    "many tags": {"tags": [f"t{number}" for number in range(101)]},
    "many to wait for": {"cron": None, "after": ["orders"] * 1001},
    "a long description": {"description": "x" * 10_001},
    "a long path": {"source": {"engine": "files", "path": "/" + "x" * 5000}},
    "many patterns": {"source": {"engine": "files", "path": "/srv", "exclude": ["*.x"] * 10_001}},
    "long patterns": {"source": {"engine": "files", "path": "/srv", "exclude": ["x" * 20] * 5001}},
    "a calendar file of the server": {"skip_on": [{"ics": "/etc/passwd"}]},
    "a mapping for a duration": {"jitter": {"password": "s3cret"}},
    "a list for a cron": {"cron": ["s3cret"]},
    "a mapping for a text": {"description": {"password": "s3cret"}},
    "a zero byte": {"source": {"engine": "files", "path": "/srv/\0x"}},
}


@pytest.mark.parametrize("more", DEFINITIONS.values(), ids=DEFINITIONS)
def test_a_definition_beyond_every_measure_is_refused_quickly_and_quotes_no_secret(
    admin: httpx.Client, more: dict[str, object]
) -> None:
    definition = {key: value for key, value in (VALID | more).items() if value is not None}
    checked = admin.post(f"{API}/schedules/validate", json=definition, timeout=20)
    saved = admin.post(f"{API}/schedules", json=definition, timeout=20)
    assert (checked.status_code, saved.status_code) == (200, 422)
    assert checked.json()["valid"] is False
    assert "s3cret" not in checked.text + saved.text
    assert len(saved.text) < 3000


def test_as_many_windows_and_dates_as_are_allowed_are_reckoned_in_time(
    admin: httpx.Client,
) -> None:
    windows = [
        {
            "days": ["mon-sun"],
            "from": f"{number // 42:02}:{number % 42:02}",
            "to": f"{number // 42:02}:{number % 42 + 1:02}",
        }
        for number in range(1000)
    ]
    dates = [
        f"{2026 + number // 336}-{number % 12 + 1:02}-{number % 28 + 1:02}"
        for number in range(10_000)
    ]
    definition = VALID | {"window": windows, "skip_on": [{"dates": dates}]}
    answer = admin.post(f"{API}/schedules/validate", json=definition, timeout=60)
    assert answer.status_code == 200, answer.text
    assert answer.json()["valid"] is True


def bodies() -> Iterator[tuple[str, bytes, int]]:
    yield "a large one", b'{"id": "' + b"x" * (256 * 1024) + b'"}', 413
    yield "a deep one", b'{"a": ' * 65 + b"1" + b"}" * 65, 422
    yield "a very deep one", b"[" * 100_000, 422
    yield "none", b"", 422
    yield "no JSON", b"{", 422
    yield "no object", b"[]", 422
    yield "not UTF-8", b'{"id": "\xff"}', 422
    yield "half a surrogate", b'{"id": "\\ud800"}', 422
    yield "a number without end", b'{"id": ' + b"9" * 100_000 + b"}", 422
    yield "not a number", b'{"priority": NaN, "id": "x"}', 422
    yield "a key twice", b'{"id": "limited", "id": 7}', 422


@pytest.mark.parametrize(
    ("body", "code"), [found[1:] for found in bodies()], ids=[found[0] for found in bodies()]
)
def test_a_body_beyond_every_measure_is_refused(
    admin: httpx.Client, body: bytes, code: int
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = admin.post(f"{API}/schedules", content=body, headers=headers)
    assert answer.status_code == code
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_body_that_does_not_say_how_long_it_is_has_an_end_too(admin: httpx.Client) -> None:
    def endless() -> Iterator[bytes]:
        yield b'{"id": "'
        for _ in range(64):
            yield b"x" * 65536
        yield b'"}'

    headers = {"Content-Type": "application/json"}
    answer = admin.post(f"{API}/schedules", content=endless(), headers=headers)
    assert answer.status_code == 413


def test_a_stored_row_that_cannot_be_shown_costs_itself_alone(
    admin: httpx.Client, airflow: AirflowHome
) -> None:
    far = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    with Catalog.open(airflow.catalog_url) as catalog:
        hold = catalog.holds.add("wiki", "pause_until", by="old", at=datetime.now(UTC), until=far)
        try:
            found = admin.get(f"{API}/schedules")
            assert found.status_code == 200
            shown = {each["id"]: each["protection"]["state"] for each in found.json()["schedules"]}
            assert len(shown) > 3
            for path in ("status", "metrics", "timeline", "schedules/orders"):
                assert admin.get(f"{API}/{path}").status_code == 200, path
        finally:
            catalog.holds.end(hold.id, at=datetime.now(UTC))


def test_answers_are_neither_framed_nor_guessed_nor_kept(
    admin: httpx.Client, nobody: httpx.Client
) -> None:
    for answer in (admin.get(f"{API}/status"), nobody.get(f"{API}/status")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    page = nobody.get("backup/static/main.js")
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-cache")
    assert page.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'self'" in page.headers["content-security-policy"]
    for hidden in ("sources.sha256", ".built", "../access.py", "%2e%2e/access.py"):
        assert nobody.get(f"backup/static/{hidden}").status_code in (401, 404), hidden


def test_a_description_is_text_and_no_file(admin: httpx.Client, airflow: AirflowHome) -> None:
    secret = airflow.folder / "secret.md"
    secret.write_text("the secret of the server")
    schedule = VALID | {"id": "described", "description": str(secret), "enabled": False}
    text = json.dumps({"version": 1, "schedules": [schedule]})
    from airflow_backup.dags.factory import build
    from airflow_backup.schedules.loading.loader import parse

    dag = build(parse(text).by_id()["described"])
    assert dag.doc_md is not None
    assert dag.doc_md.strip() == str(secret)


BEYOND = {
    "source": {"source": {"engine": "files", "path": "/etc"}},
    "repository": {"repository": "file:///opt/airflow/dags"},
    "verify.scratch": {"verify": {"scratch": "/opt/airflow/dags"}},
    "encryption.key_file": {
        "encryption": {
            "recipients": ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"],
            "key_file": "/root/.ssh/id_ed25519",
        }
    },
}


@pytest.mark.parametrize(("field", "more"), BEYOND.items(), ids=BEYOND)
def test_a_schedule_of_the_page_may_not_name_any_path(
    admin: httpx.Client, field: str, more: dict[str, object]
) -> None:
    definition = VALID | {"repository": "file:///var/backups/x"} | more
    saved = admin.post(f"{API}/schedules", json=definition)
    checked = admin.post(f"{API}/schedules/validate", json=definition).json()
    assert saved.status_code == 422
    assert [each["field"] for each in saved.json()["errors"]] == [field]
    assert "an administrator names folders in [backup]" in saved.json()["hint"]
    assert (checked["valid"], checked["problems"][0]["field"]) == (False, field)
