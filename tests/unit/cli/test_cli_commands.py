"""A command line imports the one command that it names, and reads as if all were there."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_backup.cli import commands
from airflow_backup.cli.main import main, parser

FOLDER = Path(commands.__file__).parent


def of(reader: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    (group,) = (
        action for action in reader._actions if isinstance(action, argparse._SubParsersAction)
    )
    return dict(group.choices)


def test_every_module_of_a_command_is_listed() -> None:
    modules = {
        f"{path.parent.name}.{path.stem}"
        for path in FOLDER.glob("*/*.py")
        if "def add_to(" in path.read_text()
    }
    assert modules == set(commands.MODULES.values())


def test_each_module_adds_the_command_of_its_name() -> None:
    assert list(of(parser())) == list(commands.MODULES)


@pytest.mark.parametrize("name", commands.MODULES)
def test_a_command_alone_helps_as_among_all(name: str) -> None:
    alone, whole = parser(commands=[name]), parser()
    assert of(alone)[name].format_help() == of(whole)[name].format_help()
    assert alone.format_usage() == whole.format_usage()


def test_a_command_that_is_named_is_the_only_one_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from airflow_backup.cli.main import main; main(sys.argv[1:]); "
        "print(*(name for name in sys.modules if name.startswith('airflow_backup.cli.commands.')))"
    )
    (tmp_path / "schedules.yaml").write_text("version: 1\n")
    line = [sys.executable, "-c", code, "validate", str(tmp_path / "schedules.yaml")]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    names = {name.removeprefix("airflow_backup.cli.commands.") for name in done.stdout.split()}
    assert names & set(commands.MODULES.values()) == {"config.validate"}


def test_a_word_that_is_no_command_is_told_the_near_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["validat"])
    assert "no command 'validat'\nHINT: did you mean `validate`?" in capsys.readouterr().err
