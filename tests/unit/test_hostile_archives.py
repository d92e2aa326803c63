"""An archive that somebody made to write outside the target, or to break the reader."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_backup.core.errors import BackupError
from airflow_backup.core.progress import Reporter
from airflow_backup.engines.files_restore import restore_archive


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


def _pax(body: bytes) -> bytes:
    head = tarfile.TarInfo("x")
    head.type = tarfile.XHDTYPE
    head.size = len(body)
    return head.tobuf(tarfile.USTAR_FORMAT) + body.ljust(512, b"\0")


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_nothing_is_written_outside_the_target(
    make: Callable[[Path], bytes], tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"keep me")
    before = os.stat(outside / "precious")
    with pytest.raises(BackupError):
        unpack(make(outside), tmp_path / "target")
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
