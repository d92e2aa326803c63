"""What the sources of several engines have in common: the same option is asked for in the same words."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from airflow_backup.schedules.model.base import AbsolutePath, ConnectionId
from airflow_backup.schedules.schema.asked import asked

FirstPath = Annotated[
    AbsolutePath | None,
    asked("Path", example="/srv/wiki, /etc", required=True, several="paths"),
]
"""The folder or file of a source that may have several."""

SeveralPaths = Annotated[list[AbsolutePath], Field(min_length=1, max_length=1000)]

Unreadable = Annotated[
    Literal["fail", "warn"],
    asked(
        "A file that cannot be read",
        usual=False,
        words={"fail": "fails the run", "warn": "is left out, and told of"},
    ),
]

Server = Annotated[ConnectionId, asked("Airflow connection", example="orders_db")]
"""The connection of a database server."""

Database = Annotated[
    Annotated[str, Field(max_length=250)] | None, asked("Database", example="the connection's")
]
"""A database of that server."""

Method = Annotated[
    Literal["logical", "physical"],
    asked(
        "How", words={"logical": "A dump of the database", "physical": "The files of the server"}
    ),
]

Tools = Annotated[AbsolutePath | None, asked("Folder of the programs", usual=False)]
