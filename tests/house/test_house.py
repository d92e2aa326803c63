"""The house rules that no other tool holds: every room is linked, checked and has one name."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest

from support.coverage_by_room import WHOLE

ROOT = Path(__file__).parents[2]
ROOMS = sorted(
    path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name != "tests"
)
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]


def test_the_rooms_are_those_of_the_map() -> None:
    rooms = {"core", "schedules", "engines", "storage", "catalog"}
    rooms |= {"actions", "operators", "dags", "plugin", "cli"}
    assert set(ROOMS) == rooms


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_is_linked_into_the_package(room: str) -> None:
    link = ROOT / "src" / "airflow_backup" / room
    assert link.is_symlink()
    assert link.resolve() == ROOT / room


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_is_checked_and_named_once(room: str) -> None:
    assert f"src/airflow_backup/{room}" in CONFIG["pyright"]["include"]
    assert room in CONFIG["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"]
    layers = " ".join(CONFIG["importlinter"]["contracts"][0]["layers"]).replace("|", " ").split()
    assert room in layers


@pytest.mark.parametrize("room", ROOMS)
def test_a_module_has_300_lines_at_most_and_a_folder_15_modules(room: str) -> None:
    folders: dict[Path, int] = {}
    for module in (ROOT / room).rglob("*.py"):
        lines = len(module.read_text().splitlines())
        assert lines <= 300, f"{module.relative_to(ROOT)} has {lines} lines"
        if module.name != "__init__.py":
            folders[module.parent] = folders.get(module.parent, 0) + 1
    assert max(folders.values()) <= 15, folders


TEXTS = (".js", ".mjs", ".md", ".py", ".sh", ".toml", ".ts", ".tsx", ".yaml", ".yml", "")
MADE = re.compile(
    r"CHANGELOG|changelog\.d/|openapi|generated\.ts|golden/|LICENSE|/results\.md|api/many\.md|foreign/|requirements/"
)
"""What programs and releases write, and what a test holds as somebody else has written it."""


def long_lines(path: Path) -> list[int]:
    """Return the numbers of the lines of more than 120 characters that could be shorter."""
    # A row of a table cannot be broken; what is copied from a page, and the data of a test, are one thing each.
    is_page, is_data = (
        path.suffix == ".md",
        path.relative_to(ROOT).parts[0] in ("tests", "benchmarks"),
    )
    found, in_block = [], False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        in_block ^= is_page and line.lstrip().startswith("```")
        is_one = (
            line.startswith("|")
            or (is_page and in_block)
            or (is_data and re.search("[\"'`]", line))
        )
        if len(line) > 120 and not is_one:
            found.append(number)
    return found


def test_no_line_has_more_than_120_characters() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    texts = [name for name in tracked if Path(name).suffix in TEXTS and not MADE.search(name)]
    assert {
        name: found
        for name in texts
        if (ROOT / name).is_file() and (found := long_lines(ROOT / name))
    } == {}


def test_no_module_was_imported_under_a_second_name() -> None:
    assert not {name for name in sys.modules if name.split(".")[0] in ROOMS}


def test_the_shell_does_not_import_airflow() -> None:
    code = (
        "import sys; from airflow_backup.cli.main import parser; parser(); "
        "print([name for name in sys.modules if name.split('.')[0] in ('airflow', 'sqlalchemy')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_nothing_committed_names_a_registry_or_a_lock_file_that_would() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split("\n")
    assert "uv.lock" not in tracked
    for path in (ROOT / "requirements").glob("*.txt"):
        assert "://" not in path.read_text(), path
    lock = ROOT / "ui" / "package-lock.json"
    found = lock.read_text() if lock.exists() else ""
    assert '"resolved"' not in found
    assert not re.search(r"://[^\"]+\.(?:tgz|tar\.gz|whl)", found)


def test_every_python_that_is_started_leaves_the_working_folder_out_of_its_path() -> None:
    # Somebody restores as root in a folder that others may write to: a json.py there would be run.
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            for line in path.read_text().splitlines():
                if "sys.executable," in line:
                    assert re.search(r'sys\.executable, "-[PI]"', line), f"{path}: {line.strip()}"


STARTERS = {
    "subprocess",
    "multiprocessing",
    "pty",
    "_posixsubprocess",
    "concurrent.futures.process",
}
STARTS = re.compile(
    r"os\.(system|popen|fork|forkpty|posix_spawnp?|(exec|spawn)[lv]p?e?)|ProcessPoolExecutor"
    r"|create_subprocess_(exec|shell)|subprocess_(exec|shell)"
)


def starters_in(code: str) -> list[str]:
    """Return what of a module can start a process."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found += [each.name for each in node.names if each.name in STARTERS]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{each.name}" for each in node.names]
            found += [name for name in names if STARTS.search(name)]
            found += [node.module] if node.module in STARTERS else []
        elif isinstance(node, ast.Attribute) and STARTS.search(ast.unparse(node)):
            found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize(
    "code",
    [
        *("import subprocess", "from subprocess import PIPE", "import os\nos.execve('x', [], {})"),
        *("from os import posix_spawn", "import multiprocessing", "os.system('x')"),
        *(
            "asyncio.create_subprocess_exec('x')",
            "from concurrent.futures import ProcessPoolExecutor",
        ),
    ],
)
def test_what_starts_a_process_is_seen(code: str) -> None:
    assert starters_in(code)


