"""The retired words of `docs/decisions/0009-plain-words.md` are in no code and no documentation."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RETIRED = (
    r"[Ss]urroundings|\baround[:=.,)]|\b_around\b|\bRecoveryPath\b|recovery_path\b|\bopen_path\b|\bProofs?\b|\b[Jj]ail"
    r"|\bHands\b|[Tt]hrowaway|\bthe gate\b|\bon the wall\b|\bSight\b|\bShelf\b|\bBoard\b|(?<!\")\bghosts?\b"
    r"|\bFacts\b|\bfacts_of\b|\bclass _?(Look|Watch|Material|Earlier|Gate|Beat|Made)\b|\bproof (=|is|for)|\bproof\.\w"
)
ONE_THING = (
    "Attempt",
    "Cancelled",
    "Due",
    "Job",
    "Model",
    "Run",
    "Verdict",
    "check_pieces",
    "plan",
)
"""Names that stood for two things each."""

MENTIONS = (
    "docs/decisions/0009-plain-words.md",
    "tests/house/test_words.py",
    "CHANGELOG.md",
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


@pytest.mark.parametrize("name", ONE_THING)
def test_a_name_that_stood_for_two_things_stands_for_one(name: str) -> None:
    made = re.compile(rf"^(?:class {name}\b|{name}(?:: \w+)? = | *def {name}\()", re.MULTILINE)
    homes = [
        str(path.relative_to(ROOT))
        for path in tracked()
        if path.suffix == ".py"
        and path.relative_to(ROOT).parts[0] not in ("tests", "benchmarks", "scripts")
        and made.search(path.read_text(encoding="utf-8"))
    ]
    assert len(homes) <= 1, homes
