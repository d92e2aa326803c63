"""
Signatures of manifests: Ed25519 (RFC 8032) over the manifest's canonical JSON without its signature.

An age envelope proves that nobody without the key has read a set; anybody who has the public keys can make one. A
signature proves who wrote it. Private keys are PEM files as ``openssl genpkey -algorithm ed25519`` writes them;
public ones are written ``ed25519:`` and the 32 bytes in base64.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from airflow_backup.core.errors import ConfigError

_PREFIX = "ed25519:"
Signed = Literal["manifest", "head"]
"""What is signed begins with this word, so that a signature of one thing never serves for another."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Who may have written a set; ``raw`` are 32 bytes."""

    raw: bytes

    @property
    def id(self) -> str:
        """A short name: the first 16 hex digits of the SHA-256 of the key."""
        return hashlib.sha256(self.raw).hexdigest()[:16]

    def __str__(self) -> str:
        return _PREFIX + base64.b64encode(self.raw).decode()

    def has_signed(self, what: Signed, data: bytes, signature: bytes) -> bool:
        """Whether ``signature`` is one of this key over ``data``, as a thing of that kind."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, _begin(what) + data)
        except (InvalidSignature, ValueError):
            return False
        return True


class SigningKey:
    """The private half, which only those have who write sets. Never shown."""

    def __init__(self, pem: bytes) -> None:
        """Read a PEM file (PKCS#8, not encrypted); ConfigError when it is none."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            found = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as error:
            raise ConfigError(
                "this is no private key, or one with a passphrase",
                hint="airflow-backup keygen FILE makes one, and so does: openssl genpkey -algorithm ed25519",
            ) from error
        if not isinstance(found, Ed25519PrivateKey):
            raise ConfigError(
                "this is a key of another kind than Ed25519",
                hint="airflow-backup keygen FILE makes one",
            )
        self._key = found

    @property
    def public(self) -> PublicKey:
        """The public key that verifies what this key signs."""
        return PublicKey(self._key.public_key().public_bytes_raw())

    def sign(self, what: Signed, data: bytes) -> bytes:
        """Return the signature of ``data``, 64 bytes."""
        return self._key.sign(_begin(what) + data)


def new_key() -> bytes:
    """Make a private key, as a PEM file."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    made = Ed25519PrivateKey.generate()
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_key(text: str) -> PublicKey:
    """
    Read a public key; ConfigError when it is none.

    >>> public_key("ed25519:" + "A" * 43 + "=").id
    '66687aadf862bd77'
    >>> public_key("ssh-ed25519 AAAA")
    Traceback (most recent call last):
    airflow_backup.core.errors.ConfigError: this is no public key for signatures
    HINT: it is written ed25519: and 44 letters and digits, as airflow-backup keygen prints it
    """
    try:
        raw = base64.b64decode(text.strip().removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not text.strip().startswith(_PREFIX) or len(raw) != 32:
        raise ConfigError(
            "this is no public key for signatures",
            hint="it is written ed25519: and 44 letters and digits, as airflow-backup keygen prints it",
        )
    return PublicKey(raw)


def _begin(what: Signed) -> bytes:
    return f"airflow-backup {what} 1\n".encode()


def canonical(plain: Any) -> bytes:
    """Return JSON data as it is stored: sorted keys, no spaces, UTF-8, one line."""
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode() + b"\n"


def sign(what: Signed, plain: dict[str, Any], key: SigningKey) -> bytes:
    """Return the stored bytes of JSON data, with the signature of all the rest of it."""
    unsigned = {name: value for name, value in plain.items() if name != "signature"}
    signature = {
        "algorithm": "ed25519",
        "key": key.public.id,
        "value": key.sign(what, canonical(unsigned)).hex(),
    }
    return canonical({**unsigned, "signature": signature})


def problem_of(what: Signed, data: bytes, keys: Iterable[PublicKey]) -> str | None:
    """
    Say why stored JSON data is not what one of ``keys`` has signed; None when it is.

    Bytes that are not canonical are refused: two readers might read two things from them.
    """
    try:
        plain = json.loads(data)
        signature = plain.pop("signature", None)
    except (ValueError, AttributeError, RecursionError):
        return "it is no JSON object"
    if signature is None:
        return "it is not signed"
    try:
        value, named = bytes.fromhex(signature["value"]), str(signature["key"])
        is_plain = signature == {"algorithm": "ed25519", "key": named, "value": value.hex()}
        whole = canonical({**plain, "signature": signature})
        unsigned = canonical(plain)
    except (TypeError, KeyError, ValueError, RecursionError):
        return "its signature is none"
    if not is_plain:
        return "its signature is none"
    if whole != data:
        return "it is not written as it was signed"
    by_id = {key.id: key for key in keys}
    if named not in by_id:
        return f"it is signed by the key {named!r:.40}, which is not among those that may sign"
    if not by_id[named].has_signed(what, unsigned, value):
        return "its signature is wrong"
    return None
