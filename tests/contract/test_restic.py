"""The restic engine with the real program: receipts, retries, refusals, and what is forgotten."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.backup import attempt as attempt_module
from airflow_backup.actions.backup.backup import BackupResult, backup
from airflow_backup.actions.maintain.prune import prune
from airflow_backup.actions.restore.restore import restore
from airflow_backup.actions.sets.damage import VerifyResult
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.actions.verify.verify import Verifier
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import Connection
from airflow_backup.core.errors import (
    BackupError,
    ConfigError,
    NotFound,
    Refused,
    SourceDenied,
    SourceError,
    SourceLocked,
    ToolMissing,
    VerifyError,
)
from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.words import Kind, VerificationLevel, VerificationOutcome
from airflow_backup.engines.protocol import EngineContext, SetReader
from airflow_backup.engines.restic.engine import ResticEngine
from airflow_backup.engines.restic.options import ResticOptions
from airflow_backup.schedules.model.limits import Throttle
from airflow_backup.schedules.model.policies import Retention
from airflow_backup.schedules.model.schedule import Schedule
from support.stored.sets import START, Clock, PlainJob, run_number, stored

PASSWORD = "canary-restic-8c2"

if shutil.which("restic") is None and not os.environ.get("CI"):
    pytest.skip("restic is not installed", allow_module_level=True)
pytestmark = pytest.mark.service


@dataclass
class Place:
    """A tree, a repository of restic's, and one of ours."""

    folder: Path
    catalog: Catalog
    password: str = PASSWORD

    def connections(self, connection_id: str) -> Connection:
        return Connection(id=connection_id, type="generic", password=self.password)

    def source(self, **options: Any) -> ResticOptions:
        given = {
            "engine": "restic",
            "path": str(self.folder / "source"),
            "restic_repository": str(self.folder / "restic"),
            "connection": "restic",
            "init": True,
        }
        return ResticOptions.model_validate({**given, **options})

    def job(self, throttle: Throttle | None = None, **options: Any) -> PlainJob:
        return PlainJob(
            self.source(**options),
            f"file://{self.folder}/repository",
            id="tree",
            throttle=throttle or Throttle(),
        )

    def take(self, number: int, *, kind: Kind | None = None, **options: Any) -> BackupResult:
        return backup(
            self.job(**options),
            run_number(number),
            catalog=self.catalog,
            connections=self.connections,
            clock=Clock(START + timedelta(days=number)),
            kind=kind,
        )

    def restic(self, *arguments: str) -> bytes:
        environment = {
            **os.environ,
            "RESTIC_PASSWORD": self.password,
            "RESTIC_REPOSITORY": str(self.folder / "restic"),
        }
        return subprocess.run(
            ["restic", *arguments], env=environment, check=True, capture_output=True
        ).stdout

    def snapshots(self) -> list[str]:
        return [each["id"] for each in json.loads(self.restic("snapshots", "--json"))]

    def restore(self, target: Path, *, set_id: str | None = None, **options: Any) -> None:
        restore(
            Trust("tree", "restic"),
            repository=f"file://{self.folder}/repository",
            target=target,
            connections=self.connections,
            source=self.source(),
            clock=Clock(),
            set_id=set_id,
            **options,
        )

    def context(self) -> EngineContext:
        return EngineContext(connections=self.connections, source=self.source())


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("RESTIC_CACHE_DIR", str(tmp_path / "cache"))
    source = tmp_path / "source"
    (source / "deep" / "empty").mkdir(parents=True)
    for number in range(40):
        (source / "deep" / f"file {number}\n").write_bytes(os.urandom(3000 + number))
    os.symlink("file 1\n", source / "deep" / "link")
    (source / "plain").write_text("plain")
    (source / "plain").chmod(0o640)
    with Catalog.open("sqlite://") as catalog:
        yield Place(tmp_path, catalog)


def change(place: Place, step: int) -> None:
    source = place.folder / "source"
    (source / f"new {step}").write_bytes(os.urandom(5000))
    (source / "deep" / f"file {step}\n").unlink()
    with (source / "plain").open("a") as file:
        file.write(f" and {step}")


def facts(root: Path) -> dict[str, tuple[Any, ...]]:
    found: dict[str, tuple[Any, ...]] = {}
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = Path(folder, name)
            status = path.lstat()
            told: Any = None
            if stat.S_ISLNK(status.st_mode):
                told = os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                told = hashlib.sha256(path.read_bytes()).hexdigest()
            own = (status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, told)
            found[str(path.relative_to(root))] = own
    return found


