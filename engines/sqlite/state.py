"""What the manifest of a set of an SQLite database says for the next one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from airflow_backup.core.format.state import Link, SetState

Pages = Annotated[int, Field(ge=0, lt=2**32)]


class SqliteState(SetState):
    """The form of the database file."""

    page_size: Literal[512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]
    """Bytes."""

    pages: Pages
    link: Link = 0
    """How many sets lie below it."""

    changed: Pages | None = None
    """How many pages the set holds, where it holds not all."""

    file: Annotated[str, Field(max_length=4096)] = ""
    """The name that the database file had."""
