"""What a set says about a database is data: checked before it is used, and quoted wherever it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_backup.core.errors import EngineError, FormatError, VerifyError
from airflow_backup.engines.postgres.properties.model import (
    Grant,
    Properties,
    Settings,
    properties_in,
)
from airflow_backup.engines.postgres.properties.statements import in_order, statements
from airflow_backup.engines.shared.json_stream import MOST_BYTES, readable

PLAIN = Properties(name="shop", owner="me", encoding="UTF8", collate="C", ctype="C")


class Stored:
    """A set with nothing in it but what it says about its database."""

    def __init__(self, text: bytes, *, size: int | None = None) -> None:
        piece = SimpleNamespace(raw_size=len(text) if size is None else size)
        self.manifest: Any = SimpleNamespace(
            streams=["database.json"], set_id="s", pieces_of=lambda stream: [piece]
        )
        self._text = text

    def blocks(self, stream: str, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        yield self._text


def grant(grantor: str, grantee: str | None, *, grantable: bool = False) -> Grant:
    return Grant(grantor=grantor, grantee=grantee, privilege="CONNECT", grantable=grantable)


def test_what_was_written_is_read_again_also_where_names_are_bytes_that_are_no_text() -> None:
    odd = PLAIN.model_copy(update={"comment": "caf\udce9", "owner": 'a"b\nc'})
    assert properties_in(Stored(odd.to_bytes())) == odd


@pytest.mark.parametrize(
    "change",
    [{"provider": "x"}, {"connection_limit": "1; DROP"}, {"extra": 1}, {"lacks": ["pg_catalog"]}],
)
def test_what_is_no_description_of_a_database_is_refused(change: dict[str, Any]) -> None:
    text = json.dumps(json.loads(PLAIN.to_bytes()) | change).encode()
    with pytest.raises(VerifyError, match="does not describe a database"):
        properties_in(Stored(text))
    with pytest.raises(VerifyError, match="does not describe a database"):
        properties_in(Stored(b"[]"))


def test_a_newer_format_is_not_misread() -> None:
    text = PLAIN.to_bytes().replace(b'"format": 1', b'"format": 2')
    with pytest.raises(FormatError, match="has a format that this release does not know"):
        properties_in(Stored(text))


def test_everything_is_quoted() -> None:
    odd = 'x"; DROP DATABASE shop; --'
    wanted = PLAIN.model_copy(
        update={
            "owner": odd,
            "comment": "it's \\ '; DROP",
            "settings": [Settings(role=odd, values=["app.x=';\\", f"{odd}=1"])],
            "labels": [(odd, "'; DROP")],
        }
    )
    quoted = '"x""; DROP DATABASE shop; --"'
    assert statements("d", PLAIN, wanted) == [
        f'ALTER DATABASE "d" OWNER TO {quoted}',
        "COMMENT ON DATABASE \"d\" IS  E'it''s \\\\ ''; DROP'",
        f"ALTER ROLE {quoted} IN DATABASE \"d\" SET \"app.x\" TO  E''';\\\\'",
        f"ALTER ROLE {quoted} IN DATABASE \"d\" SET {quoted} TO '1'",
        f"SECURITY LABEL FOR {quoted} ON DATABASE \"d\" IS '''; DROP'",
    ]


def test_a_right_is_given_after_the_right_to_give_it() -> None:
    first, second, third = (
        grant("me", "a", grantable=True),
        grant("a", "b", grantable=True),
        grant("b", None),
    )
    assert in_order([third, second, first], "me") == [first, second, third]
    with pytest.raises(EngineError, match="nobody may give the right that 'b' gave"):
        in_order([third], "me")


def test_a_database_that_is_as_wanted_is_left_alone() -> None:
    assert statements("d", PLAIN, PLAIN) == []


def test_no_more_is_read_than_a_dump_writes() -> None:
    with pytest.raises(VerifyError, match="is larger than 67,108,864 bytes"):
        properties_in(Stored(PLAIN.to_bytes(), size=MOST_BYTES + 1))
    with pytest.raises(EngineError, match="would be larger than 67,108,864 bytes"):
        readable(bytes(MOST_BYTES + 1), "database.json")
    assert properties_in(Stored(PLAIN.to_bytes(), size=MOST_BYTES)) == PLAIN
    assert readable(b"{}", "database.json") == b"{}"
