"""Programs: what they print, how they fail, and that they end."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.core.errors import Cancelled, ConfigError, EngineError, ToolMissing
from airflow_backup.core.process import process, running
from airflow_backup.core.process.commands import feed, run
from airflow_backup.core.process.process import Process
from airflow_backup.core.process.python import code_command


def test_a_program_that_fails_says_the_last_it_said() -> None:
    with pytest.raises(EngineError, match=r"sh failed with code 3: line 11") as caught:
        run(["sh", "-c", "for i in $(seq 30); do echo line $i >&2; done; exit 3"])
    assert caught.value.message.endswith("line 30")


def test_a_program_that_was_killed_says_by_what() -> None:
    with pytest.raises(EngineError, match="sh was ended by SIGKILL"):
        run(["sh", "-c", "kill -9 $$"])


def test_a_program_that_is_missing_is_named() -> None:
    with pytest.raises(ToolMissing, match="the program 'no-such-program' is not installed"):
        run(["no-such-program"])


def test_much_on_both_outputs_does_not_block() -> None:
    script = "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero | tr '\\0' '\\n' >&2"
    assert len(run(["sh", "-c", script]).output) == 3_000_000


def test_the_environment_carries_what_the_arguments_must_not() -> None:
    assert run(["sh", "-c", "echo $SECRET"], environment={"SECRET": "x"}).output == b"x\n"


def test_a_program_gets_paths_language_and_zone_of_ours_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = {"HOME": "/h", "LANG": "C.UTF-8", "LC_TIME": "C", "TZ": "UTC", "TMPDIR": "/tmp"}
    canaries = (
        "AIRFLOW__CORE__FERNET_KEY",
        "AIRFLOW_CONN_X",
        "AWS_SECRET_ACCESS_KEY",
        "PGPASSWORD",
    )
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in {**kept, "PATH": "/usr/bin:/bin"}.items():
        monkeypatch.setenv(name, value)
    for name in (*canaries, "LD_PRELOAD_X", "BASH_ENV", "PYTHONPATH", "LCD", "HOMEPATH"):
        monkeypatch.setenv(name, "canary")
    seen = run(["env"], environment={"OWN": "1"}).output.decode().splitlines()
    wanted = {**kept, "PATH": "/usr/bin:/bin", "OWN": "1"}
    assert sorted(seen) == sorted(f"{name}={value}" for name, value in wanted.items())


@pytest.mark.parametrize(
    "name",
    [
        *(
            "LD_PRELOAD",
            "LD_AUDIT",
            "DYLD_INSERT_LIBRARIES",
            "GCONV_PATH",
            "GLIBC_TUNABLES",
            "LOCPATH",
        ),
        *(
            "BASH_ENV",
            "ENV",
            "IFS",
            "PS4",
            "SHELLOPTS",
            "BASHOPTS",
            "PROMPT_COMMAND",
            "BASH_FUNC_ls%%",
        ),
        *(
            "PYTHONPATH",
            "PYTHONSTARTUP",
            "PERL5OPT",
            "PERL5LIB",
            "PERLLIB",
            "RUBYOPT",
            "NODE_OPTIONS",
        ),
        *("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH", "GIT_SSH_COMMAND"),
        *(
            "GIT_EXTERNAL_DIFF",
            "OPENSSL_CONF",
            "RSYNC_RSH",
            "DOTNET_STARTUP_HOOKS",
            "LUA_INIT",
            "PAGER",
        ),
    ],
)
def test_variables_that_steer_a_program_are_passed_on_to_none(name: str) -> None:
    with pytest.raises(ConfigError, match="is passed on to no program"):
        run(["true"], environment={name: "x"})


def test_our_own_code_in_a_process_finds_our_packages_and_nothing_of_the_folder_it_is_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.py").write_text("NAME = 'mine'\n")
    (tmp_path / "json.py").write_text("raise SystemExit('planted')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}/own{os.pathsep}.{os.pathsep}")
    code = "import json, mine, sys; print(mine.NAME, *sys.argv[1:])"
    assert run(code_command(code, "a", "b")).output == b"mine a b\n"


def is_alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{number}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()[0] != "Z"


def wait_until_gone(number: int) -> bool:
    for _ in range(200):
        if not is_alive(number):
            return True
        time.sleep(0.01)
    return False


def test_who_holds_the_pipes_of_a_program_that_ended_is_not_waited_for() -> None:
    begun = time.monotonic()
    told = run(["sh", "-c", "setsid sleep 60 & echo $!; echo done; exit 0"]).output.split()
    try:
        assert told[1] == b"done"
        assert time.monotonic() - begun < 20
    finally:
        os.kill(int(told[0]), signal.SIGKILL)


def test_a_program_that_reads_nothing_and_ends_does_not_block() -> None:
    begun = time.monotonic()
    feed(["sh", "-c", "setsid sleep 60 <&0 >/dev/null 2>&1 & exit 0"], [b"x" * 100_000] * 99)
    assert time.monotonic() - begun < 20


def test_descriptors_beyond_a_thousand_serve_too() -> None:
    with open(os.devnull) as nothing:
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if most < 1200:
            pytest.skip("this machine allows few open files")
        held = [os.dup(nothing.fileno()) for _ in range(1100)]
    try:
        assert run(["echo", "hello"]).output == b"hello\n"
    finally:
        for each in held:
            os.close(each)


def test_an_error_in_the_caller_ends_the_whole_group() -> None:
    numbers: list[int] = []

    def cancelled_half_way() -> None:
        with Process(["sh", "-c", "sleep 600 & echo $!; wait"]) as sh:
            numbers.append(int(next(sh.chunks())))
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        cancelled_half_way()
    assert wait_until_gone(numbers[0])


def test_a_program_that_ignores_the_request_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GRACE", 0.2)

    def cancelled() -> None:
        with Process(["sh", "-c", "trap '' TERM; echo ready; sleep 600 & wait; sleep 600"]) as sh:
            next(sh.chunks())
            raise Cancelled("stop")

    begun = time.monotonic()
    with pytest.raises(Cancelled):
        cancelled()
    assert time.monotonic() - begun < 10


def test_end_all_works_in_a_signal_handler_while_the_thread_waits() -> None:
    before = signal.signal(signal.SIGUSR1, lambda *given: running.end_all())
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGUSR1))
    timer.start()
    try:
        with pytest.raises(EngineError, match="sleep was ended by SIGTERM"):
            run(["sleep", "600"])
    finally:
        signal.signal(signal.SIGUSR1, before)
        timer.join()


BOUND = """
import signal, sys
from airflow_backup.core.process.process import Process
with Process(["sleep", "1000"], signal_at_our_death=signal.SIGTERM) as child:
    print(child._child.pid, flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs util-linux")
def test_a_server_of_ours_ends_when_we_are_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BOUND], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdout is not None
        server = Path(f"/proc/{int(owner.stdout.readline())}")
        deadline = time.monotonic() + 60
        while _runs(server) != "sleep" and time.monotonic() < deadline:  # it is bound to us by then
            time.sleep(0.01)
        owner.kill()
        owner.wait()
        deadline = time.monotonic() + 10
        while _lives(server) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not _lives(server)


