"""Runs statements on a server by its client; what goes wrong is told by number and place, never with a row's values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from airflow_backup.core.errors import EngineError
from airflow_backup.core.format.checksums import Bytes
from airflow_backup.core.process import commands
from airflow_backup.engines.mysql.client.programs import environment, said
from airflow_backup.engines.mysql.client.server import Server

_ERROR = re.compile(r"ERROR (\d+) \((\w+)\)(?: at line (\d+))?[^:]*: (.*)")


_HINTS = {
    1449: "views and triggers are made in the name of users: make those first, as the source has them",
    1227: "the user of the connection may not do that on this server",
    1298: "mariadb-tzinfo-to-sql /usr/share/zoneinfo | mariadb mysql",
}


class StatementFailed(EngineError):
    """A statement was refused by a server; ``number`` is its own number for the reason."""

    def __init__(self, message: str, *, hint: str | None = None, number: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.number = number


def apply(server: Server, statements: Iterable[Bytes]) -> None:
    """Run statements in the client, in ``server.database``; the first error ends it."""
    with server.options_file() as options:
        # Without --comments the client takes them out, also those in the text of a routine.
        arguments = ["--binary-mode", "--comments", "--max-allowed-packet=1G"]
        # What is loaded may be anybody's: LOAD DATA LOCAL in it would send files of this machine to the server.
        arguments.append("--local-infile=0")
        if server.database is not None:
            arguments += ["--", server.database]
        command = server.client("mariadb", options, *arguments)
        failures: list[BaseException] = []
        try:
            commands.feed(command, _watched(statements, failures), environment=environment())
        except EngineError as error:
            if failures:
                raise  # what wrote the statements failed, and says why itself
            found = _ERROR.search(error.message)
            if found is None:
                if type(error) is not EngineError:
                    raise
                raise EngineError(error.message.partition(":")[0]) from None
            number, state, line, text = found.groups()
            place = "" if line is None else f" at line {line}"
            raise StatementFailed(
                f"the server refused a statement{place} with error {number} ({state})"
                f"{said(int(number), text)}",
                hint=_HINTS.get(int(number)),
                number=int(number),
            ) from None


def _watched(statements: Iterable[Bytes], failures: list[BaseException]) -> Iterator[Bytes]:
    try:
        yield from statements
    except BaseException as error:
        failures.append(error)
        raise
