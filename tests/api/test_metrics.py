"""What Prometheus reads, in its own text format."""

from __future__ import annotations

import re

import httpx

API = "backup/api/v1"
LINE = re.compile(
    r'(airflow_backup_[a-z_]+)(?:\{([a-z]+="(?:[^"\\\n]|\\.)*"(?:,[a-z]+="(?:[^"\\\n]|\\.)*")*)\})? (\S+)'
)


def read(client: httpx.Client) -> tuple[dict[tuple[str, str], float], str]:
    answer = client.get(f"{API}/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found: dict[tuple[str, str], float] = {}
    for line in answer.text.splitlines():
        if line.startswith("#"):
            continue
        match = LINE.fullmatch(line)
        assert match, line
        found[match[1].removeprefix("airflow_backup_"), match[2]] = float(match[3])
    return found, answer.text


def test_every_sample_has_its_help_and_its_type(admin: httpx.Client) -> None:
    found, text = read(admin)
    for name in {name for name, _ in found}:
        assert f"# HELP airflow_backup_{name} " in text
        assert f"# TYPE airflow_backup_{name} gauge" in text


def test_the_facts_of_schedules_are_numbers(admin: httpx.Client) -> None:
    found, _ = read(admin)
    listed = {each["id"]: each for each in admin.get(f"{API}/schedules").json()["schedules"]}

    def value(name: str, schedule: str) -> float | None:
        return next(
            (
                number
                for (known, labels), number in found.items()
                if known == name and f'schedule="{schedule}"' in labels
            ),
            None,
        )

    assert value("last_run_success", "crm") == 0
    assert value("needs_attention", "crm") == 1
    assert value("last_run_success", "orders") == 1
    assert value("last_run_duration_seconds", "orders") == listed["orders"]["last_run"]["duration"]
    assert value("last_run_bytes_read", "orders") == 3_000_000
    assert value("alert_after_seconds", "wiki") == listed["wiki"]["alert_after"]
    assert any(name == "component_up" for name, _ in found)


def test_a_viewer_reads_them_and_nobody_else_does(
    viewer: httpx.Client, nobody: httpx.Client
) -> None:
    assert read(viewer)[0]
    assert nobody.get(f"{API}/metrics").status_code == 401
