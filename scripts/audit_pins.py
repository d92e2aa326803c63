"""
Compares pinned packages with a database of advisories that lies here, in the format of OSV.

The database is a folder or a zip with one record a file, JSON or YAML, as `PyPI/all.zip` of OSV and PyPA's
advisory-database are. No answer is given without data: a database that is missing, empty, of other packages or too
old is an error (exit code 2), and so is a record that cannot be read. Exit code 1 says that a pinned version is
affected.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)")
_ECOSYSTEM = "PyPI"
_LEAST = 1000
"""Records of packages of PyPI that a whole database has at least, by far."""


class NoAnswer(Exception):
    """Nothing can be said; the message says why, and what would help."""


@dataclass(frozen=True)
class Finding:
    """An advisory that a pinned version is affected by."""

    package: str
    version: str
    id: str
    names: frozenset[str]
    fixed: tuple[str, ...]
    summary: str

    def __str__(self) -> str:
        mended = f"mended in {', '.join(self.fixed)}" if self.fixed else "not mended yet"
        return f"{self.package} {self.version}: {self.id}: {self.summary} ({mended})"


def pins_of(path: Path) -> dict[str, set[str]]:
    """Return the versions that a file of requirements pins; one package may have several, for several machines."""
    if not path.is_file():
        raise NoAnswer(f"there is no '{path}'")
    found: dict[str, set[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        pin = _PIN.match(line)
        if pin is not None:
            found.setdefault(canonicalize_name(pin[1]), set()).add(pin[2])
    if not found:
        raise NoAnswer(f"'{path}' pins nothing")
    return found


def records_of(database: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a database; NoAnswer where there is none, or one cannot be read."""
    if not database.exists():
        raise NoAnswer(f"there is no database of advisories at '{database}'")
    for name, text in _texts(database):
        try:
            found = json.loads(text) if name.endswith(".json") else yaml.safe_load(text)
        except (ValueError, yaml.YAMLError) as error:
            raise NoAnswer(f"the record '{name}' cannot be read: {error}") from error
        if isinstance(found, dict) and "id" in found and "affected" in found:
            yield found


def _texts(database: Path) -> Iterator[tuple[str, bytes]]:
    wanted = (".json", ".yaml", ".yml")
    if database.is_file():
        try:
            with zipfile.ZipFile(database) as archive:
                for name in archive.namelist():
                    if name.endswith(wanted):
                        yield name, archive.read(name)
        except zipfile.BadZipFile as error:
            raise NoAnswer(f"'{database}' is no zip and no folder") from error
        return
    for path in sorted(database.rglob("*")):
        if path.suffix in wanted and path.is_file() and ".git" not in path.parts:
            yield str(path), path.read_bytes()


def judge(
    pins: dict[str, set[str]], records: Iterator[dict[str, Any]], *, least: int, oldest: datetime
) -> tuple[list[Finding], int, datetime]:
    """Return what is affected, how many records of packages of PyPI were read, and how new the newest is."""
    findings, count, newest = [], 0, datetime.min.replace(tzinfo=UTC)
    for record in records:
        affected = [each for each in record["affected"] if _package(each) is not None]
        if not affected:
            continue
        count += 1
        newest = max(newest, _moment(record))
        if not record.get("withdrawn"):
            findings += [found for each in affected for found in _compare(pins, record, each)]
    if count < least:
        raise NoAnswer(
            f"the database has {count} advisories of {_ECOSYSTEM}, and a whole one has {least} or more"
        )
    if newest < oldest:
        raise NoAnswer(
            f"the newest advisory of the database is of {newest:%Y-%m-%d}: it is too old to say anything"
        )
    return findings, count, newest


def _package(affected: dict[str, Any]) -> str | None:
    package = affected.get("package") or {}
    return canonicalize_name(package["name"]) if package.get("ecosystem") == _ECOSYSTEM else None


