"""The promises of an engine, one function each; whoever breaks one is told which, and what was seen."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from airflow_backup.actions.contract.case import ContractBroken, Stage
from airflow_backup.core.errors import BackupError, Cancelled, Refused, VerifyError
from airflow_backup.core.format.checksums import Bytes
from airflow_backup.core.format.manifest import MANIFEST_NAME, Manifest
from airflow_backup.core.progress import Progress, Reporter
from airflow_backup.core.words import Kind
from airflow_backup.engines.capabilities import (
    Decoder,
    FormatChecker,
    Lister,
    PartChecker,
    RestoreTester,
    StructureChecker,
)
from airflow_backup.engines.protocol import SetReader, VerificationReport

LINKS = 3
"""Incrementals or differentials on top of a full set."""


def _must(holds: object, seen: str) -> None:
    if not holds:
        raise ContractBroken(seen)


def it_is_described(stage: Stage) -> None:
    """It has a name, a version and kinds, and its options carry its name."""
    engine, source = stage.case.engine, stage.case.source
    _must(re.fullmatch(r"[a-z][a-z0-9_]*", engine.name), f"name {engine.name!r}: write a-z, 0-9, _")
    _must(isinstance(engine.version, str) and engine.version, f"version {engine.version!r}")
    _must(Kind.FULL in engine.kinds, f"kinds {sorted(engine.kinds)}: every engine takes full sets")
    _must(source.engine == engine.name, f"its options say `engine: {source.engine}`")


def its_check_finds_nothing_in_a_good_source(stage: Stage) -> None:
    """Its check finds nothing in a good source."""
    found = stage.case.engine.check(stage.case.source, stage.context())
    _must(found == [], f"check returned {found!r}")


def a_missing_source_is_a_problem_and_no_set(stage: Stage) -> None:
    """A source that is not there is returned by the check, fails the run, and fails a dump that begins all the same."""
    engine, missing = stage.case.engine, stage.case.missing
    found = engine.check(missing, stage.context())
    _must(found and all(isinstance(each, BackupError) for each in found), f"check gave {found!r}")
    before = _manifests(stage)
    for fails in (
        lambda: stage.take(source=missing),
        lambda: engine.dump(missing, stage.context(), kind=Kind.FULL, parent=None, sink=_Nowhere()),
    ):
        try:
            fails()
        except BackupError:
            _must(_manifests(stage) == before, "what failed left a set")
        else:
            raise ContractBroken("it was read without an error")


def every_set_restores_its_moment(stage: Stage) -> None:
    """A full set, and each kind on top of it, restores the state at its moment."""
    for kind in (Kind.INCREMENTAL, Kind.DIFFERENTIAL):
        if kind in stage.case.engine.kinds:
            _restores_each(stage, [Kind.FULL, *[kind] * LINKS])
    if not {Kind.INCREMENTAL, Kind.DIFFERENTIAL} & stage.case.engine.kinds:
        _restores_each(stage, [Kind.FULL, Kind.FULL])


def _restores_each(stage: Stage, kinds: Sequence[Kind]) -> None:
    moments = []
    for number, kind in enumerate(kinds):
        if number:
            stage.change()
        result = stage.take(kind)
        _must(result.kind is kind, f"asked for {kind}, it took {result.kind}: {result.reason}")
        moments.append((result, stage.case.state()))
    for number, (result, expected) in enumerate(moments, 1):
        target = stage.target()
        stage.case.engine.restore(stage.chain(result), target, stage.context())
        found = stage.case.restored(target)
        _must(
            found == expected, f"set {number} of {'+'.join(kinds)}: {found!r} is not {expected!r}"
        )


def a_target_that_holds_something_is_refused(stage: Stage) -> None:
    """A target that holds something is refused, and nothing in it is touched."""
    chain = stage.chain(stage.take())
    target = stage.target()
    target.mkdir()
    (target / "precious").write_bytes(b"keep me")
    try:
        stage.case.engine.restore(chain, target, stage.context())
    except Refused:
        left = {each.name: each.read_bytes() for each in target.iterdir() if each.is_file()}
        _must(left == {"precious": b"keep me"}, f"the folder holds {sorted(left)}")
    else:
        raise ContractBroken("it restored into a folder that holds something")


def a_damaged_set_is_never_restored(stage: Stage) -> None:
    """Where half of a piece is missing, a restore fails, or does not need it."""
    chain, expected = stage.chain(stage.take()), stage.case.state()
    failed = 0
    for piece in chain[-1].manifest.pieces:
        (path,) = stage.repository.rglob(f"{chain[-1].manifest.set_id}/{piece.name}")
        good, target = path.read_bytes(), stage.target()
        path.chmod(0o600)
        path.write_bytes(good[: len(good) // 2])
        try:
            stage.case.engine.restore(chain, target, stage.context())
        except BackupError:
            failed += 1
        else:
            _must(stage.case.restored(target) == expected, f"wrong without half of '{piece.name}'")
        finally:
            path.write_bytes(good)
    _must(failed, "it restored without any of the pieces")


def a_cancel_ends_the_dump(stage: Stage) -> None:
    """It shows progress while it reads, and what the listener raises ends it."""
    told: list[Progress] = []

    def listen(progress: Progress) -> None:
        told.append(progress)
        raise Cancelled("the contract suite cancels")

    try:
        stage.case.engine.dump(
            stage.case.source,
            stage.context(Reporter(listen, interval=0)),
            kind=Kind.FULL,
            parent=None,
            sink=_Nowhere(),
        )
    except Cancelled:
        return
    raise ContractBroken("it reported no progress" if not told else "it went on after a cancel")


def its_verifications_pass_what_is_good(stage: Stage) -> None:
    """Those verifications that it has pass a good set, with the counts of the dump."""
    result = stage.take()
    chain, engine, context = stage.chain(result), stage.case.engine, stage.context()
    if isinstance(engine, FormatChecker):
        _must(engine.check_format(chain[-1]), "check_format says nothing of what it looked at")
    if isinstance(engine, StructureChecker):
        engine.check_structure(chain)
    reports: list[VerificationReport] = []
    if isinstance(engine, Decoder):
        reports.append(engine.decode(chain, context))
    if isinstance(engine, RestoreTester):
        reports.append(engine.try_restore(chain, context))
    for report in reports:
        _must(report.inconclusive is None, f"inconclusive here: {report.inconclusive}")
        for name, count in report.counts.items():
            wanted = chain[-1].manifest.counts.get(name)
            _must(count == wanted or name in report.uncounted, f"{name}: {count}, dumped {wanted}")


def its_verifications_find_what_is_empty(stage: Stage) -> None:
    """Those verifications that it has fail a set whose streams are empty, or count something else in it."""
    manifest = stage.chain(stage.take())[-1].manifest
    empty, engine, context = _Empty(manifest), stage.case.engine, stage.context()
    tried: list[tuple[str, Callable[[], object]]] = []
    if isinstance(engine, FormatChecker):
        tried.append(("check_format", lambda: engine.check_format(empty)))
    if isinstance(engine, Decoder):
        tried.append(("decode", lambda: engine.decode([empty], context)))
    for name, ask in tried:
        try:
            found = ask()
        except VerifyError:
            continue
        if isinstance(found, VerificationReport) and found.counts != manifest.counts:
            continue  # whoever asked compares the counts
        raise ContractBroken(f"{name} passed a set whose streams are empty")


def what_it_lists_can_be_brought_back(stage: Stage) -> None:
    """What it lists of a set can be brought back alone, where it lists anything and restores parts."""
    engine = stage.case.engine
    if not (isinstance(engine, Lister) and isinstance(engine, PartChecker)):
        return
    chain, context = stage.chain(stage.take()), stage.context()
    listed = [each for each in engine.contents(chain, context) if each.kind != "unread"]
    _must(listed, "it lists nothing of a set that holds something")
    whole = [each.path for each in listed if each.kind != "table"]
    for path in {*whole[:2], *whole[-2:]}:
        engine.check_parts(chain, [path], context)


def nothing_is_left_behind(stage: Stage) -> None:
    """Nothing is left in the scratch folder."""
    left = sorted(str(each.relative_to(stage.scratch)) for each in stage.scratch.rglob("*"))
    _must(left == [], f"left in the scratch folder: {', '.join(left)}")


PROMISES = (
    it_is_described,
    its_check_finds_nothing_in_a_good_source,
    a_missing_source_is_a_problem_and_no_set,
    every_set_restores_its_moment,
    a_target_that_holds_something_is_refused,
    a_damaged_set_is_never_restored,
    a_cancel_ends_the_dump,
    its_verifications_pass_what_is_good,
    its_verifications_find_what_is_empty,
    what_it_lists_can_be_brought_back,
    nothing_is_left_behind,
)


def _manifests(stage: Stage) -> set[str]:
    return {str(path) for path in stage.repository.rglob(MANIFEST_NAME)}


class _NoStream:
    position, room = 0, 1 << 20

    def write(self, data: Bytes, /) -> None:
        self.position += len(data)


class _Nowhere:
    """A sink that keeps nothing."""

    @contextmanager
    def stream(self, name: str, *, is_index: bool = False) -> Iterator[_NoStream]:
        yield _NoStream()


class _Empty(SetReader):
    """A set whose streams hold nothing."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    def blocks(self, stream: str, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        return iter(())
