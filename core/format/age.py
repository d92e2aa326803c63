"""
The age format (age-encryption.org/v1), with X25519 recipients: what `age -d` opens.

A file is a header that holds its key, wrapped for each recipient, and chunks of 64 KiB, each
sealed for itself with ChaCha20-Poly1305. So a part is read without the rest, which no library
offers, and that is why the format is written out here; primitives come from `cryptography`, and
tests hold it against another implementation in both directions.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from airflow_backup.core.errors import ConfigError, VerifyError
from airflow_backup.core.format.bech32 import decode, encode
from airflow_backup.core.format.checksums import Bytes

CHUNK = 64 * 1024
_TAG = 16
_FIRST_LINE = b"age-encryption.org/v1"
_WRAP = b"age-encryption.org/v1/X25519"
MAX_HEADER = 64 * 1024


@dataclass(frozen=True, slots=True)
class Recipient:
    """A public key: whoever has it can seal, and nothing else."""

    text: str
    key: bytes

    @property
    def id(self) -> str:
        """Return what names the key in manifests; it does not give the key away."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Identity:
    """A secret key; never shown."""

    secret: bytes = field(repr=False)

    @property
    def recipient(self) -> Recipient:
        """The public key that belongs to this secret key."""
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

        key = X25519PrivateKey.from_private_bytes(self.secret).public_key().public_bytes_raw()
        return Recipient(encode("age", key), key)


def recipient(text: str) -> Recipient:
    """
    Read a public key from its text (``age1...``).

    >>> recipient("age1x")
    Traceback (most recent call last):
    airflow_backup.core.errors.ConfigError: 'age1x' is not an age recipient
    HINT: age-keygen prints one; it begins with age1
    """
    key = decode("age", text.strip())
    if key is None or len(key) != 32:
        raise ConfigError(
            f"'{text}' is not an age recipient", hint="age-keygen prints one; it begins with age1"
        )
    return Recipient(text.strip(), key)


def identities(text: str) -> list[Identity]:
    """Read secret keys, one a line, as in the file that `age-keygen` writes."""
    found: list[Identity] = []
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            secret = decode("age-secret-key-", line.strip().lower())
            if secret is None or len(secret) != 32:
                raise ConfigError(  # the line may be a key with a typing error: it is not shown
                    "the age key cannot be read", hint="it begins with AGE-SECRET-KEY-1"
                )
            found.append(Identity(secret))
    return found


class Sealer:
    """Seals one file; give it bytes, then `finish`."""

    def __init__(self, recipients: Sequence[Recipient]) -> None:
        file_key, nonce = os.urandom(16), os.urandom(16)
        self._key = _Payload(file_key, nonce)
        self._waiting = bytearray()
        self._number = 0
        self._head = _header(file_key, recipients) + nonce

    def update(self, data: Bytes) -> bytes:
        """Return what can be stored so far."""
        head, self._head = self._head, b""
        out = [head]
        self._waiting += data
        at = 0
        while len(self._waiting) - at > CHUNK:  # the last chunk is marked, so one is held back
            out.append(self._key.seal(self._number, self._waiting[at : at + CHUNK], last=False))
            self._number += 1
            at += CHUNK
        del self._waiting[:at]
        return b"".join(out)

    def finish(self) -> bytes:
        """Encrypt what is held back, and return it: the last chunk of the file."""
        head, self._head = self._head, b""
        return head + self._key.seal(self._number, self._waiting, last=True)

    def fingerprint(self, data: Bytes) -> str:
        """Return 32 hex digits that say nothing to those who cannot open the file."""
        return self._key.fingerprint(data)


class Opener:
    """Opens parts of one sealed file; ``head`` is its beginning, ``size`` its stored bytes."""

    def __init__(self, head: bytes, size: int, keys: Sequence[Identity]) -> None:
        file_key, end = _unwrap(head, keys)
        self._payload = end + 16
        self._size = size
        self._key = _Payload(file_key, head[end : self._payload])

    def span(self, offset: int, length: int) -> tuple[int, int]:
        """Return offset and length of the stored bytes that hold a part of the content."""
        first, last = offset // CHUNK, max(offset + length - 1, offset) // CHUNK
        begin = self._payload + first * (CHUNK + _TAG)
        end = min(self._payload + (last + 1) * (CHUNK + _TAG), self._size)
        return begin, end - begin

    def open(self, stored: bytes, offset: int, length: int) -> bytes:
        """Open what `span` named; VerifyError when it is not what was sealed."""
        first = offset // CHUNK
        out = []
        for index, at in enumerate(range(0, len(stored), CHUNK + _TAG)):
            chunk = stored[at : at + CHUNK + _TAG]
            end = self._payload + first * (CHUNK + _TAG) + at + len(chunk)
            out.append(self._key.open(first + index, chunk, last=end == self._size))
        skip = offset - first * CHUNK
        return b"".join(out)[skip : skip + length]

    def fingerprint(self, data: Bytes) -> str:
        """Return the fingerprint that the sealer gave."""
        return self._key.fingerprint(data)


