"""Every template is a schedules file that the shell accepts, and says something a person can use."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_backup.cli.main import main
from airflow_backup.core.errors import ConfigError
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.templates.templates import Template, read_template, templates

FOLDER = Path(__file__).parents[3] / "schedules" / "templates"


def test_there_is_one_for_each_of_the_usual_sources() -> None:
    assert {template.definition["source"]["engine"] for template in templates()} == {
        *("postgres", "mysql", "files", "sqlite", "airflow", "restic"),
    }
    assert {template.name for template in templates()} == {
        path.stem for path in FOLDER.glob("*.yaml")
    }


@pytest.mark.parametrize("template", templates(), ids=lambda template: template.name)
def test_a_template_is_right_and_keeps_and_watches_what_it_stores(
    template: Template, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "schedules.yaml").write_text(template.text)
    assert main(["validate", str(tmp_path / "schedules.yaml")]) == 0, capsys.readouterr().out
    schedule = Schedule.model_validate(template.definition)
    assert schedule.definition() == template.definition
    assert schedule.retention is not None
    assert schedule.rpo is not None
    assert template.title[0].isupper()
    assert not template.title.endswith(".")
    assert template.summary.endswith(".")
    assert len(template.summary) < 140


def test_a_template_that_is_wrong_says_where(tmp_path: Path) -> None:
    (tmp_path / "odd.yaml").write_text("# Odd\n# One.\nversion: 2\nschedules: []\n")
    with pytest.raises(ConfigError, match=r"odd\.yaml:3:10: version: version 2 is not known"):
        read_template(tmp_path / "odd.yaml")
    (tmp_path / "two.yaml").write_text("# None\n# At all.\nversion: 1\nschedules: []\n")
    with pytest.raises(ConfigError, match=r"two\.yaml is not one schedule"):
        read_template(tmp_path / "two.yaml")
