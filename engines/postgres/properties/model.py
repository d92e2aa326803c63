"""What a database is besides its contents, as data: what a set stores of it."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from airflow_backup.core.errors import FormatError, VerifyError
from airflow_backup.core.format.plain_json import read_json
from airflow_backup.engines.protocol import SetReader
from airflow_backup.engines.shared.json_stream import bytes_of

PROPERTIES = "database.json"


class _PropertiesModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Grant(_PropertiesModel):
    """One right on the database; without a grantee it is everybody's."""

    grantor: str
    grantee: str | None
    privilege: Literal["CREATE", "CONNECT", "TEMPORARY"]
    grantable: bool


class Settings(_PropertiesModel):
    """What ``ALTER DATABASE ... SET`` or ``ALTER ROLE ... IN DATABASE ... SET`` has set."""

    role: str | None
    values: list[str]


class Role(_PropertiesModel):
    """A role of the server, without what would let it in."""

    name: str
    superuser: bool
    inherits: bool
    bypasses_rls: bool
    member_of: list[str]


class Properties(_PropertiesModel):
    """A database, as `pg_database` and its neighbours describe it."""

    format: Literal[1] = 1
    name: str
    owner: str
    encoding: str
    provider: Literal["c", "i", "b"] = "c"
    collate: str
    ctype: str
    locale: str | None = None
    """Of the providers ICU and builtin."""

    icu_rules: str | None = None
    tablespace: str = "pg_default"
    connection_limit: Annotated[int, Field(ge=-2)] = -1
    is_template: bool = False
    grants: list[Grant] | None = None
    """None: as they are by default."""

    comment: str | None = None
    settings: list[Settings] = []
    labels: list[tuple[str, str]] = []
    """Security labels: the provider's name, and the label."""

    lacks: list[Literal["public", "plpgsql"]] = []
    """What every new database has, and this one has not."""

    tablespaces: list[str] = []
    """Those that its tables and indexes lie in, besides its own."""

    roles: list[Role] = []

    def to_bytes(self) -> bytes:
        """Write it down; bytes that are no text stay what they were."""
        return json.dumps(self.model_dump(), indent=1).encode("ascii")

    @property
    def fixed(self) -> tuple[str | None, ...]:
        """What a database is made with and can never change."""
        names = (self.encoding, self.provider, self.collate, self.ctype)
        return (*names, self.locale, self.icu_rules)


def properties_in(reader: SetReader) -> Properties | None:
    """Return what a set says about its database; None of a set that was taken before sets did."""
    if PROPERTIES not in reader.manifest.streams:
        return None
    try:
        # Not by pydantic's own parser: bytes that are no text are written as halves of pairs.
        found = read_json(bytes_of(reader, PROPERTIES))
        if isinstance(found, dict) and found.get("format") != 1:
            raise FormatError(
                f"'{PROPERTIES}' of set '{reader.manifest.set_id}' has a format that this release does not know",
                hint="install the release that wrote it, or a newer one",
            )
        return Properties.model_validate(found)
    except ValueError as error:
        raise VerifyError(
            f"'{PROPERTIES}' of set '{reader.manifest.set_id}' does not describe a database"
        ) from error


def roles_named(wanted: Properties) -> set[str]:
    """Return the roles that the database itself needs."""
    named = {wanted.owner}
    for grant in wanted.grants or []:
        named |= {grant.grantor} | ({grant.grantee} if grant.grantee is not None else set())
    return named | {each.role for each in wanted.settings if each.role is not None}
