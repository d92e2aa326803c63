"""The command engine with real programs: what is run, what is kept, and what never is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from airflow_backup.actions.backup.backup import BackupResult, backup
from airflow_backup.actions.restore.restore import restore
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import Connection
from airflow_backup.core.errors import (
    BackupError,
    ConfigError,
    EngineError,
    SourceError,
    VerifyError,
)
from airflow_backup.engines.capabilities import StructureChecker
from airflow_backup.engines.command.engine import CommandEngine
from airflow_backup.engines.command.options import CommandOptions
from airflow_backup.engines.protocol import SetReader
from support.stored.sets import Clock, PlainJob, run_number, stored

PROGRAM = """#!{python}
import json, os, pathlib, sys, time
told = dict(os.environ)
print(json.dumps({{"arguments": sys.argv[1:], "environment": sorted(told), "folder": os.getcwd()}}))
print("token is", told.get("API_TOKEN"), file=sys.stderr)
for argument in sys.argv[1:]:
    name, _, value = argument.partition("=")
    if name == "--write":
        pathlib.Path(told["BACKUP_OUTPUT"], value).write_text("exported " * 1000)
    if name == "--sleep":
        time.sleep(float(value))
    if name == "--print":
        print("x" * int(value))
    if name == "--exit":
        sys.exit(int(value))
"""
CANARY = "canary-5d1f0c"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "export"
    path.write_text(PROGRAM.format(python=sys.executable))
    path.chmod(0o755)
    return path


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    with Catalog.open("sqlite://") as catalog:
        yield catalog


def source(program: Path, *fixed: str, **options: Any) -> CommandOptions:
    parameters = options.pop("parameters", {})
    workflow = {"command": [str(program), *fixed], "parameters": parameters}
    return CommandOptions.model_validate({"engine": "command", "workflow": workflow, **options})


def connections(connection_id: str) -> Connection:
    return Connection(id=connection_id, type="http", password=CANARY)


def run(given: CommandOptions, catalog: Catalog, tmp_path: Path) -> tuple[PlainJob, BackupResult]:
    job = PlainJob(given, f"file://{tmp_path}/repository", id="export")
    result = backup(
        job,
        run_number(1),
        catalog=catalog,
        connections=connections,
        clock=Clock(),
        allowed_commands=[given.workflow.command[0]],
    )
    return job, result


def kept(job: PlainJob, result: BackupResult) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(b"".join(stored(job, result).blocks("result.json")))
    return found


def test_parameters_become_flags_and_the_result_is_kept(
    program: Path, catalog: Catalog, tmp_path: Path
) -> None:
    parameters = {"number": "-n", "regions": "-r", "no_purge": "--no-purge", "name": "--name="}
    given = source(
        program,
        "export",
        parameters=parameters,
        arguments={"number": 3, "regions": ["eu", "us"], "no_purge": True, "name": "-x; rm -rf /"},
    )
    job, result = run(given, catalog, tmp_path)
    facts = kept(job, result)
    told = json.loads(facts["output"])
    expected = ["-n", "3", "-r", "eu", "-r", "us", "--no-purge", "--name=-x; rm -rf /"]
    assert told["arguments"] == ["export", *expected]
    assert facts["exit_code"] == 0
    assert 0 < facts["seconds"] < 30
    assert stored(job, result).manifest.state["command"] == facts


def test_what_the_program_writes_is_stored_and_restored(
    program: Path, catalog: Catalog, tmp_path: Path
) -> None:
    outside = tmp_path / "made" / "elsewhere.csv"
    outside.parent.mkdir()
    outside.write_text("a,b\n1,2\n")
    given = source(program, "--write=orders.csv", output=[str(outside)])
    job, result = run(given, catalog, tmp_path)
    assert result.files >= 2
    target = tmp_path / "restored"
    restore(
        Trust.of(job),
        repository=job.repository,
        target=target,
        connections=connections,
        clock=Clock(),
    )
    found = {path.name: path.read_text() for path in target.rglob("*") if path.is_file()}
    assert found == {"orders.csv": "exported " * 1000, "elsewhere.csv": "a,b\n1,2\n"}


class Mixed:
    """A set whose archive says another size than its index."""

    def __init__(self, reader: SetReader) -> None:
        self.manifest, self._reader = reader.manifest, reader

    def blocks(self, stream: str, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        data = b"".join(self._reader.blocks(stream))
        yield (
            data.replace(b"21450", b"21451")[begin:end]
            if stream == "files.tar"
            else data[begin:end]
        )


def test_the_default_verification_looks_at_the_structure_of_what_was_written(
    program: Path, catalog: Catalog, tmp_path: Path
) -> None:
    job, result = run(source(program, "--write=orders.csv"), catalog, tmp_path)
    reader = stored(job, result)
    assert isinstance(CommandEngine(), StructureChecker)
    assert CommandEngine().check_structure([reader])[1].endswith("of the index against the archive")
    with pytest.raises(VerifyError):
        CommandEngine().check_structure([Mixed(reader)])


def test_without_files_what_it_printed_is_restored(
    program: Path, catalog: Catalog, tmp_path: Path
) -> None:
    job, _ = run(source(program), catalog, tmp_path)
    restore(
        Trust.of(job),
        repository=job.repository,
        target=tmp_path / "restored",
        connections=connections,
        clock=Clock(),
    )
    assert json.loads((tmp_path / "restored" / "result.json").read_text())["exit_code"] == 0


def test_the_program_gets_no_more_of_the_environment_than_it_needs(
    program: Path, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PROD", "postgres://user:password@db/prod")
    given = source(program, environment={"STAGE": "prod"}, secrets={"API_TOKEN": "api"})
    job, result = run(given, catalog, tmp_path)
    names = set(json.loads(kept(job, result)["output"])["environment"])
    assert {"STAGE", "API_TOKEN", "BACKUP_OUTPUT", "PATH"} <= names
    assert not [name for name in names if name.startswith("AIRFLOW")]


def test_a_secret_is_masked_wherever_it_could_be_kept(
    program: Path, catalog: Catalog, tmp_path: Path
) -> None:
    given = source(program, secrets={"API_TOKEN": "api"})
    job, result = run(given, catalog, tmp_path)
    assert "token is ***" in kept(job, result)["errors"]
    assert CANARY not in json.dumps(result.as_dict())
    assert CANARY not in stored(job, result).manifest.to_bytes().decode()


def test_a_failure_tells_code_and_errors_without_the_secret(
    program: Path, catalog: Catalog, tmp_path: Path
) -> None:
    given = source(program, "--exit=3", secrets={"API_TOKEN": "api"})
    with pytest.raises(EngineError, match="export failed with code 3: token is") as caught:
        run(given, catalog, tmp_path)
    assert CANARY not in str(caught.value)
    assert caught.value.__suppress_context__
    execution = catalog.executions.get("export", "run-1")
    assert execution is not None
    assert "code 3" in (execution.error or "")
    assert CANARY not in (execution.error or "")
    assert not list(tmp_path.glob("repository/export/sets/*/manifest.json"))


def test_other_codes_can_mean_success(program: Path, catalog: Catalog, tmp_path: Path) -> None:
    job, result = run(source(program, "--exit=3", success_codes=[0, 3]), catalog, tmp_path)
    assert kept(job, result)["exit_code"] == 3


def test_a_program_that_takes_too_long_is_ended(
    program: Path, catalog: Catalog, tmp_path: Path
) -> None:
    begun = time.monotonic()
    with pytest.raises(EngineError, match="ran longer than 1s and was ended"):
        run(source(program, "--sleep=60", timeout="1s"), catalog, tmp_path)
    assert time.monotonic() - begun < 20


DAEMON = """
import os, signal, sys, time
while sys.argv[1:] == ["-"]:
    time.sleep(1)
