"""What a schedule that was made on the page may run, and what it may tell that program."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from airflow_backup.schedules.model.programs import not_allowed
from airflow_backup.schedules.model.schedule import Schedule

ALLOWED = ["/opt/erp/export with EXPORT_MODE API_TOKEN", "/opt/other with OTHER", "/opt/pg/bin"]


def schedule(**source: Any) -> Schedule:
    return Schedule.model_validate(
        {"id": "x", "source": source, "repository": "file:///r", "preset": "daily"}
    )


def command(program: str = "/opt/erp/export", **more: Any) -> Schedule:
    return schedule(engine="command", workflow={"command": [program]}, **more)


@pytest.mark.parametrize(
    "fine",
    [
        command(),
        command(environment={"EXPORT_MODE": "full"}, secrets={"API_TOKEN": "c"}),
        schedule(engine="postgres", connection="c", tools="/opt/pg/bin"),
        schedule(engine="files", path="/srv"),
    ],
)
def test_what_an_administrator_named_is_allowed(fine: Schedule) -> None:
    assert list(not_allowed(fine, ALLOWED)) == []


@pytest.mark.parametrize(
    ("refused", "key", "message"),
    [
        (command("/bin/sh"), "source.workflow", "'/bin/sh' is not on the list"),
        (command("/opt/erp/../erp/export"), "source.workflow", "is not on the list"),
        (command("/opt/pg/bin/psql"), "source.workflow", "is not on the list"),
        (command(environment={"OTHER": "x"}), "source.environment", "'OTHER' is not declared"),
        (command(environment={"PATH": "/srv"}), "source.environment", "'PATH' is not declared"),
        (command(secrets={"HOME": "c"}), "source.environment", "'HOME' is not declared"),
        (
            schedule(engine="postgres", connection="c", tools="/opt/pg"),
            "source.tools",
            "'/opt/pg' is not on the list",
        ),
    ],
)
def test_what_no_administrator_named_is_not(refused: Schedule, key: str, message: str) -> None:
    (found,) = not_allowed(refused, ALLOWED)
    assert found.key == key
    assert message in found.message


@pytest.mark.parametrize(
    "name", ["LD_PRELOAD", "BASH_ENV", "PYTHONPATH", "GIT_SSH", "IFS", "NODE_OPTIONS"]
)
@pytest.mark.parametrize("where", ["environment", "secrets"])
def test_what_steers_a_loader_or_an_interpreter_is_refused_in_files_too(
    name: str, where: str
) -> None:
    with pytest.raises(
        ValidationError, match=f"'{name}' would make the program run something else"
    ):
        schedule(engine="command", workflow={"command": ["/bin/x"]}, **{where: {name: "x"}})
