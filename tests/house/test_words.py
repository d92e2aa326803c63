"""The retired words of `docs/decisions/0009-plain-words.md` are in no code and no documentation."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RETIRED = (
    r"[Ss]urroundings|\baround[:=.,)]|\b_around\b|\bRecoveryPath\b|\brecovery_path\b|\bProof\b|\b[Jj]ail\b|\bHands\b"
    r"|[Tt]hrowaway|\bthe gate\b|clock on the wall|\bSight\b|\bShelf\b|\bBoard\b"
)
MENTIONS = (
    "docs/decisions/0009-plain-words.md",
    "tests/house/test_words.py",
    "CHANGELOG.md",
    "pyproject.toml",
)


def tracked() -> list[Path]:
    """Return the code and the documentation that are kept in git."""
    done = subprocess.run(
        ["git", "ls-files", "*.py", "*.md", "*.ts", "*.tsx"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.splitlines() if name not in MENTIONS]


def test_no_retired_word_comes_back() -> None:
    files = tracked()
    assert len(files) > 500
    found = [
        f"{path.relative_to(ROOT)}:{number}: {hit[0]}"
        for path in files
        if path.is_file()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if (hit := re.search(RETIRED, line))
    ]
    assert found == []