if os.fork():
    {first}
os.setsid()
if os.fork():
    os._exit(0)
{second}
while True:
    time.sleep(1)
"""
DAEMONS = {
    "holds its errors": "os.close(1)",
    "holds its output": "os.close(2)",
    "holds both": "pass",
    "holds nothing": "os.closerange(0, 100)",
    "does not listen to SIGTERM": "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
    "has forgotten its environment": "sys.argv[1:] == ['-'] or os.execve(sys.executable, [sys.executable, __file__, '-'], {})",
}


def marked(mark: str) -> list[str]:
    """Return the processes that carry the mark in their environment or their arguments."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if mark.encode() in text:
            found.append(text.decode("utf-8", "replace")[:200])
    return found


@pytest.fixture
def mark() -> str:
    return f"mark-{uuid.uuid4().hex}"


def daemon(tmp_path: Path, mark: str, first: str, second: str) -> Path:
    """Write a program that leaves a child in a session of its own."""
    path = tmp_path / f"{mark}.py"
    text = DAEMON.replace("{first}", first).replace("{second}", second)
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("second", DAEMONS.values(), ids=DAEMONS)
def test_a_timeout_holds_whatever_a_child_does(
    catalog: Catalog, tmp_path: Path, mark: str, second: str
) -> None:
    path = daemon(tmp_path, mark, "time.sleep(1000)", second)
    begun = time.monotonic()
    with pytest.raises(EngineError, match="ran longer than 2s and was ended"):
        run(source(path, timeout="2s", environment={"MARK": mark}), catalog, tmp_path)
    assert time.monotonic() - begun < 10
    assert marked(mark) == []


