"""The contract suite passes the engines that we have, and fails each engine that breaks a promise."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pytest

from airflow_backup.actions.contract.promises import PROMISES
from airflow_backup.engine import (
    AbsolutePath,
    BackupError,
    ContractBroken,
    DumpReport,
    EngineCase,
    EngineContext,
    EngineOptions,
    Kind,
    NotFound,
    RestoreReport,
    SetReader,
    Sink,
    SourceError,
    StoredEntry,
    VerificationReport,
    VerifyError,
    check_engine,
    open_target,
)
from airflow_backup.engines.files.engine import FilesEngine
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.sqlite.engine import SqliteEngine
from airflow_backup.engines.sqlite.options import SqliteOptions
from support.sources import trees


class NoteOptions(EngineOptions):
    """One file."""

    engine: Literal["note"]
    path: AbsolutePath


class NoteEngine:
    """The smallest engine that keeps every promise; what breaks one is derived from it."""

    options = NoteOptions
    name, version, kinds = "note", "1", frozenset({Kind.FULL})

    def check(self, source: NoteOptions, context: EngineContext) -> list[BackupError]:
        return [] if Path(source.path).is_file() else [SourceError(f"cannot read '{source.path}'")]

    def dump(
        self,
        source: NoteOptions,
        context: EngineContext,
        *,
        kind: Kind,
        parent: SetReader | None,
        sink: Sink,
    ) -> DumpReport:
        context.reporter.begin("reading")
        text = self.read(source)
        with sink.stream("note") as stream:
            stream.write(text)
        return DumpReport(
            consistent_at=context.clock(), files=1, bytes_read=len(text), counts={"notes": 1}
        )

    def read(self, source: NoteOptions) -> bytes:
        try:
            return Path(source.path).read_bytes()
        except OSError as error:
            raise SourceError(f"cannot read '{source.path}'") from error

    def restore(
        self,
        chain: Sequence[SetReader],
        target: Path,
        context: EngineContext,
        *,
        only: Sequence[str] = (),
        until: datetime | None = None,
    ) -> RestoreReport:
        os.close(open_target(target))
        written = (target / "note").write_bytes(b"".join(chain[-1].blocks("note")))
        return RestoreReport(files=1, bytes_written=written)

    def check_format(self, stored: SetReader) -> Sequence[str]:
        if not any(stored.blocks("note", 0, 1)):
            raise VerifyError("the note is empty")
        return ["the beginning"]

    def decode(self, chain: Sequence[SetReader], context: EngineContext) -> VerificationReport:
        if not b"".join(chain[-1].blocks("note")):
            raise VerifyError("the note is empty")
        return VerificationReport(counts={"notes": 1})


def note_case(engine: NoteEngine, folder: Path) -> EngineCase:
    path = folder / "note.txt"
    path.write_text("the first")

    def change(step: int) -> None:
        path.write_text(f"change {step}")

    return EngineCase(
        engine=engine,
        source=NoteOptions(engine="note", path=str(path)),
        missing=NoteOptions(engine="note", path=str(folder / "gone")),
        state=path.read_bytes,
        restored=lambda target: (target / "note").read_bytes(),
        change=change,
    )


def test_an_engine_that_keeps_its_promises_passes(tmp_path: Path) -> None:
    kept = check_engine(note_case(NoteEngine(), tmp_path), tmp_path / "place")
    assert len(kept) == len(PROMISES)
    assert "A target that holds something is refused, and nothing in it is touched." in kept


class WithAName(NoteEngine):
    name = "other"


class WithoutACheck(NoteEngine):
    def check(self, source: NoteOptions, context: EngineContext) -> list[BackupError]:
        return []


class Suspicious(NoteEngine):
    def check(self, source: NoteOptions, context: EngineContext) -> list[BackupError]:
        return [SourceError("it may be wrong")]


class Raising(NoteEngine):
    def check(self, source: NoteOptions, context: EngineContext) -> list[BackupError]:
        problems = super().check(source, context)
        if problems:
            raise problems[0]
        return []


class Forgiving(NoteEngine):
    def read(self, source: NoteOptions) -> bytes:
        path = Path(source.path)
        return path.read_bytes() if path.is_file() else b"there was nothing"


class Remembering(NoteEngine):
    first: bytes | None = None

    def read(self, source: NoteOptions) -> bytes:
        self.first = self.first or super().read(source)
        return self.first


class Overwriting(NoteEngine):
    def restore(
        self, chain: Sequence[SetReader], target: Path, context: EngineContext, **more: Any
    ) -> RestoreReport:
        target.mkdir(exist_ok=True)
        (target / "note").write_bytes(b"".join(chain[-1].blocks("note")))
        return RestoreReport(files=1, bytes_written=1)


class Tolerant(NoteEngine):
    def restore(
        self, chain: Sequence[SetReader], target: Path, context: EngineContext, **more: Any
    ) -> RestoreReport:
        os.close(open_target(target))
        try:
            text = b"".join(chain[-1].blocks("note"))
        except BackupError:
            text = b""
        (target / "note").write_bytes(text)
        return RestoreReport(files=1, bytes_written=len(text))


class Silent(NoteEngine):
    def dump(
        self,
        source: NoteOptions,
        context: EngineContext,
        *,
        kind: Kind,
        parent: SetReader | None,
        sink: Sink,
    ) -> DumpReport:
        text = self.read(source)
        with sink.stream("note") as stream:
            stream.write(text)
        return DumpReport(consistent_at=context.clock(), files=1, bytes_read=len(text))


class Miscounting(NoteEngine):
    def decode(self, chain: Sequence[SetReader], context: EngineContext) -> VerificationReport:
        super().decode(chain, context)
        return VerificationReport(counts={"notes": 2})


class Trusting(NoteEngine):
    def check_format(self, stored: SetReader) -> Sequence[str]:
        return ["nothing"]


class Untidy(NoteEngine):
    def decode(self, chain: Sequence[SetReader], context: EngineContext) -> VerificationReport:
        (context.scratch / "copy").write_bytes(b"")
        return super().decode(chain, context)


class Inventive(NoteEngine):
    def contents(self, chain: Sequence[SetReader], context: EngineContext) -> Iterator[StoredEntry]:
        yield StoredEntry("what nobody stored", "file", 1)

    def check_parts(
        self, chain: Sequence[SetReader], only: Sequence[str], context: EngineContext
    ) -> None:
        if list(only) != ["note"]:
            raise NotFound(f"there is no {only[0]}")


@pytest.mark.parametrize(
    ("engine", "seen"),
    [
        (WithAName, "its options say `engine: note`"),
        (WithoutACheck, "returned by the check.*check gave"),
        (Suspicious, "finds nothing in a good source. Not so: check returned"),
        (Raising, "returned by the check.*SourceError"),
        (Forgiving, "Not so: it was read without an error"),
        (Remembering, "restores the state at its moment. Not so: set 2 of full"),
        (Overwriting, "it restored into a folder that holds something"),
        (Tolerant, "wrong without half of 'note"),
        (Silent, "it reported no progress"),
        (Miscounting, "notes: 2, dumped 1"),
        (Trusting, "check_format passed a set whose streams are empty"),
        (Inventive, "can be brought back alone.*NotFound: there is no what nobody stored"),
        (Untidy, "left in the scratch folder: copy"),
    ],
)
def test_an_engine_that_breaks_a_promise_is_told_which_one(
    engine: type[NoteEngine], seen: str, tmp_path: Path
) -> None:
    with pytest.raises(ContractBroken, match=seen):
        check_engine(note_case(engine(), tmp_path), tmp_path / "place")


def files_case(folder: Path) -> Iterator[EngineCase]:
    root = folder / "source"
    trees.make_tree(root)
    yield EngineCase(
        engine=FilesEngine(),
        source=FilesOptions(engine="files", path=str(root)),
        missing=FilesOptions(engine="files", path=str(folder / "gone")),
        state=lambda: trees.tree_at(root),
        restored=trees.tree_at,
        change=lambda step: trees.change_tree(root, step),
    )


def sqlite_case(folder: Path) -> Iterator[EngineCase]:
    path = folder / "orders.sqlite"

    def run(statement: str, where: Path = path) -> list[Any]:
        with closing(sqlite3.connect(where)) as connection, connection:
            return connection.execute(statement).fetchall()

    run("CREATE TABLE moves (note)")
    run("INSERT INTO moves VALUES ('first')")

    def change(step: int) -> None:
        run(f"INSERT INTO moves VALUES ('{step}')")

    yield EngineCase(
        engine=SqliteEngine(),
        source=SqliteOptions(engine="sqlite", path=str(path)),
        missing=SqliteOptions(engine="sqlite", path=str(folder / "gone.sqlite")),
        state=lambda: run("SELECT * FROM moves ORDER BY 1"),
        restored=lambda target: run("SELECT * FROM moves ORDER BY 1", target / "orders.sqlite"),
        change=change,
    )


@pytest.mark.parametrize("make", [files_case, sqlite_case])
def test_the_engines_that_come_with_the_package_keep_every_promise(
    make: Callable[[Path], Iterator[EngineCase]], tmp_path: Path
) -> None:
    for case in make(tmp_path):
        assert len(check_engine(case, tmp_path / "place")) == len(PROMISES)
