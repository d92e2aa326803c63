"""What reads the bytes of a repository in a restore, and asks no server, does so in the sandbox."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.core.connections import Connection
from airflow_backup.core.errors import EngineError
from airflow_backup.core.process import commands, sandbox
from airflow_backup.core.process.cage import Cage, apart
from airflow_backup.engines.capabilities import Decoder, RestoreTester
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.engines.registry import registry
from airflow_backup.schedules.model.schedule import Schedule
from contract.attacks.test_child_environment import source, taken

__all__ = ["source"]

pytestmark = pytest.mark.service

if not sys.platform.startswith("linux"):
    pytest.skip("only Linux has the sandbox", allow_module_level=True)

ASK_A_SERVER = ("--dbname", "--host", "-h", "--defaults-extra-file", "--socket")
"""Options of those that load what they read into a server."""

READ_NOTHING = ("--version", "-z", "-V", "version", "-w", "--help", "-L")
NO_CONTENT = {
    *("test", "ldd", "setpriv", "initdb", "mariadb-install-db", "mariadb-tzinfo-to-sql"),
    *("mariadb", "psql"),  # they speak to a server
    *("restic", "sh", "env", "zstd", "cp"),
}
_started: list[list[str]] = []
_is_looking = False


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _is_looking and event == "subprocess.Popen":
        _started.append([os.fsdecode(each) for each in arguments[1]])


sys.addaudithook(_hook)


@pytest.fixture
def looking() -> Iterator[list[list[str]]]:
    global _is_looking
    _started.clear()
    _is_looking = False
    yield _started
    _is_looking = False


def _look(*, on: bool) -> None:
    global _is_looking
    _is_looking = on


def test_every_program_that_reads_a_set_and_asks_no_server_is_in_the_sandbox(
    source: tuple[dict[str, Any], Connection], looking: list[list[str]], tmp_path: Path
) -> None:
    given, connection = source
    if given["engine"] in ("files", "sqlite", "command", "restic"):
        pytest.skip("no other program reads it; restic's speaks to its repository")
    item = Schedule.model_validate(
        {
            "id": "x",
            "source": given,
            "repository": f"file://{tmp_path}/repository",
            "preset": "daily",
        }
    )
    engine = registry().get(item.source.engine)
    context = EngineContext(connections=lambda name: connection, source=item.source)
    inside = set()
    for number, path in enumerate(taken(item, connection, engine.kinds)):
        _look(on=True)
        assert isinstance(engine, Decoder)
        assert isinstance(engine, RestoreTester)
        assert engine.decode(path, context).inconclusive is None
        report = engine.try_restore(path, context)
        if given["engine"] != "firebird":
            engine.restore(path, tmp_path / f"back-{number}", context)
        _look(on=False)
        assert {"no network", "landlock", "seccomp"} <= {*report.isolation}
    for command in looking:
        if sandbox.__file__ in command:
            inside.add(os.path.basename(command[command.index(sandbox.__file__) + 2]))
            continue
        name = os.path.basename(command[0])
        is_excused = name in NO_CONTENT or any(
            each.startswith((*ASK_A_SERVER, *READ_NOTHING)) for each in command[1:]
        )
        assert is_excused, f"outside of the sandbox: {command}"
    assert inside & {"mbstream", "pg_restore", "pg_verifybackup", "gbak", "nbackup", "mariadbd"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "given").mkdir()
    (tmp_path / "secret").write_text("canary")
    (tmp_path / "given" / "out").symlink_to(tmp_path / "secret")
    return tmp_path


def told(command: list[str], **more: Any) -> str:
    return commands.run(apart(command, **more), name=command[0]).output.decode()


def test_a_program_apart_reads_what_it_is_given_and_follows_no_link_out(folder: Path) -> None:
    given = folder / "given"
    (given / "in").write_text("content")
    assert told(["cat", str(given / "in")], read=[str(given)]) == "content"
    for path in ("out", "../secret"):
        with pytest.raises(EngineError, match="Permission denied"):
            told(["cat", str(given / path)], read=[str(given)])


def test_a_program_apart_writes_where_it_may_and_starts_nothing(folder: Path) -> None:
    given = folder / "given"
    told(["cp", "/etc/passwd", str(given / "made")], write=[str(given)])
    assert (given / "made").exists()
    with pytest.raises(EngineError, match="Permission denied"):
        told(["cp", "/etc/passwd", str(folder / "made")], write=[str(given)])
    assert not (folder / "made").exists()
    shell = shutil.which("bash") or "/bin/sh"
    command = Cage((str(given),)).command([shell, "-c", f"/usr/bin/touch {given}/ran"])
    with pytest.raises(EngineError, match="code 126"):
        commands.run(command)
    assert not (given / "ran").exists()


def test_a_program_apart_speaks_to_nobody(folder: Path) -> None:
    script = (
        "import socket\n"
        "for family, address in ((socket.AF_INET, ('127.0.0.1', {port})), (socket.AF_UNIX, {path!r})):\n"
        "    try:\n"
        "        socket.socket(family).connect(address)\n"
        "        print('came')\n"
        "    except OSError as error:\n"
        "        print(type(error).__name__)\n"
    )
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as file:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        file.bind(str(folder / "given" / "s"))
        file.listen()
        text = script.format(port=tcp.getsockname()[1], path=str(folder / "given" / "s"))
        free = commands.run([sys.executable, "-I", "-S", "-c", text]).output.decode().split()
        held = told([sys.executable, "-I", "-S", "-c", text], write=[str(folder / "given")]).split()
    assert free == ["came", "came"]
    assert held == ["PermissionError", "PermissionError"]