def test_processes_are_started_in_one_place() -> None:
    # Only there is the environment clean: what else is started has Airflow's keys in it.
    place = ROOT / "core" / "process"
    found = {
        str(path.relative_to(ROOT)): starters_in(path.read_text())
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if place not in path.parents
    }
    assert {path: names for path, names in found.items() if names} == {}


def test_the_time_is_asked_for_in_one_place() -> None:
    found = {
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".now", ".utcnow"))
    }
    assert found == {"core/clock.py"}


def test_no_module_imports_what_imports_it_inside_a_function_either() -> None:
    # import-linter looks at rooms beside each other; a room and one of its modules are none.
    graph = grimp.build_graph("airflow_backup", cache_dir=None)
    left = {name: set(graph.find_modules_directly_imported_by(name)) for name in graph.modules}
    while ends := {name for name, imported in left.items() if not imported & left.keys()}:
        left = {name: imported for name, imported in left.items() if name not in ends}
    assert sorted(left) == [], "these, and what imports them, are in a circle"


def test_no_message_of_ours_is_read_again() -> None:
    # What is to be told apart has a class of its own; only programs and databases say it in words.
    ours = ("actions", "cli", "dags", "operators", "plugin")
    said = re.compile(
        r"""["'] (?:not )?in \w+\.message|\.message\.(?:starts|ends)with|reasons\[0\]\."""
    )
    found = {
        str(path.relative_to(ROOT))
        for room in ours
        for path in (ROOT / room).rglob("*.py")
        if said.search(path.read_text())
    }
    assert found == set()


def test_an_ability_of_an_engine_is_a_protocol() -> None:
    asked = re.compile(r"(?:get|has)attr\(\s*(?:\w+\.)*_?engine\b")
    found = [
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if asked.search(path.read_text())
    ]
    assert found == []


def test_what_must_be_covered_whole_is_there() -> None:
    # A module that was renamed would be left out of the measurement without a word.
    assert [name for name in WHOLE if not (ROOT / name).is_file()] == []
    rules = {
        f"catalog/rules/{path.name}" for path in (ROOT / "catalog" / "rules").glob("[a-z]*.py")
    }
    assert rules - set(WHOLE) == {"catalog/rules/upstreams.py"}, "is it one that may lose data?"


def test_the_map_in_the_docs_is_what_the_imports_say() -> None:
    done = subprocess.run([sys.executable, "scripts/draw_map.py", "--check"], cwd=ROOT, check=False)
    assert done.returncode == 0, "run scripts/draw_map.py"


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    deptry = Path(sys.executable).parent / "deptry"
    rooms = [*ROOMS, "src/airflow_backup"]
    done = subprocess.run([deptry, *rooms], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_changes_of_the_next_release_can_be_joined(tmp_path: Path) -> None:
    kinds = {kind["directory"] for kind in CONFIG["towncrier"]["type"]}
    for path in (ROOT / "changelog.d").glob("*.md"):
        if path.name not in ("README.md", "template.md"):
            assert path.suffixes[-2].removeprefix(".") in kinds, f"{path.name}: a kind of {kinds}"
    for name in ("pyproject.toml", "CHANGELOG.md"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    shutil.copytree(ROOT / "changelog.d", tmp_path / "changelog.d")
    (tmp_path / "changelog.d" / "+of-a-test.mended.md").write_text("A sentence *of the test*.")
    said = subprocess.run(
        [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "99.0"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "## 99.0 (" in said
    assert "**Mended**\n\n" in said
    assert "\n- A sentence *of the test*.\n" in said
    assert "<!-- releases, the newest first -->\n" in (ROOT / "CHANGELOG.md").read_text()
