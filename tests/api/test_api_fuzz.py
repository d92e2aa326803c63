"""
Generated requests of every operation, as everybody: no server error, and no answer that is not documented.

FUZZ_EXAMPLES=200 asks as much of each operation and role; the default is for every day.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from support.airflow.home import ROLES, AirflowHome

pytestmark = [pytest.mark.service, pytest.mark.slow(minutes=3)]

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "5"))
HOOKS = Path(__file__).parents[1] / "support"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("role", [*ROLES, "nobody"])
def test_no_request_breaks_the_api_or_is_answered_as_nobody_said(
    airflow: AirflowHome, admin: httpx.Client, tmp_path: Path, role: str
) -> None:
    described = admin.get("backup/api/v1/openapi.json").json()
    del described["paths"][
        "/api/v1/events/stream"
    ]  # it ends when its reader goes; test_events.py reads it
    (tmp_path / "openapi.json").write_text(json.dumps(described))
    header = [] if role == "nobody" else ["-H", f"Authorization: Bearer {airflow.token(role)}"]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", "openapi.json"),
            *("-u", f"{airflow.api_url}backup", "-n", str(EXAMPLES), "-c", ",".join(CHECKS)),
            *("--phases", "examples,coverage,fuzzing,stateful", "--continue-on-failure"),
            *("--seed", "7", "--warnings", "off", "--request-timeout", "60", *header),
        ],
        cwd=tmp_path,
        env=os.environ | {"SCHEMATHESIS_HOOKS": "fuzz_hooks", "PYTHONPATH": str(HOOKS)},
        capture_output=True,
        text=True,
        check=False,
    )
    (tmp_path / "answers.txt").write_text(done.stdout)  # what docs/security.md says comes from here
    summary = done.stdout[done.stdout.rfind("= SUMMARY =") :]
    assert done.returncode == 0, f"{_short(done.stdout)[-6000:]}\n{done.stderr[-2000:]}"
    (tested,) = re.findall(r"Tested: (\d+)", summary)
    assert int(tested) == sum(len(verbs) for verbs in described["paths"].values())
    (links,) = re.findall(r"API Links: .*?(\d+) selected", done.stdout)
    assert int(links) >= 41, "answers lead to no further requests: the stateful phase asks nothing"


def _short(text: str) -> str:
    return "\n".join(line[:300] for line in text.splitlines())
