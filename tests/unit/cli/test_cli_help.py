"""`airflow-backup help`: pages by short names, and what failures lead to."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_backup.cli import exit_codes
from airflow_backup.cli.main import main, run_command
from airflow_backup.core.errors import BackupError, ConfigError, StorageFull
from airflow_backup.core.installed.topics import topics


def test_topics_are_listed_with_their_titles(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help"]) == exit_codes.DONE
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["TOPIC", "WHAT"]
    assert [line for line in lines if line.split() == ["storage", "Where", "sets", "lie"]]


def test_a_page_is_shown_with_topics_in_place_of_links(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "troubleshooting"]) == exit_codes.DONE
    shown = capsys.readouterr().out
    assert shown.startswith("# Troubleshooting\n")
    assert "](" not in shown
    assert "privileges (airflow-backup help privileges)" in shown


def test_a_class_of_failures_is_a_topic(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "space"]) == exit_codes.DONE
    shown = capsys.readouterr().out
    assert shown.startswith("# no room is left\n")
    assert "# it is not there" not in shown


def test_a_command_is_a_topic_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "prune"]) == exit_codes.DONE
    assert capsys.readouterr().out.startswith("usage: airflow-backup prune")


@pytest.mark.parametrize(
    ("word", "hint"),
    [("storrage", "did you mean `storage`?"), ("zzz", "all of them: airflow-backup help")],
)
def test_a_topic_that_is_not_there_names_the_nearest(
    word: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["help", word]) == exit_codes.NOT_FOUND
    assert capsys.readouterr().err == f"airflow-backup: no topic '{word}'\nHINT: {hint}\n"


@pytest.mark.parametrize(
    ("error", "more"),
    [
        (StorageFull("no room", hint="df -h"), "MORE: airflow-backup help space\n"),
        (ConfigError("wrong"), ""),
    ],
)
def test_a_failure_says_where_there_is_more(
    error: BackupError, more: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(arguments: object) -> int:
        raise error

    assert run_command(fail, None) == exit_codes.BAD  # type: ignore[arg-type]  # it looks at none
    assert capsys.readouterr().err == f"airflow-backup: {error}\n{more}"


def test_a_package_without_pages_has_no_topics(tmp_path: Path) -> None:
    assert topics(tmp_path) == {}
