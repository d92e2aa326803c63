"""Whether a Fernet key fits: told by fingerprints that say nothing else."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import ValidationError

from airflow_backup.core.errors import ConfigError, SourceError
from airflow_backup.engines.airflow.configuration import Configuration
from airflow_backup.engines.airflow.fernet import (
    Encrypted,
    Keys,
    check_fit,
    compare,
    keys_of,
    state_of,
)
from airflow_backup.engines.airflow.state import FernetState

FIRST, SECOND, OTHER = (base64.urlsafe_b64encode(bytes([n]) * 32).decode() for n in (1, 2, 3))
NONE_HERE = Keys("unknown")


def keys(*given: str) -> Keys:
    return Keys("keys", given)


@pytest.mark.parametrize(
    ("made_with", "here", "fits", "said"),
    [
        (keys(FIRST), keys(FIRST), True, "is the one of the set"),
        (keys(FIRST), keys(OTHER, FIRST), True, "is the one of the set"),
        (keys(FIRST), keys(OTHER), False, "is not the one of the set"),
        (keys(FIRST, SECOND), keys(SECOND, FIRST), True, "is the one"),
        (keys(FIRST, SECOND), keys(FIRST), False, "1 of the 2 Fernet keys"),
        (keys(FIRST), NONE_HERE, False, "no Fernet key is known here"),
        (keys(FIRST), Keys("none"), False, "no Fernet key is known here"),
        (Keys("none"), NONE_HERE, True, "not encrypted"),
        (Keys("unknown"), keys(FIRST), False, "does not know its Fernet key"),
    ],
)
def test_a_set_tells_whether_the_keys_here_are_its_own(
    made_with: Keys, here: Keys, fits: bool, said: str
) -> None:
    found = compare(state_of(made_with), here)
    assert (found[0], said in found[1]) == (fits, True), found


def test_two_sets_of_one_key_do_not_show_that_it_is_the_same() -> None:
    one, other = state_of(keys(FIRST)), state_of(keys(FIRST))
    assert one.fingerprints != other.fingerprints
    assert FIRST not in one.model_dump_json()
    assert len(one.fingerprints[0]) == 32


def test_a_planted_manifest_cannot_choose_how_much_is_computed() -> None:
    for planted in (
        {"known": "keys", "salt": "0" * 32, "fingerprints": ["0" * 32] * 17},
        {"known": "keys", "salt": "0" * 64, "fingerprints": ["0" * 32]},
        {"known": "keys", "salt": None, "fingerprints": ["0" * 32]},
        {"known": "none", "salt": "0" * 32, "fingerprints": ["0" * 32]},
    ):
        with pytest.raises(ValidationError):
            FernetState.model_validate(planted)


@pytest.mark.parametrize(
    ("text", "known"), [("", "none"), (" , ", "none"), (f" {FIRST} ,{SECOND},", "keys")]
)
def test_keys_are_read_as_airflow_reads_them(text: str, known: str, tmp_path: Path) -> None:
    told = {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__FERNET_KEY": text}
    found = keys_of(Configuration.read(None, told))
    assert (found.known, len(found.keys)) == (known, 2 if known == "keys" else 0)


def test_what_is_no_key_is_not_shown(tmp_path: Path) -> None:
    told = {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__FERNET_KEY": f"{FIRST},canary"}
    with pytest.raises(ConfigError, match="key 2 of") as caught:
        keys_of(Configuration.read(None, told))
    assert "canary" not in str(caught.value)


def token(key: str, what: str) -> Encrypted:
    return Encrypted(what, Fernet(key.encode()).encrypt(b"x").decode())


def test_keys_that_open_nothing_are_refused_and_what_they_do_not_open_is_named() -> None:
    mixed = [token(FIRST, "connection a"), token(OTHER, "connection b")]
    assert check_fit(keys(FIRST, OTHER), mixed) == []
    assert check_fit(keys(FIRST), []) == []
    (said,) = check_fit(keys(FIRST), mixed)
    assert said.endswith("1 of 2 secrets: connection b")
    with pytest.raises(SourceError, match="decrypts none of the 2 secrets"):
        check_fit(keys(SECOND), mixed)
    with pytest.raises(SourceError, match="is empty here, and 2 secrets"):
        check_fit(Keys("none"), mixed)
    assert check_fit(Keys("none"), []) == check_fit(Keys("unknown"), mixed) == []
    (said,) = check_fit(keys(FIRST), [*mixed, Encrypted("variable 3", "é no token")])
    assert "variable 3" in said
