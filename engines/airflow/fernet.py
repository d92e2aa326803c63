"""
Whether a Fernet key is the one with which Airflow's connections and variables are encrypted.

A set never holds the key. Its manifest holds a fingerprint: scrypt of the key with a salt of the set's own, cut to
128 bits. A key that was made as it should be has 256 random bits, and no hash of it helps anybody; scrypt is for keys
that somebody made of a word, and the salt so that two sets, or two installations, do not show that their key is the
same.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from cryptography.fernet import Fernet, InvalidToken

from airflow_backup.core.errors import ConfigError, SourceError
from airflow_backup.engines.airflow.configuration import Configuration
from airflow_backup.engines.airflow.state import FernetState

MOST_KEYS = 16


class Encrypted(NamedTuple):
    """A value of the database that Airflow encrypted, and what it is."""

    what: str
    token: str


class Keys(NamedTuple):
    """The keys of a configuration, the newest first; none where Airflow does not encrypt, or nobody knows."""

    known: Literal["keys", "none", "unknown"]
    keys: tuple[str, ...] = ()
    why: str = ""


def keys_of(configuration: Configuration) -> Keys:
    """Return the keys that a configuration says; ConfigError where one is none."""
    found = configuration.get("core", "fernet_key")
    if found.text is None:
        return Keys("unknown", why=found.unknown or "[core] fernet_key is not set there")
    keys = tuple(each.strip() for each in found.text.split(",") if each.strip())
    if not keys:
        return Keys("none")
    if len(keys) > MOST_KEYS:
        raise ConfigError(
            f"[core] fernet_key has {len(keys)} keys, and at most {MOST_KEYS} are compared"
        )
    for number, key in enumerate(keys, 1):
        _cipher(key, number)
    return Keys("keys", keys)


def state_of(keys: Keys) -> FernetState:
    """Return what a manifest says of the keys."""
    if not keys.keys:
        return FernetState(known=keys.known, fingerprints=[])
    salt = secrets.token_bytes(16)
    prints = [_fingerprint(key, salt) for key in keys.keys]
    return FernetState(known="keys", salt=salt.hex(), fingerprints=prints)


def check_fit(keys: Keys, encrypted: Sequence[Encrypted]) -> list[str]:
    """
    Say which values the keys cannot decrypt; SourceError where that is all of them.

    A fingerprint of a key that opens nothing would tell somebody, one day, that they have the right one. So would the
    word that no key is needed, where something is encrypted.
    """
    if keys.known == "none" and encrypted:
        raise SourceError(
            f"[core] fernet_key is empty here, and {len(encrypted)} secrets in Airflow's database are encrypted",
            hint="is AIRFLOW__CORE__FERNET_KEY here the same as that of the API server?",
        )
    if not keys.keys or not encrypted:
        return []
    ciphers = [_cipher(key, number) for number, key in enumerate(keys.keys, 1)]
    shut = [each.what for each in encrypted if not _opens(ciphers, each.token)]
    if len(shut) == len(encrypted):
        raise SourceError(
            f"the Fernet key that is known here decrypts none of the {len(encrypted)} secrets in Airflow's database",
            hint="is AIRFLOW__CORE__FERNET_KEY here the same as that of the API server?",
        )
    if not shut:
        return []
    named = ", ".join(sorted(set(shut))[:10])
    return [
        f"no Fernet key that is known here decrypts {len(shut)} of {len(encrypted)} secrets: {named}"
    ]


def compare(state: FernetState, here: Keys) -> tuple[bool, str]:
    """Say whether the keys that are known here are those of a set, in words."""
    if state.known == "none":
        return True, "its connections are not encrypted, and need no Fernet key"
    if state.known == "unknown":
        return False, "the set does not know its Fernet key: try the one that you kept"
    if not here.keys:
        return False, (
            "no Fernet key is known here to compare with that of the set: "
            "set AIRFLOW__CORE__FERNET_KEY to the one that you kept, or its connections cannot be decrypted"
        )
    salt = bytes.fromhex(state.salt or "")
    ours = {_fingerprint(key, salt) for key in here.keys}
    missing = [each for each in state.fingerprints if each not in ours]
    if not missing:
        return True, "the Fernet key that is known here is the one of the set"
    if len(missing) < len(state.fingerprints):
        return False, (
            f"{len(missing)} of the {len(state.fingerprints)} Fernet keys of the set are not known here: "
            "what is encrypted with those cannot be decrypted"
        )
    return False, (
        "the Fernet key that is known here is not the one of the set: "
        "its connections and variables cannot be decrypted with it"
    )


def _fingerprint(key: str, salt: bytes) -> str:
    raw = base64.urlsafe_b64decode(key)  # one key can be written in more than one way
    return hashlib.scrypt(raw, salt=salt, n=2**15, r=8, p=1, maxmem=2**26, dklen=16).hex()


def _cipher(key: str, number: int) -> Fernet:
    try:
        return Fernet(key.encode())
    except ValueError:  # its message may show the key
        raise ConfigError(
            f"key {number} of [core] fernet_key is not a Fernet key",
            hint="it is 32 bytes in URL-safe base64",
        ) from None


def _opens(ciphers: Iterable[Fernet], token: str) -> bool:
    for cipher in ciphers:
        try:
            cipher.decrypt(token.encode())
        except InvalidToken:
            continue
        return True
    return False
