"""A connection that somebody wrote wrongly is refused as that, and its password is in no message."""

from __future__ import annotations

import pytest

from airflow_backup.core.connections import parse
from airflow_backup.core.errors import ConfigError


@pytest.mark.parametrize(
    "facts",
    [
        '"conn_type": ["postgres"]',
        '"conn_type": true',
        '"host": ["db"]',
        '"host": "d\\ud800"',
        '"schema": {}',
        '"port": "1e999"',
        '"extra": [1]',
    ],
)
def test_a_field_of_the_wrong_kind_is_refused(facts: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read from NAME") as refused:
        parse("bad", f'{{"password": "very-secret", {facts}}}', origin="NAME")
    assert "very-secret" not in str(refused.value)


def test_a_number_is_taken_for_a_text() -> None:
    found = parse("crm", '{"conn_type": "mysql", "schema": 7, "login": 1}', origin="NAME")
    assert (found.schema, found.login) == ("7", "1")
