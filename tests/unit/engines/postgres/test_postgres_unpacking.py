"""What an archive may write, whichever Python runs: below its target, and nothing that leads elsewhere."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from airflow_backup.core.errors import VerifyError
from airflow_backup.engines.shared.tar_unpack import unpack_all


def archive(*members: tarfile.TarInfo) -> tarfile.TarFile:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for member in members:
            member.size = 3 if member.isreg() else 0
            tar.addfile(member, io.BytesIO(b"abc"))
    file.seek(0)
    return tarfile.open(fileobj=file, mode="r|")


def member(
    name: str, kind: bytes = tarfile.REGTYPE, to: str = "", mode: int = 0o644
) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname, found.mode = kind, to, mode
    return found


REFUSED = {
    "an absolute name": [member("/tmp/planted")],
    "a name that goes up": [member("../planted")],
    "a name that goes down and up": [member("a/../../planted")],
    "an absolute link": [member("link", tarfile.SYMTYPE, "/etc")],
    "a link that goes up": [member("a/link", tarfile.SYMTYPE, "../../etc")],
    "a link that goes up behind others": [
        member("s", tarfile.SYMTYPE, "."),
        member("link", tarfile.SYMTYPE, "s/s/s/../.."),
    ],
    "a file below a link": [member("s", tarfile.SYMTYPE, "."), member("s/planted")],
    "a hard link": [member("link", tarfile.LNKTYPE, "/etc/passwd")],
    "a device": [member("null", tarfile.CHRTYPE)],
    "a pipe": [member("pipe", tarfile.FIFOTYPE)],
}


@pytest.mark.parametrize("members", REFUSED.values(), ids=REFUSED)
def test_an_archive_that_would_write_elsewhere_is_refused(
    tmp_path: Path, members: list[tarfile.TarInfo]
) -> None:
    target = tmp_path / "target"
    with pytest.raises(VerifyError, match=r"^refused"):
        unpack_all(archive(*members), target)
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_files_folders_and_links_come_out_with_modes_that_give_nothing_away(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        found = unpack_all(
            archive(
                member(".", tarfile.DIRTYPE),
                member("folder/", tarfile.DIRTYPE, mode=0o2777),
                member("folder/tool", mode=0o6777),
                member("./hidden", mode=0),
                member("folder/link", tarfile.SYMTYPE, "../hidden"),
            ),
            tmp_path,
        )
    finally:
        os.umask(old)
    assert found == (2, 6)
    assert (tmp_path / "folder").stat().st_mode & 0o7777 == 0o700
    assert (tmp_path / "folder" / "tool").stat().st_mode & 0o7777 == 0o755
    assert (tmp_path / "hidden").stat().st_mode & 0o7777 == 0o600
    assert (tmp_path / "folder" / "link").read_bytes() == b"abc"


def test_an_archive_that_was_cut_is_an_error(tmp_path: Path) -> None:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        big = tarfile.TarInfo("big")
        big.size = 100_000
        tar.addfile(big, io.BytesIO(b"x" * big.size))
    cut = io.BytesIO(whole.getvalue()[:50_000])
    with tarfile.open(fileobj=cut, mode="r|") as tar, pytest.raises(tarfile.TarError):
        unpack_all(tar, tmp_path)
