"""The audit of pinned packages: what it finds in a made-up database, and that without data it says nothing good."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
NOW = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def advisory(**more: Any) -> dict[str, Any]:
    """Return a record about a package that there is not."""
    affected = {
        "package": {"name": "Leaky_Pipe", "ecosystem": "PyPI"},
        "ranges": [
            {
                "type": "ECOSYSTEM",
                "events": [
                    {"introduced": "0"},
                    {"fixed": "1.4.2"},
                    {"introduced": "2.0"},
                    {"fixed": "2.1rc1"},
                ],
            }
        ],
    }
    return {
        "id": "PYSEC-2026-1",
        "aliases": ["CVE-2026-0001"],
        "modified": NOW,
        "summary": "drips",
        "affected": [affected],
        **more,
    }


def audit(
    tmp_path: Path, pins: str, *options: str, database: Path | None = None
) -> tuple[int, str]:
    (tmp_path / "pins.txt").write_text(pins)
    named = [] if database is None else ["--database", str(database)]
    done = subprocess.run(
        [str(ROOT / "scripts" / "audit"), *named, *options, str(tmp_path / "pins.txt")],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def stored(tmp_path: Path, *records: dict[str, Any], form: str = "json") -> Path:
    database = tmp_path / "database"
    (database / "vulns" / "leaky-pipe").mkdir(parents=True)
    for each in records:
        text = json.dumps(each) if form == "json" else yaml.safe_dump(each)
        (database / "vulns" / "leaky-pipe" / f"{each['id']}.{form}").write_text(text)
    return database


@pytest.mark.parametrize("form", ["json", "yaml"])
@pytest.mark.parametrize(
    ("version", "is_open"),
    [
        ("0.1", True),
        ("1.4.1", True),
        ("1.4.2", False),
        ("1.9", False),
        ("2.0", True),
        ("2.1b2", True),
        ("2.1", False),
    ],
)
def test_a_pinned_version_is_compared_with_the_ranges_of_an_advisory(
    tmp_path: Path, version: str, is_open: bool, form: str
) -> None:
    database = stored(tmp_path, advisory(), form=form)
    pins = f"leaky-pipe=={version} \\\n    --hash=sha256:00\nother==1.0\n"
    code, told = audit(tmp_path, pins, "--least", "1", database=database)
    assert code == int(is_open), told
    expected = f"leaky-pipe {version}: PYSEC-2026-1: drips (mended in 1.4.2, 2.1rc1)"
    assert (expected in told) is is_open
    assert f"{int(is_open)} open, 0 accepted; 2 packages, 1 advisories" in told


def test_listed_versions_a_last_affected_one_and_accepted_or_withdrawn_advisories(
    tmp_path: Path,
) -> None:
    package = {"name": "leaky-pipe", "ecosystem": "PyPI"}
    last = {"type": "ECOSYSTEM", "events": [{"introduced": "1.0"}, {"last_affected": "1.5"}]}
    database = stored(
        tmp_path,
        advisory(id="A", affected=[{"package": package, "versions": ["1.5.0"]}], aliases=[]),
        advisory(id="B", affected=[{"package": package, "ranges": [last]}]),
        advisory(
            id="C", affected=[{"package": {**package, "ecosystem": "npm"}, "versions": ["1.5"]}]
        ),
        advisory(id="D", affected=[{"package": package, "versions": ["1.5"]}], withdrawn=NOW),
    )
    code, told = audit(tmp_path, "leaky-pipe==1.5\n", "--least", "1", database=database)
    assert (code, [line.split(": ")[1] for line in told.splitlines()[:-1]]) == (1, ["A", "B"])
    accepted = ("--accept", "CVE-2026-0001", "--accept", "A")
    code, told = audit(tmp_path, "leaky-pipe==1.5\n", "--least", "1", *accepted, database=database)
    assert (code, "0 open, 2 accepted" in told) == (0, True)


def test_a_database_may_be_a_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("PYSEC-2026-1.json", json.dumps(advisory()))
    code, _ = audit(tmp_path, "leaky-pipe==1.0\n", "--least", "1", database=tmp_path / "all.zip")
    assert code == 1


def broken(tmp_path: Path, how: str) -> Path | None:
    if how == "not given":
        return None
    if how == "missing":
        return tmp_path / "nowhere"
    if how == "no zip":
        (tmp_path / "all.zip").write_text("x")
        return tmp_path / "all.zip"
    records = {
        "empty": [],
        "of others": [advisory(affected=[{"package": {"name": "x", "ecosystem": "npm"}}])],
        "too old": [advisory(modified="2020-01-01T00:00:00Z")],
        "not whole": [advisory()],
        "without a version": [
            advisory(
                affected=[
                    {
                        "package": {"name": "leaky-pipe", "ecosystem": "PyPI"},
                        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "x y"}]}],
                    }
                ]
            )
        ],
    }
    database = stored(tmp_path, *records.get(how, [advisory()]))
    if how == "cut":
        (database / "vulns" / "cut.json").write_text('{"id": "PYSEC')
    return database


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("not given", "no database of advisories was given"),
        ("missing", "there is no database of advisories at"),
        ("no zip", "is no zip and no folder"),
        ("empty", "the database has 0 advisories of PyPI"),
        ("of others", "the database has 0 advisories of PyPI"),
        ("too old", "the newest advisory of the database is of 2020-01-01"),
        ("not whole", "the database has 1 advisories of PyPI, and a whole one has 1000 or more"),
        ("without a version", "the record 'PYSEC-2026-1' cannot be understood"),
        ("cut", "cannot be read"),
    ],
)
def test_without_data_nothing_good_is_said(tmp_path: Path, how: str, said: str) -> None:
    options = () if how == "not whole" else ("--least", "1")
    code, told = audit(tmp_path, "leaky-pipe==1.0\n", *options, database=broken(tmp_path, how))
    assert code == 2
    assert f"nothing can be said of advisories: {said}" in told or said in told
    assert " open, " not in told


def test_pins_that_pin_nothing_are_told_of(tmp_path: Path) -> None:
    code, told = audit(tmp_path, "leaky-pipe>=1\n", "--least", "1", database=stored(tmp_path))
    assert (code, "pins nothing" in told) == (2, True)


def test_a_bill_of_materials_names_every_pinned_package() -> None:
    if not (ROOT / ".tools" / "sbom").exists() and not os.environ.get("CI"):
        pytest.skip("scripts/sbom was not run here: it installs its program")
    done = subprocess.run(
        [str(ROOT / "scripts" / "sbom")], capture_output=True, text=True, check=True
    )
    made = json.loads(done.stdout)
    pins = (ROOT / "requirements" / "run.txt").read_text().splitlines()
    wanted = {line.partition("==")[0] for line in pins if line[:1].isalnum()}
    assert made["bomFormat"] == "CycloneDX"
    assert {each["name"] for each in made["components"]} == wanted
    assert all(each["purl"].startswith("pkg:pypi/") for each in made["components"])