def _moment(record: dict[str, Any]) -> datetime:
    told = record.get("modified") or record.get("published")
    if isinstance(told, str):
        told = datetime.fromisoformat(told)
    if not isinstance(told, datetime):
        raise NoAnswer(f"the record '{record['id']}' does not say when it was written")
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def _compare(
    pins: dict[str, set[str]], record: dict[str, Any], affected: dict[str, Any]
) -> Iterator[Finding]:
    name = _package(affected)
    for version in sorted(pins.get(name or "", ())):
        if name is not None and _is_told(version, affected, record):
            events = [event for each in affected.get("ranges", ()) for event in each["events"]]
            yield Finding(
                name,
                version,
                str(record["id"]),
                frozenset((str(record["id"]), *map(str, record.get("aliases") or ()))),
                tuple(
                    str(event["fixed"])
                    for event in events
                    if "fixed" in event and _is_version(event["fixed"])
                ),
                " ".join(str(record.get("summary") or record.get("details") or "").split())[:200],
            )


def _is_told(version: str, affected: dict[str, Any], record: dict[str, Any]) -> bool:
    try:
        return is_affected(version, affected)
    except (InvalidVersion, ValueError, KeyError, TypeError) as error:
        raise NoAnswer(f"the record '{record['id']}' cannot be understood: {error}") from error


def is_affected(version: str, affected: dict[str, Any]) -> bool:
    """Whether a version is in the list of an advisory, or in one of its ranges."""
    if any(_same(version, str(each)) for each in affected.get("versions") or ()):
        return True
    ranges = [
        each for each in affected.get("ranges") or () if each.get("type") in ("ECOSYSTEM", "SEMVER")
    ]
    return any(_is_within(Version(version), each["events"]) for each in ranges)


def _is_within(version: Version, events: Sequence[dict[str, Any]]) -> bool:
    """Walk the events in the order of their versions: each opens or closes what is affected."""
    is_open = False
    for event in sorted(events, key=_place):
        ((what, told),) = event.items()
        place = Version("0") if str(told) == "0" else Version(str(told))
        if what == "introduced" and (str(told) == "0" or version >= place):
            is_open = True
        elif (what == "fixed" and version >= place) or (
            what == "last_affected" and version > place
        ):
            is_open = False
    return is_open


def _place(event: dict[str, Any]) -> tuple[Version, bool]:
    ((what, told),) = event.items()
    return (Version("0.dev0") if str(told) == "0" else Version(str(told))), what != "introduced"


def _same(one: str, other: str) -> bool:
    return one == other or (_is_version(other) and Version(one) == Version(other))


def _is_version(text: object) -> bool:
    try:
        Version(str(text))
    except InvalidVersion:
        return False
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what is affected; 0: nothing is, 1: something, 2: it cannot be told."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument(
        "--database", type=Path, help="a folder or a zip of advisories in the format of OSV"
    )
    parser.add_argument(
        "--max-age", type=int, default=14, help="days that the newest advisory may be old"
    )
    parser.add_argument(
        "--least", type=int, default=_LEAST, help="advisories that the database must have"
    )
    parser.add_argument(
        "--accept", action="append", default=[], metavar="ID", help="an advisory that is known"
    )
    parser.add_argument("pins", nargs="*", type=Path, help="requirements/*.txt when none is given")
    given = parser.parse_args(arguments)
    try:
        return _audit(given)
    except NoAnswer as error:
        print(f"nothing can be said of advisories: {error}", file=sys.stderr)
        print("HINT: docs/security.md says where a database comes from", file=sys.stderr)
        return 2


def _audit(given: argparse.Namespace) -> int:
    if given.database is None:
        raise NoAnswer("no database of advisories was given; --database names one")
    pins: dict[str, set[str]] = {}
    for path in given.pins or sorted(Path("requirements").glob("*.txt")):
        for name, versions in pins_of(path).items():
            pins.setdefault(name, set()).update(versions)
    oldest = datetime.now(UTC) - timedelta(days=given.max_age)
    records = records_of(given.database)
    findings, count, newest = judge(pins, records, least=given.least, oldest=oldest)
    known = [each for each in findings if each.names & {*given.accept}]
    open_ones = [each for each in findings if each not in known]
    for each in sorted(open_ones, key=str):
        print(each)
    of = f"{len(pins)} packages, {count} advisories until {newest:%Y-%m-%d}"
    print(f"{len(open_ones)} open, {len(known)} accepted; {of}")
    return 1 if open_ones else 0


if __name__ == "__main__":
    sys.exit(main())
