"""The age format, held against another implementation of it in both directions."""

from __future__ import annotations

import os
import random

import pytest

from airflow_backup.core.errors import ConfigError, VerifyError
from airflow_backup.core.format import age
from airflow_backup.core.format.bech32 import encode

pyrage = pytest.importorskip("pyrage", reason="the other implementation is not installed")

SIZES = [0, 1, 65_535, 65_536, 65_537, 131_072, 300_000]


def key() -> tuple[str, age.Identity]:
    text = str(pyrage.x25519.Identity.generate())
    return text, age.identities(f"# created today\n{text}\n")[0]


def sealed(data: bytes, *to: age.Identity) -> bytes:
    sealer = age.Sealer([each.recipient for each in to])
    half = len(data) // 2
    return sealer.update(data[:half]) + sealer.update(data[half:]) + sealer.finish()


def opened(data: bytes, key: age.Identity, begin: int, length: int) -> bytes:
    opener = age.Opener(data[: age.MAX_HEADER], len(data), [key])
    at, size = opener.span(begin, length)
    return opener.open(data[at : at + size], begin, length)


@pytest.mark.parametrize("size", SIZES)
def test_what_is_sealed_here_is_opened_there(size: int) -> None:
    text, own = key()
    _, other = key()
    data = os.urandom(size)
    found = pyrage.decrypt(sealed(data, other, own), [pyrage.x25519.Identity.from_str(text)])
    assert found == data


@pytest.mark.parametrize("size", SIZES)
def test_what_is_sealed_there_is_opened_here(size: int) -> None:
    text, own = key()
    data = os.urandom(size)
    there = pyrage.encrypt(data, [pyrage.x25519.Identity.from_str(text).to_public()])
    assert opened(there, own, 0, size) == data


def test_a_part_is_opened_alone() -> None:
    _, own = key()
    data = os.urandom(300_000)
    stored = sealed(data, own)
    rng = random.Random(7)
    for _ in range(50):
        begin = rng.randrange(len(data))
        length = rng.randrange(1, len(data) - begin + 1)
        assert opened(stored, own, begin, length) == data[begin : begin + length]


def test_a_changed_byte_anywhere_is_found() -> None:
    _, own = key()
    stored = sealed(os.urandom(70_000), own)
    rng = random.Random(7)
    for at in [*range(300), *(rng.randrange(len(stored)) for _ in range(50))]:
        damaged = stored[:at] + bytes([stored[at] ^ 1]) + stored[at + 1 :]
        with pytest.raises((VerifyError, ConfigError)):
            opened(damaged, own, 0, 70_000)


def test_a_file_that_was_cut_at_a_chunk_is_found() -> None:
    _, own = key()
    stored = sealed(os.urandom(65_536 * 2), own)
    with pytest.raises(VerifyError):
        opened(stored[: -(65_536 + 16)], own, 0, 65_536)


def test_another_key_opens_nothing_and_no_key_is_shown() -> None:
    text, own = key()
    _, other = key()
    with pytest.raises(ConfigError, match="none of the given keys opens the set"):
        opened(sealed(b"x", own), other, 0, 1)
    assert "SECRET" not in repr(own)
    assert str(own.secret) not in repr(own)
    with pytest.raises(ConfigError) as caught:
        age.identities(text[:-1])
    assert text[20:30] not in str(caught.value)


def test_a_typing_error_in_a_public_key_is_found() -> None:
    _, own = key()
    text = own.recipient.text
    for at in range(4, len(text)):
        wrong = text[:at] + ("q" if text[at] != "q" else "p") + text[at + 1 :]
        with pytest.raises(ConfigError, match="is not an age recipient"):
            age.recipient(wrong)
    with pytest.raises(ConfigError):
        age.recipient(encode("age", b"short"))
