"""What is in a set is what comes back, told without a restore."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from airflow_backup.actions.restore.contents import Contents, contents, everything, in_folder
from airflow_backup.actions.restore.restore import restore
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.cli.main import main
from airflow_backup.cli.output import local
from airflow_backup.core.connections import from_environment
from airflow_backup.core.errors import ConfigError, NotFound, VerifyError
from airflow_backup.core.words import Kind
from airflow_backup.engines.command.options import CommandOptions
from airflow_backup.engines.files.chain import entries_in
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.protocol import SetReader
from airflow_backup.engines.sqlite.options import SqliteOptions
from airflow_backup.storage.open import open_storage
from support.sources import trees
from support.stored.sets import START, Clock, PlainJob, run_number, take


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    with Catalog.open("sqlite://") as catalog:
        yield catalog


@pytest.fixture
def job(tmp_path: Path) -> PlainJob:
    trees.make_tree(tmp_path / "source")
    (tmp_path / "source" / "two\nlines").write_text("odd")
    (tmp_path / "source" / os.fsdecode(b"caf\xe9")).write_text("not UTF-8")
    old = tmp_path / "source" / "old"
    old.write_text("of the year 2250")
    os.utime(old, (8_836_000_000, 8_836_000_000))
    source = FilesOptions(engine="files", path=str(tmp_path / "source"))
    return PlainJob(source, f"file://{tmp_path}/repository")


def look(job: PlainJob, choose: object, **more: object) -> Contents:
    storage = open_storage(job.repository)
    return contents(storage, Trust.of(job), choose, source=job.source, **more)  # type: ignore[arg-type]


def tree_below(folder: Path) -> dict[str, int | None]:
    """Return every path below a folder, with the bytes of files, each under the first of its names."""
    found: dict[str, int | None] = {}
    seen: set[int] = set()
    for above, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            path = Path(above, name)
            is_file = path.is_file() and not path.is_symlink()
            found[str(path.relative_to(folder))] = path.lstat().st_size if is_file else None
    for name in sorted(found, key=lambda each: each.split("/")):
        number = (folder / name).lstat().st_ino
        if number in seen:
            found[name] = None
        seen.add(number)
    return found


def test_it_is_what_a_restore_brings_back(job: PlainJob, catalog: Catalog, tmp_path: Path) -> None:
    for number, kind in enumerate((Kind.FULL, Kind.INCREMENTAL, Kind.INCREMENTAL)):
        (tmp_path / "source" / f"new-{number}").write_text("x" * number)
        take(job, catalog, run=run_number(number + 1), kind=kind)
        target = tmp_path / f"back-{number}"
        restore(
            Trust.of(job),
            repository=job.repository,
            target=target,
            connections=from_environment,
            clock=Clock(),
        )
        listed = look(job, everything()).entries
        assert {each.path: each.size for each in listed} == tree_below(target)
        assert len(listed) == len({each.path for each in listed})


def test_a_folder_has_the_sums_of_what_is_below_it(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    take(job, catalog)
    whole = tree_below(tmp_path / "source")
    for folder in ("", *(path for path in whole if (tmp_path / "source" / path).is_dir())):
        if (tmp_path / "source" / folder).is_symlink():
            continue
        found = look(job, in_folder(folder)).entries
        assert {each.name for each in found} == set(os.listdir(tmp_path / "source" / folder))
        for each in found:
            if each.kind == "folder":
                below = [size for path, size in whole.items() if path.startswith(f"{each.path}/")]
                files = sum(
                    path.startswith(f"{each.path}/")
                    and (tmp_path / "source" / path).is_file()
                    and not (tmp_path / "source" / path).is_symlink()
                    for path in whole
                )
                assert (each.size, each.files) == (sum(filter(None, below)), files), each.path


def test_a_folder_of_several_paths_is_there_though_no_set_names_it(
    tmp_path: Path, catalog: Catalog
) -> None:
    (tmp_path / "srv").mkdir()
    for name in ("one", "two"):
        trees.make_tree(tmp_path / "srv" / name)
    source = FilesOptions(
        engine="files", paths=[str(tmp_path / "srv" / name) for name in ("one", "two")]
    )
    job = PlainJob(source, f"file://{tmp_path}/repository")
    take(job, catalog)
    above = str(tmp_path / "srv").strip("/")
    (top,) = look(job, in_folder("")).entries
    assert (top.path, top.kind) == (above.split("/")[0], "folder")
    assert [each.name for each in look(job, in_folder(above)).entries] == ["one", "two"]
    sizes = tree_below(tmp_path / "srv").values()
    assert top.size == sum(size for size in sizes if size is not None)


def test_an_earlier_moment_and_an_earlier_set(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    first = take(job, catalog, run=run_number(1))
    (tmp_path / "source" / "later").write_text("later")
    take(job, catalog, run=run_number(3), kind=Kind.INCREMENTAL)
    for more in (
        {"set_id": first.set_id},
        {"at": run_number(2).at},
        {"at": run_number(2).at, "catalog": catalog},
    ):
        assert not look(job, everything("later"), **more).entries
    assert look(job, everything("later"), catalog=catalog).entries
    with pytest.raises(NotFound, match="has no set"):
        look(job, everything(), at=START)


def test_a_name_is_found_however_it_is_written(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    (tmp_path / "source" / "sub").mkdir()
    (tmp_path / "source" / "sub" / "x.pdf").write_text("x")
    take(job, catalog)
    for pattern in ("sub/x.pdf", "/sub/x.pdf", "./sub/x.pdf", "sub//*.pdf", "x.pdf", "*/x.pdf"):
        found = look(job, everything(pattern)).entries
        assert [each.path for each in found] == ["sub/x.pdf"], pattern
    assert [each.path for each in look(job, everything("sub/")).entries] == ["sub"]


@pytest.mark.parametrize(
    "line",
    [
        b"0 f0 0 1 0 0 1 644 0 0 ../x\n",
        b"0 f0 0 1 0 0 1 644 0 0 /etc\n",
        b"0 f0 0 1 0 0 1 644 0 0 a//b\n",
        b"0 f0 0 -1 0 0 1 644 0 0 a\n",
        b"0 f0 0 1%b 0 0 1 644 0 0 a\n" % (b"0" * 30),
    ],
)
def test_an_index_that_no_tree_has_is_refused(line: bytes) -> None:
    class Stored:
        def blocks(self, stream: str, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
            yield line

    with pytest.raises(VerifyError, match="the index of the set"):
        list(entries_in(cast(SetReader, Stored())))


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/New_York"])
@pytest.mark.parametrize("year", [1, 9999])
def test_a_time_at_the_end_of_the_calendar_is_shown(zone: str, year: int) -> None:
    at = datetime(year, 1 if year == 1 else 12, 1 if year == 1 else 31, 12, tzinfo=UTC)
    assert f"{year}-" in local(at, zone)


def test_no_more_than_asked_for_and_how_many_there_are(job: PlainJob, catalog: Catalog) -> None:
    take(job, catalog)
    all_of_it = look(job, everything())
    few = look(job, everything(), limit=3)
    assert (len(few.entries), few.total) == (3, all_of_it.total)
    assert few.entries == all_of_it.entries[:3]


def test_tables_where_an_engine_counts_them_and_a_word_where_it_cannot_tell(
    tmp_path: Path, catalog: Catalog
) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database, database:
        database.execute("CREATE TABLE orders (id INTEGER)")
        database.execute("CREATE TABLE clients (id INTEGER)")
        database.execute('CREATE TABLE "a/b" (id INTEGER)')
        database.executemany("INSERT INTO orders VALUES (?)", [(1,), (2,), (3,)])
    source = SqliteOptions(engine="sqlite", path=str(tmp_path / "shop.db"))
    job = PlainJob(source, f"file://{tmp_path}/repository", id="shop")
    take(job, catalog)
    found = {each.path: each.rows for each in look(job, in_folder("")).entries}
    assert found == {"orders": 3, "clients": 0, "a%2Fb": 0}

    tool = {"command": ["/bin/sh", "-c", 'echo hello > "$BACKUP_OUTPUT/a"']}
    command = CommandOptions.model_validate({"engine": "command", "workflow": tool})
    other = PlainJob(command, f"file://{tmp_path}/other", id="echo")
    take(other, catalog)
    with pytest.raises(ConfigError, match="not known before it is restored"):
        look(other, in_folder(""))


def test_the_command_prints_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    (tmp_path / "notes" / "deep").mkdir(parents=True)
    (tmp_path / "notes" / "deep" / "a.txt").write_text("abc")
    (tmp_path / "notes" / "two\nlines").write_text("odd")
    (tmp_path / "notes" / "empty").mkdir()
    (tmp_path / "schedules.yaml").write_text(
        "version: 1\nschedules:\n  - id: notes\n"
        f"    source: {{engine: files, path: {tmp_path}/notes}}\n"
        f"    repository: file://{tmp_path}/repository\n    preset: daily\n"
    )
    monkeypatch.chdir(tmp_path)
    assert main(["run", "notes", "--no-verify"]) == 0
    capsys.readouterr()
    assert main(["contents", "notes"]) == 0
    top = capsys.readouterr().out
    assert "deep/" in top
    assert "two\\nlines" in top
    assert "a.txt" not in top
    assert main(["contents", "notes", "deep", "--format", "json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)["entries"]
    assert (entry["path"], entry["kind"], entry["size"]) == ("deep/a.txt", "file", 3)
    assert main(["contents", "notes", "--find", "*.txt"]) == 0
    assert "deep/a.txt" in capsys.readouterr().out
    assert main(["contents", "notes", "--find", "*.pdf"]) == 1
    assert "nothing has such a name in set" in capsys.readouterr().out
    assert main(["contents", "notes", "nowhere"]) == 3
    assert main(["contents", "notes", "empty"]) == 0
    assert "nothing is there in set" in capsys.readouterr().out
    assert main(["contents", "notes", "deep", "--all"]) == 1
    (tmp_path / "airflow_backup.db").unlink()
    url = f"file://{tmp_path}/repository"
    assert main(["contents", "notes", "--repository", url, "--all"]) == 0
    assert "deep/a.txt" in capsys.readouterr().out
