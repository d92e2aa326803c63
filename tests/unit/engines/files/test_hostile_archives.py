"""An archive that somebody made to write outside the target, or to break the reader."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_backup.core.errors import BackupError, VerifyError
from airflow_backup.core.format.codec import FrameCompressor, decompress
from airflow_backup.core.progress import Reporter
from airflow_backup.engines.files.helpers import helpers as files_helpers
from airflow_backup.engines.files.restore import restore_archive, restore_members
from airflow_backup.engines.files.tar.reader import TarReader


def member(name: str, kind: bytes = tarfile.REGTYPE, **more: object) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type = kind
    for key, value in more.items():
        setattr(found, key, value)
    return found


def archive(*members: tarfile.TarInfo) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for each in members:
            content = b"evil" if each.isreg() else b""
            each.size = len(content)
            tar.addfile(each, io.BytesIO(content))
    return out.getvalue()


def unpack(data: bytes, target: Path) -> None:
    restore_archive(iter([data]), target, Reporter())


LINK = tarfile.SYMTYPE
HARD = tarfile.LNKTYPE
HOSTILE: dict[str, Callable[[Path], bytes]] = {
    "up": lambda outside: archive(member("../evil")),
    "up in the middle": lambda outside: archive(member("a/../../evil")),
    "up at the end": lambda outside: archive(member("a/..", tarfile.DIRTYPE)),
    "absolute": lambda outside: archive(member(f"{outside}/evil")),
    "two slashes": lambda outside: archive(member(f"/{outside}/evil")),
    "dot": lambda outside: archive(member("./../evil")),
    "empty segment": lambda outside: archive(member("a//evil")),
    "folder up": lambda outside: archive(member("../evil", tarfile.DIRTYPE)),
    "link up": lambda outside: archive(member("../evil", LINK, linkname="x")),
    "fifo up": lambda outside: archive(member("../evil", tarfile.FIFOTYPE)),
    "through a link": lambda outside: archive(
        member("a", LINK, linkname=str(outside)), member("a/evil")
    ),
    "through a relative link": lambda outside: archive(
        member("a", LINK, linkname="../outside"), member("a/evil")
    ),
    "folder through a link": lambda outside: archive(
        member("a", LINK, linkname=str(outside)), member("a/evil", tarfile.DIRTYPE)
    ),
    "folder over a link": lambda outside: archive(
        member("a", LINK, linkname=str(outside)), member("a", tarfile.DIRTYPE), member("a/evil")
    ),
    "file over a link": lambda outside: archive(
        member("a", LINK, linkname=f"{outside}/evil"), member("a")
    ),
    "link to a link": lambda outside: archive(
        member("a", LINK, linkname="b"),
        member("b", LINK, linkname=str(outside)),
        member("a/evil"),
    ),
    "hard link out": lambda outside: archive(
        member("a", HARD, linkname=f"{outside}/precious"), member("a")
    ),
    "hard link up": lambda outside: archive(member("a", HARD, linkname="../outside/precious")),
    "hard link through a link": lambda outside: archive(
        member("a", LINK, linkname=str(outside)), member("b", HARD, linkname="a/precious")
    ),
    "hard link to nothing": lambda outside: archive(member("a", HARD, linkname="nowhere")),
    "twice": lambda outside: archive(member("a"), member("a")),
    "file as folder": lambda outside: archive(member("a"), member("a/evil")),
    "link over a folder": lambda outside: archive(
        member("a", tarfile.DIRTYPE), member("a", LINK, linkname=str(outside)), member("a/evil")
    ),
    "cut": lambda outside: archive(member("a"))[:700],
    "no end": lambda outside: archive(member("a"))[:1024],
    "garbage": lambda outside: b"\xff" * 2048,
    "wrong checksum": lambda outside: b"b" + archive(member("a"))[1:],
    "huge pax header": lambda outside: _pax(b"99999999999 path=x\n"),
    "endless pax record": lambda outside: _pax(b"0 path=x\n"),
    "pax path up": lambda outside: _pax(b"16 path=../evil\n") + archive(member("a")),
    "fifo over a file": lambda outside: archive(member("a"), member("a", tarfile.FIFOTYPE)),
    "fifo over a link": lambda outside: archive(
        member("a", LINK, linkname=f"{outside}/precious"), member("a", tarfile.FIFOTYPE)
    ),
    "hard link over a file": lambda outside: archive(
        member("b"), member("a"), member("a", HARD, linkname="b")
    ),
    "hard link to itself": lambda outside: archive(member("a", HARD, linkname="a")),
    "name of 5,000 letters": lambda outside: archive(member("x" * 5000)),
    "name with a zero byte": lambda outside: _records(path=b"a\0b") + archive(member("a")),
    "size of 8 GiB that is not there": lambda outside: _with_size(b"77777777777\0"),
    "negative size": lambda outside: _with_size(b"-0000000001\0"),
    "binary size": lambda outside: _with_size(b"\xff" * 12),
    "pax size that is negative": lambda outside: _records(size=b"-1") + archive(member("a")),
    "pax size of 2**70": lambda outside: (
        _records(size=b"1180591620717411303424") + archive(member("a"))
    ),
    "pax time beyond all times": lambda outside: (
        _records(mtime=b"99999999999999999999") + archive(member("a"))
    ),
    "pax time before all times": lambda outside: (
        _records(mtime=b"-9223372036854775808.5") + archive(member("a"))
    ),
    "pax owner beyond all owners": lambda outside: (
        _records(uid=b"4294967295") + archive(member("a"))
    ),
    "pax group beyond all groups": lambda outside: (
        _records(gid=b"99999999999") + archive(member("a"))
    ),
    "sparse size that is no number": lambda outside: _sparse(b"0\n", realsize=b"4 GiB"),
    "sparse size of 2**64": lambda outside: _sparse(b"0\n", realsize=b"18446744073709551616"),
    "pax link with a zero byte": lambda outside: (
        _records(linkpath=b"a\0b") + archive(member("a", LINK, linkname="b"))
    ),
    "attribute with a zero byte": lambda outside: (
        _records(**{"SCHILY.xattr.user.a\0b": b"x"}) + archive(member("a"))
    ),
    "pax size beyond the end": lambda outside: _records(size=b"1048576") + archive(member("a")),
    "pax link up": lambda outside: (
        _records(linkpath=b"../outside/precious") + archive(member("a", HARD, linkname="harmless"))
    ),
    "sparse name up": lambda outside: (
        _records(**{"GNU.sparse.realsize": b"4", "GNU.sparse.name": b"../outside/evil"})
        + archive(member("a"))
    ),
    "sparse data after its end": lambda outside: _sparse(b"1\n900\n512\n", realsize=b"4"),
    "sparse data that is not there": lambda outside: _sparse(
        b"1\n0\n99999999\n", realsize=b"99999999"
    ),
    "sparse file of 8 EiB": lambda outside: _sparse(b"0\n", realsize=b"9223372036854775807"),
    "sparse map without an end": lambda outside: _sparse(b"99999999\n", realsize=b"4"),
    "sparse map of nonsense": lambda outside: archive(
        member(
            "a",
            pax_headers={
                "GNU.sparse.major": "1",
                "GNU.sparse.realsize": "4",
                "GNU.sparse.name": "a",
            },
        )
    ),
}


def _records(**records: bytes) -> bytes:
    body = b""
    for key, value in records.items():
        line = b" %b=%b\n" % (key.encode(), value)
        length = len(line) + 1
        while length != len(line) + len(str(length)):
            length = len(line) + len(str(length))
        body += b"%d%b" % (length, line)
    return _pax(body)


def _with_size(field: bytes) -> bytes:
    data = bytearray(archive(member("a")))
    data[124:136] = field
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    return bytes(data)


def _sparse(table: bytes, *, realsize: bytes) -> bytes:
    out = io.BytesIO()
    content = table.ljust(512, b"\0") + b"evil".ljust(512, b"\0")
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        found = member("a", size=len(content))
        tar.addfile(found, io.BytesIO(content))
    records = {"GNU.sparse.realsize": realsize, "GNU.sparse.name": b"a", "GNU.sparse.major": b"1"}
    return _records(**records) + out.getvalue()


def _pax(body: bytes) -> bytes:
    head = tarfile.TarInfo("x")
    head.type = tarfile.XHDTYPE
    head.size = len(body)
    return head.tobuf(tarfile.USTAR_FORMAT) + body.ljust(512, b"\0")


@pytest.fixture(params=[files_helpers._BEFORE, 0], ids=["alone", "helped"])
def hands(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unpack in this process, and with helpers from the first file on."""
    monkeypatch.setattr(files_helpers, "_BEFORE", request.param)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})