def _runs(folder: Path) -> str:
    return (folder / "comm").read_text().strip()


def _lives(folder: Path) -> bool:
    try:
        return (folder / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


STILL = ("T", "D")
"""Stopped; or a shell that waits for its child, which was stopped before it became another program."""


def _state(number: int) -> str:
    return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]


def _wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def _counting(path: Path, *, contained: bool) -> Process:
    """A program whose child writes for ever, out of its session where it can."""
    away = "setsid" if contained else ""
    script = f"{away} sh -c 'while :; do echo x >> {path}; sleep 0.02; done' & wait"
    return Process(["sh", "-c", script], contained=contained, success_codes=range(-64, 256))


@pytest.mark.parametrize("contained", [False, True])
def test_pause_all_stops_a_program_and_what_it_started_and_resume_lets_it_go_on(
    tmp_path: Path, contained: bool
) -> None:
    path = tmp_path / "ticks"
    with _counting(path, contained=contained) as program:
        _wait_for(lambda: path.exists() and path.stat().st_size > 10)
        running.pause_all()
        time.sleep(0.1)
        size = path.stat().st_size
        time.sleep(0.5)
        assert path.stat().st_size == size
        running.resume_all()
        _wait_for(lambda: path.stat().st_size > size)
        program.end()


def test_what_stands_still_can_be_ended(tmp_path: Path) -> None:
    begun = time.monotonic()
    with Process(["sleep", "60"], success_codes=[-signal.SIGTERM]):
        running.pause_all()
        running.end_all()
    assert time.monotonic() - begun < 30


def test_nothing_new_is_started_while_all_stands_still() -> None:
    running.pause_all()
    later = threading.Timer(0.5, running.resume_all)
    later.start()
    begun = time.monotonic()
    run(["true"])
    later.join()
    assert time.monotonic() - begun >= 0.4


def test_a_program_that_is_just_being_started_stands_still_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: Any = vars(process)["launch"]
    pausing = threading.Thread(target=running.pause_all)

    def launch(*given: Any, **named: Any) -> Any:
        started = begun(*given, **named)
        pausing.start()
        pausing.join(0.3)
        return started

    monkeypatch.setattr(process, "launch", launch)
    path = tmp_path / "ticks"
    with _counting(path, contained=False) as program:
        monkeypatch.undo()
        pausing.join()
        size = path.stat().st_size if path.exists() else 0
        time.sleep(0.5)
        assert (path.stat().st_size if path.exists() else 0) == size
        running.resume_all()
        program.end()


PAUSED = """
import sys
from airflow_backup.core.process import running
from airflow_backup.core.process.process import Process
script = "trap '' TERM; echo $$; while :; do sleep 600 & sleep 0.05; done"
with Process(["sh", "-c", script]) as child:
    number = next(child.chunks()).decode().strip()
    running.pause_all()
    print(number, flush=True)
    sys.stdin.read()
"""


def test_what_stands_still_ends_when_we_are_killed() -> None:
    ours = subprocess.Popen(
        [sys.executable, "-c", PAUSED], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with ours:
        try:
            assert ours.stdout is not None
            number = int(ours.stdout.readline())
            _wait_for(lambda: _state(number) in STILL)
        finally:
            ours.kill()
            ours.wait()
        _wait_for(lambda: _members(number) == [])


def _members(group: int) -> list[int]:
    """Return the processes of a group, the zombies left out."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) == group and fields[0] != "Z":
                found.append(int(name))
    return found
