"""What somebody else chose draws on no terminal: a name of a table, a message of a server, a word of a manifest."""

from __future__ import annotations

import argparse
import ast
import json
from pathlib import Path

import pytest

import airflow_backup.cli
from airflow_backup.cli.main import run_command
from airflow_backup.cli.output import print_json
from airflow_backup.core.errors import EngineError

EVIL = "größer \x1b[2J\x9b2J\u202e\udcff"
ACTING = ("\x1b", "\x9b", "\u202e", "\udcff")


def test_an_error_is_shown_in_its_lines_and_acts_on_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fails(arguments: argparse.Namespace) -> int:
        raise EngineError(f"the server says: {EVIL}\nand more", hint=EVIL)

    assert run_command(fails, argparse.Namespace()) == 1
    said = capsys.readouterr().err
    assert r"says: größer \x1b[2J\x9b2J\u202e\udcff" in said
    assert "\nand more\nHINT: größer" in said
    assert not any(each in said for each in ACTING)


def test_an_answer_for_programs_acts_on_nothing_and_says_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_json({"warnings": [EVIL]})
    said = capsys.readouterr().out
    assert "größer" in said
    assert not any(each in said for each in ACTING)
    assert json.loads(said) == {"warnings": [EVIL]}


def test_no_command_about_sets_prints_past_that() -> None:
    folder = Path(airflow_backup.cli.__file__).parent
    files = [folder / "main.py", folder / "executions.py", *folder.glob("commands/sets/*.py")]
    bare = [
        f"{path.name}:{node.lineno}"
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
        and any(isinstance(each, ast.JoinedStr) for each in node.args)
    ]
    assert len(files) > 10
    assert bare == []