class _Payload:
    def __init__(self, file_key: bytes, nonce: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        self._cipher = ChaCha20Poly1305(hkdf(file_key, salt=nonce, info=b"payload"))
        self._print_key = hkdf(file_key, salt=nonce, info=b"airflow-backup frames")

    def seal(self, number: int, chunk: Bytes, *, last: bool) -> bytes:
        return self._cipher.encrypt(_nonce(number, last=last), bytes(chunk), None)

    def open(self, number: int, chunk: bytes, *, last: bool) -> bytes:
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(_nonce(number, last=last), chunk, None)
        except InvalidTag as error:
            raise VerifyError(
                f"chunk {number} of an encrypted piece is not what was sealed"
            ) from error

    def fingerprint(self, data: Bytes) -> str:
        from blake3 import blake3

        return blake3(data, key=self._print_key).hexdigest(16)


def hkdf(secret: bytes, *, salt: bytes, info: bytes) -> bytes:
    """Derive 32 bytes: HKDF-SHA-256 (RFC 5869)."""
    extracted = hmac.digest(salt or bytes(32), secret, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def _header(file_key: bytes, recipients: Sequence[Recipient]) -> bytes:
    lines = [_FIRST_LINE]
    for each in recipients:
        lines += _stanza(file_key, each)
    head = b"\n".join(lines) + b"\n---"
    return head + b" " + _base64(_mac(file_key, head)) + b"\n"


def _mac(file_key: bytes, head: bytes) -> bytes:
    return hmac.digest(hkdf(file_key, salt=b"", info=b"header"), head, "sha256")


def _stanza(file_key: bytes, to: Recipient) -> list[bytes]:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    ephemeral = X25519PrivateKey.generate()
    share = ephemeral.public_key().public_bytes_raw()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(to.key))
    wrap = ChaCha20Poly1305(hkdf(shared, salt=share + to.key, info=_WRAP))
    return [b"-> X25519 " + _base64(share), _base64(wrap.encrypt(bytes(12), file_key, None))]


def _unwrap(head: bytes, keys: Sequence[Identity]) -> tuple[bytes, int]:
    """Return the key of the file, and where its header ends."""
    marker = head.find(b"\n--- ")
    end = head.find(b"\n", marker + 1) + 1
    if not head.startswith(_FIRST_LINE + b"\n") or marker < 0 or end == 0:
        raise VerifyError("an encrypted piece does not begin like an age file")
    lines = head[:marker].split(b"\n")[1:]
    for first, body in pairwise(lines):
        for key in keys if first.startswith(b"-> X25519 ") else ():
            file_key = _try(first, body, key)
            if file_key is not None:
                if not hmac.compare_digest(
                    _base64(_mac(file_key, head[: marker + 4])), head[marker + 5 : end - 1]
                ):
                    raise VerifyError("the header of an encrypted piece was changed")
                return file_key, end
    raise ConfigError(
        "none of the given keys opens the set", hint="is it an older key? the manifest has its id"
    )


def _try(first: bytes, body: bytes, key: Identity) -> bytes | None:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    try:
        share, wrapped = _unbase64(first.removeprefix(b"-> X25519 ")), _unbase64(body)
        shared = X25519PrivateKey.from_private_bytes(key.secret).exchange(
            X25519PublicKey.from_public_bytes(share)
        )
        wrap = ChaCha20Poly1305(hkdf(shared, salt=share + key.recipient.key, info=_WRAP))
        return wrap.decrypt(bytes(12), wrapped, None)
    except (InvalidTag, ValueError):
        return None


def _base64(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def _unbase64(text: bytes) -> bytes:
    return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