@pytest.mark.usefixtures("hands")
@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_nothing_is_written_outside_the_target(
    make: Callable[[Path], bytes], tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"keep me")
    before = os.stat(outside / "precious")
    with pytest.raises(BackupError) as caught:
        unpack(make(outside), tmp_path / "target")
    assert len(caught.value.message) > 20, "it says what was refused"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outside", "target"]
    assert [path.name for path in outside.iterdir()] == ["precious"]
    after = os.stat(outside / "precious")
    assert (outside / "precious").read_bytes() == b"keep me"
    assert (after.st_mode, after.st_nlink, after.st_mtime_ns) == (
        before.st_mode,
        before.st_nlink,
        before.st_mtime_ns,
    )


def test_a_device_is_not_made_and_the_report_says_so(tmp_path: Path) -> None:
    data = archive(member("null", tarfile.CHRTYPE, devmajor=1, devminor=3), member("after"))
    report = restore_archive(iter([data]), tmp_path / "target", Reporter())
    assert report.warnings == ("'null': devices are not restored; make it with mknod",)
    assert [path.name for path in (tmp_path / "target").iterdir()] == ["after"]


def test_there_are_enough_hostile_members() -> None:
    assert len(HOSTILE) >= 25


def test_a_bit_that_lends_rights_is_kept_for_root_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    unpack(archive(member("shell", mode=0o6755)), tmp_path / "target")
    assert (tmp_path / "target" / "shell").stat().st_mode & 0o7777 == 0o755


def test_a_frame_that_unpacks_to_more_than_it_says_is_never_held_in_memory() -> None:
    bomb = FrameCompressor().compress(bytes(64 * 1024 * 1024))
    with pytest.raises(VerifyError, match="does not hold the 1000 bytes"):
        decompress(bomb, raw_size=1000)


def test_going_on_with_a_restore_is_as_careful(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"keep me")
    target = tmp_path / "target"
    target.mkdir()
    (target / "a").symlink_to(outside)
    (target / "b").symlink_to(outside / "precious")
    with pytest.raises(BackupError):
        restore_members(
            TarReader(iter([archive(member("a/evil"))])), target, Reporter(), resume=True
        )
    restore_members(TarReader(iter([archive(member("b"))])), target, Reporter(), resume=True)
    assert (target / "b").read_bytes() == b"evil"
    assert not (target / "b").is_symlink()
    assert (outside / "precious").read_bytes() == b"keep me"
    assert [path.name for path in outside.iterdir()] == ["precious"]