def test_every_set_of_a_chain_restores_what_was_there(place: Place, tmp_path: Path) -> None:
    expected: dict[str, dict[str, tuple[Any, ...]]] = {}
    for step in range(1, 7):
        kind = Kind.INCREMENTAL if step > 1 else Kind.FULL
        result = place.take(step, kind=kind)
        expected[result.set_id] = facts(tmp_path / "source")
        assert result.parent is None
        regular = [each for each in expected[result.set_id].values() if stat.S_ISREG(each[0])]
        assert result.files == len(regular)
        change(place, step)
    for set_id, tree in expected.items():
        target = tmp_path / f"restored-{set_id}"
        place.restore(target, set_id=set_id)
        root = target / (tmp_path / "source").relative_to("/")
        assert facts(root) == tree


def test_only_what_changed_is_stored(place: Place) -> None:
    first, second = place.take(1), place.take(2)
    assert first.bytes_stored > 100_000
    assert second.bytes_stored < first.bytes_stored / 10
    assert second.bytes_read == first.bytes_read


def test_a_retry_forgets_the_snapshot_that_an_earlier_attempt_took(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def die(*given: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(attempt_module.Attempt, "_publish", die)
        with pytest.raises(KeyboardInterrupt):
            place.take(1)
    (earlier,) = place.snapshots()
    result = place.take(1)
    (snapshot,) = place.snapshots()
    assert snapshot != earlier, "nobody knows whether the earlier attempt could read all"
    manifest = stored(place.job(), result).manifest
    assert manifest.state["snapshot"] == snapshot
    assert result.files == 41
    assert result.bytes_read > 100_000


def test_the_password_is_nowhere(place: Place, tmp_path: Path) -> None:
    result = place.take(1)
    assert PASSWORD not in stored(place.job(), result).manifest.to_bytes().decode()
    for path in (tmp_path / "repository").rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes()


def test_a_missing_repository_is_not_made_unless_told(place: Place) -> None:
    with pytest.raises(NotFound, match="there is no restic repository at") as caught:
        place.take(1, init=False)
    assert "is its disk mounted?" in (caught.value.hint or "")
    assert not (place.folder / "restic").exists()


def test_a_wrong_password_is_denied(place: Place) -> None:
    place.take(1)
    place.password = "canary-wrong"
    with pytest.raises(
        SourceDenied, match="the password of connection 'restic' does not"
    ) as caught:
        place.take(2)
    assert caught.value.failure_class is FailureClass.PERMISSION
    assert "canary" not in str(caught.value)


def test_a_missing_source_is_a_failure_though_restic_lets_it_pass(place: Place) -> None:
    paths = [str(place.folder / "source"), str(place.folder / "gone")]
    with pytest.raises(SourceError, match=r"there is no '.*gone'"):
        place.take(1, path=None, paths=paths)
    assert place.catalog.sets.of("tree") == []


def test_whatever_is_listed_of_a_set_comes_back_alone(place: Place, tmp_path: Path) -> None:
    odd = tmp_path / "source" / "odd"
    (odd / "empty").mkdir(parents=True)
    (odd / "link").symlink_to("nowhere")
    os.mkfifo(odd / "pipe")
    (odd / "file").write_text("file")
    result = place.take(1)
    context = EngineContext(connections=place.connections, source=place.source())
    reader = stored(place.job(), result)
    listed = [
        each
        for each in ResticEngine().contents([reader], context)
        if each.path.startswith(str(odd))
    ]
    assert {each.path.removeprefix(f"{odd}"): each.kind for each in listed} == {
        "": "folder",
        "/empty": "folder",
        "/link": "link",
        "/pipe": "other",
        "/file": "file",
    }
    for number, each in enumerate(listed):
        target = tmp_path / f"back-{number}"
        place.restore(target, only=[each.path])
        assert os.path.lexists(f"{target}{each.path}"), each


def test_a_pipe_as_a_source_is_refused(place: Place, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    context = EngineContext(connections=place.connections)
    (problem,) = ResticEngine().check(place.source(path=str(tmp_path / "pipe")), context)
    assert problem.message == f"'{tmp_path}/pipe' is neither a folder nor a file"


def test_a_stale_lock_is_removed_and_a_live_one_respected(place: Place) -> None:
    place.take(1)
    with subprocess.Popen(["sleep", "600"]) as dead:
        dead.kill()
    locks = place.folder / "restic" / "locks"
    environment = {"RESTIC_PASSWORD": PASSWORD, "RESTIC_REPOSITORY": str(place.folder / "restic")}
    holder = subprocess.Popen(
        ["restic", "backup", "--stdin"],
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    try:
        _wait_for(lambda: any(locks.iterdir()))
        with pytest.raises(SourceLocked, match="is locked by somebody") as caught:
            ResticEngine().compact(
                stored(place.job(), place.take(2)).manifest,
                place.context(),
            )
        assert caught.value.failure_class is FailureClass.LOCKED
    finally:
        holder.kill()
        holder.communicate()
    assert any(locks.iterdir())  # it was killed, and its lock stayed
    manifest = stored(place.job(), place.take(3)).manifest
    ResticEngine().compact(manifest, place.context())
    assert not any(locks.iterdir())


def test_what_retention_removes_is_forgotten_there_too(place: Place) -> None:
    for number in range(1, 5):
        change(place, number)
        place.take(number)
    job = replace(place.job(), retention=Retention(last=2))
    result = prune(
        job,
        catalog=place.catalog,
        connections=place.connections,
        clock=Clock(START + timedelta(days=5)),
        actor="test",
    )
    assert len(result.removed) == 2
    rows: list[Any] = place.catalog.sets.of("tree")
    kept = {stored(job, row).manifest.state["snapshot"] for row in rows}
    assert set(place.snapshots()) == kept
    place.restic("check", "--read-data")


def test_a_full_verification_finds_damage_and_a_forgotten_snapshot(place: Place) -> None:
    engine, context = ResticEngine(), place.context()
    first = [stored(place.job(), place.take(1))]
    assert "restic check --read-data" in engine.decode(first, context).checks
    assert engine.try_restore(first, context).counts == {"files": 41}
    second = [stored(place.job(), place.take(2))]
    place.restic("forget", second[0].manifest.state["snapshot"])
    with pytest.raises(VerifyError, match="has no snapshot"):
        engine.decode(second, context)
    packs = [path for path in (place.folder / "restic" / "data").rglob("*") if path.is_file()]
    pack = max(packs, key=lambda path: path.stat().st_size)
    data = bytearray(pack.read_bytes())
    data[len(data) // 3] ^= 1
    pack.chmod(0o600)
    pack.write_bytes(data)
    with pytest.raises(VerifyError, match="restic found damage"):
        engine.decode(first, context)


def test_one_file_is_restored_alone(place: Place, tmp_path: Path) -> None:
    place.take(1)
    place.restore(tmp_path / "restored", only=[str(tmp_path / "source" / "plain")])
    found = [path for path in (tmp_path / "restored").rglob("*") if path.is_file()]
    assert [path.read_text() for path in found] == ["plain"]
    with pytest.raises(BackupError, match="nothing in the snapshot is called /no/such"):
        place.restore(tmp_path / "again", only=["/no/such"])


def test_a_missing_program_is_named(place: Place) -> None:
    with pytest.raises(ToolMissing, match="'restic-of-tomorrow' is not installed"):
        place.take(1, program="/usr/bin/restic-of-tomorrow")


def test_a_file_that_cannot_be_read_fails_the_run_or_is_listed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = place.folder / "restic-with-code-3"
    fake.write_text(
        '#!/bin/sh\nrestic "$@"; code=$?\n'
        'if [ "$1" = backup ]; then\n'
        '  echo \'{"message_type":"error","error":{"message":"permission denied"},"item":"/x"}\' >&2\n'
        "  exit 3\nfi\nexit $code\n"
    )
    fake.chmod(0o755)
    with pytest.raises(SourceDenied, match="not all could be read: /x: permission denied"):
        place.take(1, program=str(fake))
    assert place.snapshots() == []
    result = place.take(2, program=str(fake), on_unreadable="warn")
    assert list(result.warnings) == ["/x: permission denied"]
    assert stored(place.job(), result).manifest.counts == {"files": 41, "unread": 1}


def test_of_many_files_that_cannot_be_read_a_set_lists_every_one(
    place: Place, tmp_path: Path
) -> None:
    fake = place.folder / "restic-with-many"
    line = '{"message_type":"error","error":{"Op":"open","Path":"/x/$n","Err":13},"item":"/x/$n"}'
    fake.write_text(
        '#!/bin/sh\nrestic "$@"; code=$?\n[ "$1" = backup ] || exit $code\n'
        f"for n in $(seq 700) 1 2; do cat >&2 <<END\n{line}\nEND\ndone\n"
        "echo 'Warning: at least one source file could not be read' >&2\nexit 3\n"
    )
    fake.chmod(0o755)
    result = place.take(1, program=str(fake), on_unreadable="warn")
    found = stored(place.job(), result)
    assert found.manifest.counts == {"files": 41, "unread": 700}
    listed = json.loads(b"".join(found.blocks("snapshot.json")))["unread"]
    assert listed == [f"/x/{number}: permission denied" for number in range(1, 701)]
    assert len(result.warnings) == 51
    assert result.warnings[-1].startswith("650 more could not be read")
    report = ResticEngine().restore([found], tmp_path / "back", place.context())
    assert [each[:33] for each in report.warnings] == ["700 entries could not be read, an"]


def verified(place: Place, level: VerificationLevel, **options: Any) -> VerifyResult:
    job = place.job(**options)
    verifier = Verifier(
        Schedule(id=job.id, source=job.source, repository=job.repository, preset="daily"),
        catalog=place.catalog,
        connections=place.connections,
        clock=Clock(),
    )
    return verifier.verify(verifier.newest(), level)[0]


def test_the_default_verification_finds_a_snapshot_that_somebody_else_forgot(place: Place) -> None:
    result = place.take(1)
    standard = VerificationLevel.STANDARD
    assert "the snapshot is listed" in verified(place, standard).checks
    place.restic("forget", stored(place.job(), result).manifest.state["snapshot"])
    found = verified(place, standard)
    assert found.outcome is VerificationOutcome.FAILED
    assert "has no snapshot" in str(found.reason)


@pytest.mark.parametrize("level", ["standard", "full", "restore_test"])
@pytest.mark.parametrize("what", ["the program", "the disk", "the password"])
def test_what_is_missing_here_is_no_damage_of_a_snapshot(
    place: Place, what: str, level: str
) -> None:
    place.take(1)
    options = {}
    if what == "the program":
        options = {"program": "/usr/bin/restic-of-tomorrow"}
    elif what == "the disk":
        (place.folder / "restic").rename(place.folder / "elsewhere")
    else:
        place.password = "another"
    found = verified(place, VerificationLevel(level), **options)
    assert found.outcome is VerificationOutcome.INCONCLUSIVE
    (row,) = place.catalog.sets.of("tree")
    assert row.state == "good"


def _wait_for(true: Any) -> None:
    import time

    for _ in range(200):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it never came true")


def test_what_the_worker_has_of_restic_in_its_environment_steers_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = tmp_path / "made"
    for name, value in {
        "RESTIC_REPOSITORY": str(tmp_path / "elsewhere"),
        "RESTIC_PASSWORD": "wrong",
        "RESTIC_PASSWORD_COMMAND": f"touch {made}",
        "RESTIC_KEY_HINT": "00",
        "RESTIC_HOST": "elsewhere",
        "RESTIC_COMPRESSION": "none of these",
        "RESTIC_FROM_REPOSITORY": "x",
        "RCLONE_CONFIG": "/nowhere",
    }.items():
        monkeypatch.setenv(name, value)
    result = place.take(1)
    place.restore(tmp_path / "restored", set_id=result.set_id)
    source = place.folder / "source"
    assert facts(tmp_path / "restored" / str(source)[1:]) == facts(source)
    assert not made.exists()
    assert not (tmp_path / "elsewhere").exists()


def test_a_path_with_a_patterns_letters_means_itself(place: Place, tmp_path: Path) -> None:
    names = ("a[1].txt", "a1.txt", "b*c", "bxc", "back\\slash", "q?", "qq", "$HOME", "!x", "{a,b}")
    source = tmp_path / "source"
    for name in names:
        (source / name).write_text(name)
    (source / "deep" / "a1.txt").write_text("another")
    place.take(1)
    for number, name in enumerate(names):
        target = tmp_path / f"restored-{number}"
        place.restore(target, only=[str(source / name)])
        found = [path for path in target.rglob("*") if path.is_file()]
        assert [path.read_text() for path in found] == [name]


def test_a_restore_of_fewer_files_than_were_saved_is_no_success(
    place: Place, tmp_path: Path
) -> None:
    reader = stored(place.job(), place.take(1))
    fewer = Planted(reader, counts={"files": 42})
    with pytest.raises(VerifyError, match=r"restic restored 41 files, and set .* has 42"):
        ResticEngine().restore([fewer], tmp_path / "back", place.context())


@pytest.mark.parametrize(
    "address", ["rclone::sftp,ssh=reboot:/srv", "sftp:-oProxyCommand=reboot:/srv", "-r", "/a\n-o x"]
)
def test_an_address_that_a_manifest_names_is_no_option_of_a_program(
    place: Place, tmp_path: Path, address: str
) -> None:
    reader = stored(place.job(), place.take(1))
    planted = Planted(reader, state={**reader.manifest.state, "repository": address})
    with pytest.raises(Refused, match="another restic repository than the schedule's"):
        ResticEngine().decode([planted], place.context())
    with pytest.raises(ValueError, match=r"restic_repository|rclone:|sftp:"):
        place.source(restic_repository=address)


class Planted:
    """A stored set with another manifest."""

    def __init__(self, reader: SetReader, **changes: Any) -> None:
        self.manifest = reader.manifest.model_copy(update=changes)
        self.blocks = reader.blocks


def test_restic_uploads_no_faster_than_the_throttle_says(place: Place) -> None:
    (place.folder / "source" / "large").write_bytes(os.urandom(4_000_000))
    began = time.monotonic()
    place.take(1, throttle=Throttle(upload=1_000_000))
    assert (
        time.monotonic() - began > 2.5
    )  # four million bytes, less what restic lets through at first
    with pytest.raises(ConfigError, match="no limit for reading"):
        place.take(2, throttle=Throttle(read=1_000_000))