@pytest.mark.parametrize("second", DAEMONS.values(), ids=DAEMONS)
def test_a_child_that_stays_ends_with_its_program(
    catalog: Catalog, tmp_path: Path, mark: str, second: str
) -> None:
    path = daemon(tmp_path, mark, "time.sleep(0.2); os._exit(3)", second)
    begun = time.monotonic()
    given = source(path, timeout="60s", environment={"MARK": mark}, success_codes=[3])
    job, result = run(given, catalog, tmp_path)
    assert kept(job, result)["exit_code"] == 3
    assert time.monotonic() - begun < 10
    assert marked(mark) == []


def test_a_program_that_does_not_listen_is_ended_in_time(
    catalog: Catalog, tmp_path: Path, mark: str
) -> None:
    path = tmp_path / f"{mark}.sh"
    path.write_text("#!/bin/sh\ntrap '' TERM\nexec >&- 2>&-\nsleep 1000\nsleep 1000\n")
    path.chmod(0o755)
    begun = time.monotonic()
    with pytest.raises(EngineError, match=r"did not end in time|ran longer"):
        run(source(path, timeout="2s", environment={"MARK": mark}), catalog, tmp_path)
    assert time.monotonic() - begun < 10
    assert marked(mark) == []


ALONE = """
import sys
from airflow_backup.core.process.process import Process
with Process([sys.argv[1]], contained=True) as child:
    print("started", flush=True)
    for chunk in child.chunks():
        pass
"""


def test_all_ends_when_the_worker_is_killed(tmp_path: Path, mark: str) -> None:
    path = daemon(tmp_path, mark, "time.sleep(1000)", "pass")
    command = [sys.executable, "-c", ALONE, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"started\n"
        deadline = time.monotonic() + 10
        while len(marked(mark)) < 4 and time.monotonic() < deadline:
            time.sleep(0.05)
        worker.kill()
        worker.wait()
    deadline = time.monotonic() + 10
    while marked(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert marked(mark) == []


def test_only_the_end_of_a_long_output_is_kept(
    program: Path, catalog: Catalog, tmp_path: Path
) -> None:
    job, result = run(source(program, "--print=3000000"), catalog, tmp_path)
    facts = kept(job, result)
    assert facts["bytes_printed"] > 3_000_000
    assert len(facts["output"]) == 64 * 1024


def test_output_that_is_missing_is_a_failure(
    program: Path, catalog: Catalog, tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match="ended well and did not write"):
        run(source(program, output=["/nowhere/x.csv"]), catalog, tmp_path)


@pytest.mark.parametrize("allowed", [[], ["/usr/bin/true"]])
def test_a_program_that_nobody_allowed_is_not_run(
    program: Path, catalog: Catalog, tmp_path: Path, allowed: list[str]
) -> None:
    marker = tmp_path / "made"
    job = PlainJob(source(program, f"--write={marker}"), f"file://{tmp_path}/repository")
    with pytest.raises(ConfigError, match="is not on the list of allowed commands"):
        backup(
            job,
            run_number(1),
            catalog=catalog,
            connections=connections,
            clock=Clock(),
            allowed_commands=allowed,
        )
    assert not marker.exists()


def test_another_path_to_an_allowed_program_is_not_allowed(
    program: Path, catalog: Catalog, tmp_path: Path
) -> None:
    winding = f"{program.parent}/x/../{program.name}"
    job = PlainJob(source(Path(winding)), f"file://{tmp_path}/repository")
    with pytest.raises(BackupError, match="is not on the list"):
        backup(
            job,
            run_number(1),
            catalog=catalog,
            connections=connections,
            clock=Clock(),
            allowed_commands=[str(program)],
        )


TYPED = {"number": {"flag": "-n", "type": "integer", "required": True}}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arguments": {"x": 1}}, "the workflow takes no parameters"),
        ({"parameters": {"n": "-n"}, "arguments": {"n": "--evil"}}, "read as an option"),
        ({"parameters": {"n": "-n"}, "arguments": {"n": ["a", "-b"]}}, "read as an option"),
        ({"parameters": {"n": "rm"}}, "pattern"),
        ({"parameters": {"n": "-n x"}}, "pattern"),
        ({"parameters": TYPED}, "lacks 'number'"),
        ({"parameters": TYPED, "arguments": {"number": "3"}}, "'3' is not of type integer"),
        ({"parameters": TYPED, "arguments": {"number": True}}, "True is not of type integer"),
        ({"parameters": TYPED, "arguments": {"number": [1]}}, "one value, not a list"),
        (
            {"parameters": {"k": {"flag": "-k", "choices": ["a", "b"]}}, "arguments": {"k": "c"}},
            "'c' is not one of a, b",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_problems_of_the_schedule(
    program: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        source(program, **options)


def test_a_program_without_a_path_is_refused() -> None:
    with pytest.raises(ValidationError, match="'ls' is not an absolute path"):
        source(Path("ls"))


def test_nothing_is_left_in_the_scratch_folder(
    program: Path, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr("tempfile.tempdir", None)
    run(source(program, "--write=a"), catalog, tmp_path)
    assert os.listdir(scratch) == []
