"""What a schedule that was made on the page may run, and what it may tell that program."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from airflow_backup.schedules.model.notify import NOTIFIERS
from airflow_backup.schedules.model.programs import not_allowed, notifiers_not_allowed
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


def told(notifier: str, **options: Any) -> Schedule:
    to = {"notifier": notifier, "options": options}
    return Schedule.model_validate(
        {
            "id": "x",
            "source": {"engine": "files", "path": "/srv"},
            "repository": "file:///r",
            "preset": "daily",
            "notify": [{"to": to}],
        }
    )


SMTP = "airflow.providers.smtp.notifications.smtp.SmtpNotifier"
READS_FILES = {
    "an attachment": told("smtp", to="eve@example.org", files=["/opt/airflow/airflow.cfg"]),
    "a template": told("smtp", to="eve@example.org", template="/opt/airflow/airflow.cfg"),
    "another connection": told("slack", slack_conn_id="other"),
    "a proxy": told("slack_webhook", proxy="http://127.0.0.1:1"),
    "a class": told(SMTP, to="eve@example.org", files=["/opt/airflow/airflow.cfg"]),
}


@pytest.mark.parametrize("refused", READS_FILES.values(), ids=READS_FILES)
def test_a_notifier_of_the_page_reads_no_file_and_names_no_other_connection(
    refused: Schedule,
) -> None:
    (found,) = notifiers_not_allowed(refused, ALLOWED)
    assert found.key == "notify"
    assert (
        list(notifiers_not_allowed(refused, [*ALLOWED, "smtp", "slack", "slack_webhook", SMTP]))
        == []
    )


def test_a_notifier_of_the_page_may_say_whom_and_what() -> None:
    fine = told("smtp", to=["ops@example.org"], subject="{title}", html_content="{html}")
    assert list(notifiers_not_allowed(fine, [])) == []


@pytest.mark.parametrize("name", NOTIFIERS)
def test_every_notifier_with_a_short_name_may_be_used_on_the_page(name: str) -> None:
    assert list(notifiers_not_allowed(told(name), [])) == []
