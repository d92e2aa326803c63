"""
A built-in engine is one folder: put beside the others, it is validated, described, asked for by the page, run,
verified and restored.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib import import_module, invalidate_caches
from pathlib import Path

import pytest

from airflow_backup import engines
from airflow_backup.core.installed import engines as installed
from airflow_backup.engine import EngineCase, check_engine
from airflow_backup.engines.registry import Registry
from airflow_backup.plugin.http.routes.engines import list_engines
from airflow_backup.schedules.loading.loader import parse
from airflow_backup.schedules.schema.json_schema import json_schema
from support.page_answers import ask_forms

OPTIONS = '''
from typing import Annotated, Literal

from airflow_backup.schedules.schema.asked import asked
from airflow_backup.schedules.model.base import AbsolutePath
from airflow_backup.schedules.model.sources import EngineOptions


class KeyfileOptions(EngineOptions):
    """One file of keys."""

    engine: Literal["keyfile"]
    """Which engine reads the source."""

    file: Annotated[AbsolutePath, asked("File", example="/etc/keys")]
    """The file of keys."""
'''
ENGINE = """
import os
from pathlib import Path

from airflow_backup.core.errors import SourceError
from airflow_backup.core.words import Kind
from airflow_backup.engines.keyfile.options import KeyfileOptions
from airflow_backup.engines.protocol import DumpReport, RestoreReport
from airflow_backup.engines.shared.restore_root import open_target


class KeyfileEngine:
    name = "keyfile"
    version = "1"
    kinds = frozenset({Kind.FULL})

    def check(self, source, context):
        return [] if os.path.isfile(source.file) else [SourceError(f"no file '{source.file}'")]

    def dump(self, source, context, *, kind, parent, sink):
        try:
            data = Path(source.file).read_bytes()
        except OSError as error:
            raise SourceError(f"cannot read '{source.file}'") from error
        context.reporter.begin("reading")
        with sink.stream("keys") as stream:
            stream.write(data)
            context.reporter.advance(bytes_done=len(data))
        return DumpReport(consistent_at=context.clock(), files=1, bytes_read=len(data))

    def restore(self, chain, target, context, *, only=(), until=None):
        os.close(open_target(target))
        data = b"".join(chain[-1].blocks("keys"))
        (target / "keys").write_bytes(data)
        return RestoreReport(files=1, bytes_written=len(data))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put a folder ``keyfile`` among the engines, for as long as the test lasts."""
    place = tmp_path / "engines" / "keyfile"
    place.mkdir(parents=True)
    (place / "__init__.py").touch()
    (place / "options.py").write_text(OPTIONS)
    (place / "engine.py").write_text(ENGINE)
    monkeypatch.setattr(engines, "__path__", [*engines.__path__, str(place.parent)])
    assert engines.__spec__ is not None
    monkeypatch.setattr(engines.__spec__, "submodule_search_locations", list(engines.__path__))
    installed.built_in.cache_clear()
    invalidate_caches()
    yield
    for name in [name for name in sys.modules if name.startswith("airflow_backup.engines.keyfile")]:
        del sys.modules[name]
    engines.__dict__.pop("keyfile", None)
    installed.built_in.cache_clear()


@pytest.mark.usefixtures("folder")
def test_an_engine_of_one_folder_is_validated_and_stands_in_the_schema() -> None:
    written = (
        "version: 1\nschedules:\n  - id: keys\n    source: {engine: keyfile, fil: /etc/keys}\n"
    )
    problems = parse(written + "    repository: file:///b\n    preset: daily\n").problems
    assert any("fil" in problem.path and problem.line == 4 for problem in problems), problems
    loaded = parse(
        written.replace("fil:", "file:") + "    repository: file:///b\n    preset: daily\n"
    )
    assert loaded.problems == []
    assert (
        json_schema()["$defs"]["KeyfileOptions"]["properties"]["file"]["description"]
        == "The file of keys."
    )


@pytest.mark.usefixtures("folder")
def test_the_page_has_a_form_for_an_engine_of_one_folder() -> None:
    (found,) = (each for each in list_engines().engines if each.name == "keyfile")
    (option,) = found.options
    assert (option.key, option.label, option.example) == ("file", "File", "/etc/keys")
    given = {"id": "keys", "source": {"engine": "keyfile", "file": "/a"}}
    engines = list_engines().model_dump(mode="json")["engines"]
    (answer,) = ask_forms([given], engines)
    assert answer["again"] == given
    assert answer["form"]["source.file"] == "/a"


def test_no_source_of_the_page_names_an_engine() -> None:
    names = "|".join(installed.built_in())
    named = re.compile(rf"""["'`](?:{names})["'`]""")
    pages = [
        page
        for page in (Path(__file__).parents[3] / "ui" / "src").rglob("*.ts*")
        if ".test." not in page.name and "test" not in page.parts and page.name != "generated.ts"
    ]
    assert len(pages) > 50
    found = [
        f"{page.name}: {line.strip()}"
        for page in pages
        for line in page.read_text().splitlines()
        if named.search(line)
    ]
    # A new schedule has to begin with one.
    assert found == ['form.ts: const FIRST_ENGINE = "files";']


@pytest.mark.usefixtures("folder")
def test_an_engine_of_one_folder_keeps_the_promises_of_all(tmp_path: Path) -> None:
    source, options = (
        tmp_path / "keys",
        import_module("airflow_backup.engines.keyfile.options").KeyfileOptions,
    )
    source.write_bytes(b"first" * 100_000)
    kept = check_engine(
        EngineCase(
            engine=Registry().get("keyfile"),
            source=options(engine="keyfile", file=str(source)),
            missing=options(engine="keyfile", file=str(tmp_path / "gone")),
            state=source.read_bytes,
            restored=lambda place: (place / "keys").read_bytes(),
            change=lambda number: source.write_bytes(bytes([number]) * 400_000),
        ),
        tmp_path / "place",
    )
    assert kept
