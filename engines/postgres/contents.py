"""
What a dump holds, entry by entry, and who is to restore each: its code is somebody's, and must not run as a superuser.

Nearly everything is restored by a role that owns the database and may do nothing else. What only a superuser may
make, and what runs no code when it is made, is left to a superuser; data, indexes and constraints never are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_LINE = re.compile(r"(?P<number>\d+); \d+ \d+ (?P<rest>.*)")

_SUPERUSERS = (
    *(
        "ACCESS METHOD",
        "CAST",
        "EVENT TRIGGER",
        "FOREIGN DATA WRAPPER",
        "OPERATOR CLASS",
        "OPERATOR FAMILY",
    ),
    *("PROCEDURAL LANGUAGE", "PUBLICATION", "PUBLICATION TABLE", "PUBLICATION TABLES IN SCHEMA"),
    *("SECURITY LABEL", "SERVER", "SUBSCRIPTION", "SUBSCRIPTION TABLE", "TEXT SEARCH PARSER"),
    *("TEXT SEARCH TEMPLATE", "TRANSFORM", "USER MAPPING"),
)
"""What only a superuser may make."""

_PERHAPS = (
    *("AGGREGATE", "COLLATION", "COMMENT", "CONVERSION", "FOREIGN TABLE", "FUNCTION", "OPERATOR"),
    *(
        "PROCEDURE",
        "SHELL TYPE",
        "STATISTICS",
        "TEXT SEARCH CONFIGURATION",
        "TEXT SEARCH DICTIONARY",
        "TYPE",
    ),
)
"""What a superuser makes where the owner may not: a function in C, say. It is only written down when it is made."""

_RIGHTS = ("ACL", "DEFAULT ACL", "ACL LANGUAGE")
_LAST = ("EVENT TRIGGER",)
_REFRESHED = ("MATERIALIZED VIEW DATA",)
_DATA = (
    "TABLE DATA",
    "SEQUENCE SET",
    "BLOB",
    "BLOBS",
    "BLOB DATA",
    "BLOB METADATA",
    "LARGE OBJECT",
)
_KINDS = sorted(
    {*_SUPERUSERS, *_PERHAPS, *_RIGHTS, *_REFRESHED, *_DATA, "EXTENSION"}, key=len, reverse=True
)
_ABOUT = re.compile(
    r"(?:COMMENT|SECURITY LABEL) \S+ (?P<what>" + "|".join((*_SUPERUSERS, "LANGUAGE")) + r")\b"
)
_OWNERLESS = ("EVENT TRIGGER", "FOREIGN DATA WRAPPER", "SUBSCRIPTION", "ACCESS METHOD")
"""What a superuser must own, and so what keeps the one who makes it: the original's superusers are none here."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of ``pg_restore --list``."""

    number: int
    line: str

    @property
    def rest(self) -> str:
        """What follows the numbers: kind, schema, name, owner."""
        found = _LINE.match(self.line)
        return "" if found is None else found["rest"]

    @property
    def kind(self) -> str:
        """The kind of thing that it is, where that matters here."""
        return next((each for each in _KINDS if self.rest.startswith(f"{each} ")), "")

    @property
    def is_superusers(self) -> bool:
        """Whether only a superuser may make it."""
        return self.kind in (*_SUPERUSERS, *_RIGHTS) or _ABOUT.match(self.rest) is not None

    @property
    def may_be_superusers(self) -> bool:
        """Whether a superuser may make it, without running anything of it."""
        return self.kind in _PERHAPS

    @property
    def is_about_extension(self) -> bool:
        """Whether it makes, or describes, an extension."""
        return (
            self.kind == "EXTENSION" or re.match(r"COMMENT \S+ EXTENSION ", self.rest) is not None
        )


@dataclass(frozen=True, slots=True)
class Part:
    """Entries that are restored together; ``by_superuser``, or by the owner of the database."""

    entries: tuple[Entry, ...]
    by_superuser: bool
    has_data: bool = False

    @property
    def listing(self) -> str:
        """The file that ``pg_restore --use-list`` takes."""
        return "".join(f"{each.line}\n" for each in self.entries)

    @property
    def keeps_owners(self) -> bool:
        """Whether what is made goes to its original owner."""
        return not (self.by_superuser and any(each.kind in _OWNERLESS for each in self.entries))

    def context(self, number: int) -> list[Part]:
        """Return this part as three: what is before an entry, that one for a superuser, and what is after it."""
        at = next(place for place, each in enumerate(self.entries) if each.number == number)
        pieces = (
            Part(self.entries[:at], by_superuser=False, has_data=self.has_data),
            Part(self.entries[at : at + 1], by_superuser=True),
            Part(self.entries[at + 1 :], by_superuser=False, has_data=self.has_data),
        )
        return [each for each in pieces if each.entries]


def entries_of(listing: str) -> list[Entry]:
    """
    Read ``pg_restore --list``.

    >>> listing = "; head\\n4; 3079 2 EXTENSION - citext \\n7; 0 9 TABLE DATA public t me\\n"
    >>> [entry.kind for entry in entries_of(listing)]
    ['EXTENSION', 'TABLE DATA']
    """
    found = ((_LINE.match(line), line) for line in listing.splitlines())
    return [Entry(int(match["number"]), line) for match, line in found if match is not None]


def parts_of(entries: Sequence[Entry]) -> list[Part]:
    """Put entries into parts, in the order in which pg_restore itself would: rights and refreshed views come last."""
    kept = [each for each in entries if not each.is_about_extension]
    late = (*_RIGHTS, *_REFRESHED)
    first = [each for each in kept if each.kind not in late and not _is_last(each)]
    parts = list(_grouped(first))
    for kinds, by_superuser in ((_RIGHTS, True), (_REFRESHED, False)):
        some = tuple(each for each in kept if each.kind in kinds)
        parts += [Part(some, by_superuser, has_data=not by_superuser)] if some else []
    last = tuple(each for each in kept if _is_last(each))
    return parts + ([Part(last, by_superuser=True)] if last else [])


def _is_last(entry: Entry) -> bool:
    about = _ABOUT.match(entry.rest)
    return entry.kind in _LAST or (about is not None and about["what"] in _LAST)


def _grouped(entries: Sequence[Entry]) -> Iterator[Part]:
    """Yield runs of entries for the same role; definitions, data, and what is built on data apart."""
    run: list[Entry] = []
    before = (False, 0)
    section = 0
    for entry in entries:
        is_data = entry.kind in _DATA
        section = 1 if is_data else 2 if section else 0
        now = (entry.is_superusers, section)
        if run and now != before:
            yield Part(tuple(run), *_flags(before))
            run = []
        run.append(entry)
        before = now
    if run:
        yield Part(tuple(run), *_flags(before))


def _flags(of_run: tuple[bool, int]) -> tuple[bool, bool]:
    return of_run[0], of_run[1] > 0
