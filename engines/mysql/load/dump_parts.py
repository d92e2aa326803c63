"""
Takes a dump apart while it is read: tables and rows go to one place, views, triggers, routines and events to another.

Tables are loaded beside the database that they replace, and take its place by RENAME TABLE. What RENAME TABLE
cannot move is made anew in its own place. The programs write everything that a line could be mistaken for on lines
of its own: a row begins with a parenthesis, and a line end inside a value is written as two characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import IO

from airflow_backup.core.errors import Refused
from airflow_backup.engines.mysql.client.server import quoted

_IDENTIFIER = rb"(?:`(?:[^`]|``)+`|[0-9A-Za-z_$\x80-\xff]+)"
_MARK = re.compile(
    rb"^(?:-- (?:Current Database: |Table structure for table |Sequence structure for |"
    rb"Temporary (?:table|view) structure for view |Dumping events for database |"
    rb"Dumping routines for database |Final view structure for view )|"
    rb"USE `|CREATE DATABASE |DELIMITER |/\*!50003 |/\*!40103 SET TIME_ZONE=@OLD|  `.* DEFAULT \(?nextval\().*\n",
    re.MULTILINE,
)
_TRIGGER = re.compile(
    rb"(\bTRIGGER\s+(?:IF\s+NOT\s+EXISTS\s+)?)(?:%(i)s\s*\.\s*)?(%(i)s\s+(?:BEFORE|AFTER)\s+(?:INSERT|UPDATE|DELETE)"
    rb"\s+ON\s+)(?:%(i)s\s*\.\s*)?(%(i)s)" % {b"i": _IDENTIFIER},
    re.IGNORECASE,
)
_DEFAULT = re.compile(
    rb"^  (%(i)s) .*? DEFAULT \(?nextval\(()(%(i)s)\.(%(i)s)\)" % {b"i": _IDENTIFIER}
)
_LOCK = re.compile(rb"^(?:LOCK TABLES `.*` WRITE;|UNLOCK TABLES;|DELIMITER ;;?)\n", re.MULTILINE)
_IN_TABLES = (b"-- Table structure", b"-- Sequence structure")
_TAKEN = re.compile(rb"CREATE DATABASE .*?(`(?:[^`]|``)+`)(.*)", re.DOTALL)
_HEAD, _TABLES, _DEFINITIONS = "head", "tables", "definitions"


def unlocked(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """
    Yield a dump without its locks.

    Nobody else is where it is loaded, and a locked table cannot take its default from a sequence. What
    stands in the text of a routine is no lock.

    >>> list(unlocked([b"a;\\nLOCK TABLES `x` WR", b"ITE;\\nb;\\n", b"UNLOCK TABLES;\\nc"]))
    [b'a;\\n', b'b;\\n', b'', b'c']
    >>> list(unlocked([b"DELIMITER ;;\\nUNLOCK TABLES;\\n;;\\nDELIMITER ;\\nUNLOCK TABLES;\\n"]))
    [b'DELIMITER ;;\\nUNLOCK TABLES;\\n;;\\nDELIMITER ;\\n']
    """
    rest = b""
    is_text = False

    def keep(found: re.Match[bytes]) -> bytes:
        nonlocal is_text
        if found[0].startswith(b"DELIMITER"):
            is_text = found[0] == b"DELIMITER ;;\n"
            return found[0]
        return found[0] if is_text else b""

    for block in blocks:
        text = rest + block
        end = text.rfind(b"\n") + 1
        rest = text[end:]
        yield _LOCK.sub(keep, text[:end])
    if rest:
        yield rest


class Parts:
    """
    A dump that is taken apart.

    ``beside`` says under which name a database's tables are loaded, ``names`` under which it is known in
    the end; both by the name in the dump. Of one database the dump names none: that is ``only``.
    """

    def __init__(
        self,
        blocks: Iterable[bytes],
        definitions: IO[bytes],
        *,
        names: Mapping[str, str],
        beside: Mapping[str, str],
        only: str | None,
    ) -> None:
        self._blocks, self._definitions = blocks, definitions
        self._names, self._beside = names, beside
        self._database = only
        self._part, self._is_statement = _HEAD, False
        self._statement: list[bytes] = []
        self._table = b""

    def tables(self) -> Iterator[bytes]:
        """Yield what makes and fills the tables; the rest is written to ``definitions``."""
        rest = b""
        for block in unlocked(self._blocks):
            text = rest + block
            end = text.rfind(b"\n") + 1
            rest = text[end:]
            yield from self._whole_lines(text[:end])
        yield from self._whole_lines(rest + b"\n" if rest else b"")
        if self._is_statement:
            raise Refused("the dump ends inside a statement")

    def _whole_lines(self, text: bytes) -> Iterator[bytes]:
        begin = 0
        for mark in _MARK.finditer(text):
            yield from self._put(text[begin : mark.start()])
            yield from self._marked(mark[0])
            begin = mark.end()
        yield from self._put(text[begin:])

    def _put(self, text: bytes) -> Iterator[bytes]:
        if not text:
            return
        if self._is_statement:
            self._statement.append(text)
            return
        if self._part != _TABLES:
            self._definitions.write(text)
        if self._part != _DEFINITIONS:
            yield text

    def _marked(self, line: bytes) -> Iterator[bytes]:
        if self._is_statement:
            self._statement.append(line)
            if line.rstrip() == b"DELIMITER ;":
                self._is_statement = False
                self._definitions.write(self._here(b"".join(self._statement)))
                self._statement = []
        elif line.startswith((b"USE `", b"CREATE DATABASE ")):
            yield from self._of_database(line)
        elif line.startswith(b"DELIMITER "):
            self._part, self._is_statement, self._statement = _DEFINITIONS, True, [line]
        elif line.startswith(_IN_TABLES):
            self._part, self._table = _TABLES, line.split(b"`", 1)[1].rsplit(b"`", 1)[0]
            yield line
        elif line.startswith(b"  `"):
            yield from self._put(self._column(line) if self._part == _TABLES else line)
        elif line.startswith(b"-- Current Database: "):
            yield line
        else:
            self._part = _DEFINITIONS
            yield from self._put(line)

    def _of_database(self, line: bytes) -> Iterator[bytes]:
        if line.startswith(b"CREATE DATABASE "):
            made = _TAKEN.match(line)
            assert made is not None
            name = made[1][1:-1].replace(b"``", b"`").decode()
            self._definitions.write(b"ALTER DATABASE %s%s" % (_name(self._names[name]), made[2]))
            yield b"ALTER DATABASE %s%s" % (_name(self._beside[name]), made[2])
            return
        self._database = line.strip()[5:-2].replace(b"``", b"`").decode()
        self._definitions.write(b"USE %s;\n" % _name(self._names[self._database]))
        yield b"USE %s;\n" % _name(self._beside[self._database])

    def _here(self, statement: bytes) -> bytes:
        """Return the making of a trigger without the database that it was written with, where that is another."""
        name = self._database or ""
        if self._names[name] == name or b"TRIGGER" not in statement[:4096].upper():
            return statement
        if not re.search(rb"/\*!50003 (?:CREATE\*/|TRIGGER)", statement):
            return statement
        found = _TRIGGER.search(statement)
        if found is None:
            raise Refused(
                f"a trigger of '{name}' is written in a way that cannot be moved to another name",
                hint=f"load it as '{name}', into another server",
            )
        head = b"".join((found[1], found[2], found[3]))
        return statement[: found.start()] + head + statement[found.end() :]

    def _column(self, line: bytes) -> bytes:
        """Let a default take its numbers beside, too, and from its own place once it is there."""
        found = _DEFAULT.match(line)
        name = self._database or ""
        if found is None or found[3][1:-1].replace(b"``", b"`").decode() != name:
            return line
        here = b"nextval(%s.%s)" % (_name(self._names[name]), found[4])
        self._definitions.write(
            b"/*M!100900 SET @@system_versioning_alter_history=KEEP */;\n"
            b"ALTER TABLE `%s` ALTER COLUMN %s SET DEFAULT %s;\n" % (self._table, found[1], here)
        )
        return line[: found.start(3)] + _name(self._beside[name]) + line[found.end(3) :]


def _name(name: str) -> bytes:
    return quoted(name).encode()
