"""Reads pgbackrest.conf: a physical schedule for each stanza."""

from __future__ import annotations

import configparser
import re
from collections.abc import Mapping
from typing import Any

from airflow_backup.core.errors import ConfigError
from airflow_backup.schedules.setup.draft import Draft, NeededConnection, Reading
from airflow_backup.schedules.setup.names import listed

_SOURCE = re.compile(r"(?:pg|db)(\d*)-(path|port|user|socket-path|host|host-user|database)")
_RETENTION = re.compile(
    r"(?:repo\d+-)?retention-(full|full-type|diff|archive|archive-type|history)"
)
_SECRET_OR_CIPHER = re.compile(r"(?:repo\d+-)?cipher-(pass|type)")
_PLACE = re.compile(
    r"repo\d+-(path|type|host.*|s3-.*|azure-.*|gcs-.*|sftp-.*|storage-.*|bundle.*|block|hardlink)"
)
_IGNORED = re.compile(
    r"log-.*|lock-path|spool-path|start-fast|stop-auto|process-max|compress.*|delta"
)
NOT_ADOPTED = "pgBackRest's repository is not adopted: sets begin anew at `repository`"
_WAL = (
    "pgBackRest also archives WAL, for restores to any moment. Here that is `wal: slot` below `source` "
    'and `archive_log: "*/15 * * * *"` below `levels`; a slot that nobody empties fills the disk of '
    "the server, so it is not turned on by itself"
)
_CIPHER = (
    "pgBackRest encrypts, and its passphrase was not copied; here sets are encrypted to public keys: "
    "write `encryption: {recipients: [age1...]}`"
)
_ROLE = (
    "the connection needs a user with REPLICATION and a line in pg_hba.conf; pgBackRest read the "
    "data folder itself"
)


def read(text: str, *, origin: str) -> Reading:
    """Read the configuration; ConfigError where it is none."""
    parser = configparser.RawConfigParser(
        strict=False, delimiters=("=",), comment_prefixes=("#",), empty_lines_in_values=False
    )
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(text)
    except configparser.Error as error:
        line = getattr(error, "lineno", None) or next(iter(getattr(error, "errors", [])), (1,))[0]
        raise ConfigError(
            f"{origin}, line {line}: this cannot be read as pgbackrest.conf"
        ) from None
    everywhere: dict[str, str] = {}
    stanzas = [each for each in parser.sections() if each.partition(":")[0] != "global"]
    for section in parser.sections():
        if section == "global" or section.startswith("global:backup"):
            everywhere |= dict(parser.items(section))
    drafts = tuple(
        _stanza(name, {**everywhere, **dict(parser.items(name))}, origin)
        for name in stanzas
        if ":" not in name
    )
    return Reading(drafts)


def _stanza(name: str, options: Mapping[str, str], origin: str) -> Draft:
    places: dict[str, str] = {}
    more = False
    for key, value in options.items():
        found = _SOURCE.fullmatch(key)
        if found is not None and found[1] in ("", "1"):
            places[found[2]] = value
        more = more or (found is not None and found[1] not in ("", "1"))
    retention, notes = _retention(options)
    notes = [NOT_ADOPTED, _WAL, _ROLE, *notes]
    if more:
        notes.append("pg2 and others are standbys: only pg1 was carried over")
    if options.get("repo1-cipher-type", "none") != "none" or "repo1-cipher-pass" in options:
        notes.append(_CIPHER)
    if any(re.match(r"repo[2-9]", key) for key in options):
        notes.append("it has several repositories; write a second schedule for another one")
    left = [key for key in options if not _is_known(key)]
    if left:
        notes.append(f"options that were not carried over: {listed(left)}")
    host = places.get("host") or places.get("socket-path")
    connection = NeededConnection("postgres", host, places.get("port"), places.get("user"))
    source: dict[str, Any] = {"engine": "postgres", "method": "physical"}
    return Draft(
        name,
        source,
        f"{origin}, [{name}]",
        retention=retention,
        notes=tuple(notes),
        connection=connection,
        job=f"pgbackrest:{name}",
    )


def _retention(options: Mapping[str, str]) -> tuple[dict[str, Any] | None, list[str]]:
    """Return how long sets are kept: so many chains, or so many days."""
    given = {
        found[1]: value
        for key, value in options.items()
        if (found := _RETENTION.fullmatch(key)) is not None and not re.match(r"repo[2-9]", key)
    }
    notes = [
        f"retention-{name} has no counterpart: incrementals and WAL stay as long as their full set"
        for name in ("diff", "archive")
        if name in given
    ]
    count = given.get("full", "")
    if not count.isdecimal() or not 0 < int(count) < 100_000:
        return None, notes
    if given.get("full-type") == "time":
        notes.append("pgBackRest keeps one full set beyond these days; add the time between two")
        return {"within": f"{count}d"}, notes
    return {"min_chains": int(count), "max_age": "1d"}, notes


def _is_known(key: str) -> bool:
    patterns = (_SOURCE, _RETENTION, _SECRET_OR_CIPHER, _PLACE, _IGNORED)
    return any(each.fullmatch(key) for each in patterns) or key.startswith("archive-")
