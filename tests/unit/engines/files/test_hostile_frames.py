"""A few bytes that declare gigabytes cost a reader no memory, neither in a manifest nor in a frame."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import VerifyError
from airflow_backup.core.format.codec import decompress
from airflow_backup.core.format.manifest import read_manifest
from airflow_backup.core.format.pieces import MAX_FRAME_SIZE
from airflow_backup.engines.files.options import FilesOptions
from support.stored.sets import PlainJob, take

MIB = 1024 * 1024


def test_a_frame_that_needs_a_large_window_is_refused() -> None:
    # Magic, a descriptor with a window of 2**27 bytes and no size, one empty last block.
    hostile = bytes.fromhex("28b52ffd") + bytes([0x00, (27 - 10) << 3]) + bytes([0x01, 0, 0])
    with pytest.raises(VerifyError, match="a frame is not zstd data"):
        decompress(hostile, raw_size=2**31)


def test_a_manifest_that_declares_frames_of_gigabytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/a").write_bytes(b"x")
    job = PlainJob(
        FilesOptions(engine="files", path=str(tmp_path / "source")), f"file://{tmp_path}/repository"
    )
    with Catalog.open("sqlite://") as catalog:
        take(job, catalog)
    (path,) = (tmp_path / "repository").rglob("manifest.json")
    told = json.loads(path.read_bytes())
    told["pieces"][0]["frames"]["raw_size"] = MAX_FRAME_SIZE + 1
    with pytest.raises(VerifyError, match=r"raw_size: Input should be less than or equal to"):
        read_manifest(json.dumps(told).encode(), name="it")
    told["pieces"][0]["frames"] |= {"raw_size": MIB, "sizes": [2**31]}
    with pytest.raises(VerifyError, match="is not a manifest"):
        read_manifest(json.dumps(told).encode(), name="it")


def test_a_frame_of_two_gibibytes_takes_no_memory() -> None:
    script = (
        "import resource\n"
        "from airflow_backup.core.format.codec import FrameCompressor, decompress\n"
        "from airflow_backup.core.errors import VerifyError\n"
        "frame = FrameCompressor().compress(bytes(1 << 28))\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n"
        "    decompress(frame, raw_size=1 << 20)\n"
        "except VerifyError:\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert resource.RUSAGE_SELF == 0
    assert int(done.stdout) < 100 * 1024
