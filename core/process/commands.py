"""Programs that run to their end at once: what they said comes back whole."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from airflow_backup.core.format.checksums import Bytes
from airflow_backup.core.process.process import Process


@dataclass(frozen=True, slots=True)
class Finished:
    """What a short program said."""

    output: bytes
    errors: str


def run(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    user: str | None = None,
    name: str | None = None,
) -> Finished:
    """
    Run a short program to its end; EngineError when it fails.

    >>> run(["echo", "hello"]).output
    b'hello\\n'
    """
    with Process(arguments, environment=environment, user=user, name=name) as process:
        output = b"".join(process.chunks())
    return Finished(output, process.errors)


def feed(
    arguments: Sequence[str],
    chunks: Iterable[Bytes],
    *,
    environment: Mapping[str, str] | None = None,
    user: str | None = None,
    name: str | None = None,
) -> Finished:
    """
    Run a program on what ``chunks`` give it to read; EngineError when it fails.

    Of its output the last megabyte is kept.

    >>> feed(["tr", "a-z", "A-Z"], [b"hel", b"lo"]).output
    b'HELLO'
    """
    with Process(
        arguments, environment=environment, user=user, stdin=subprocess.PIPE, name=name
    ) as process:
        output = process.feed(chunks)
    return Finished(output, process.errors)
