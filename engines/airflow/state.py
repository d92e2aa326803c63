"""What the manifest of a set of Airflow says: of what it is made, and which Fernet key it needs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from airflow_backup.core.format.state import Amount, Place, SetState
from airflow_backup.engines.files.state import FilesState
from airflow_backup.engines.mysql.state import MysqlState
from airflow_backup.engines.postgres.state import PostgresState
from airflow_backup.engines.sqlite.state import SqliteState

FolderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_%][A-Za-z0-9 ._%@+()-]{0,254}$")]
Text = Annotated[str, Field(max_length=1000)]
Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Layout = Annotated[str, Field(max_length=20)]
MOST_FOLDERS = 1000


class PartState(SetState):
    """A part of the set that another engine made."""

    layout: Layout
    """The version of that engine's layout."""

    files: Amount
    bytes_read: Amount


class FolderState(PartState):
    """The files of a local DAG bundle, or the plugins."""

    use: Literal["bundle", "plugins"]
    name: FolderName
    path: Place
    """Where it was."""

    state: FilesState
    counts: dict[str, Amount]


class DatabaseState(PartState):
    """The metadata database; one of the three states says which engine made it."""

    sqlite: SqliteState | None = None
    postgres: PostgresState | None = None
    mysql: MysqlState | None = None

    @model_validator(mode="after")
    def _one_engine_made_it(self) -> DatabaseState:
        if sum(each is not None for each in (self.sqlite, self.postgres, self.mysql)) != 1:
            raise ValueError("one of `sqlite`, `postgres` and `mysql` says which engine made it")
        if any(
            each is not None and each.method != "logical" for each in (self.postgres, self.mysql)
        ):
            raise ValueError("only a logical dump belongs to a set of Airflow")
        return self

    @property
    def engine(self) -> Literal["sqlite", "postgres", "mysql"]:
        """The name of the engine that made it."""
        if self.sqlite is not None:
            return "sqlite"
        return "postgres" if self.postgres is not None else "mysql"


class ElsewhereState(SetState):
    """A DAG bundle whose files are kept elsewhere, in Git for example."""

    name: Text
    classpath: Text
    version: Text | None = None
    """The version that Airflow had of it."""


class FernetState(SetState):
    """Which Fernet keys the set needs, told by fingerprints: scrypt with the salt."""

    known: Literal["keys", "none", "unknown"]
    """`none`: Airflow does not encrypt; `unknown`: the worker that took the set did not know the key."""

    salt: Hex | None = None
    fingerprints: Annotated[list[Hex], Field(max_length=16)]

    @model_validator(mode="after")
    def _keys_have_fingerprints(self) -> FernetState:
        if (self.known == "keys") != bool(self.salt and self.fingerprints):
            raise ValueError("fingerprints belong to known keys, and to no others")
        return self


class AirflowState(SetState):
    """What a set of Airflow is made of."""

    home: Place
    database: DatabaseState
    folders: Annotated[list[FolderState], Field(max_length=MOST_FOLDERS)]
    elsewhere: Annotated[list[ElsewhereState], Field(max_length=MOST_FOLDERS)]
    fernet: FernetState
    left_out: Annotated[list[Text], Field(max_length=10_000)]
    """The options, and the variables with connections, that are not in the set because they may be secret."""

    @model_validator(mode="after")
    def _folders_have_names_of_their_own(self) -> AirflowState:
        names = [(each.use, each.name) for each in self.folders]
        if len(set(names)) != len(names):
            raise ValueError("two folders have one name")
        return self
