"""Bech32 (BIP 173), in which age writes its keys: letters that cannot be mistaken, and a checksum."""

from __future__ import annotations

from collections.abc import Iterable

_LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def encode(prefix: str, data: bytes) -> str:
    """
    Write ``data`` behind ``prefix``.

    >>> decode("age", encode("age", b"some bytes"))
    b'some bytes'
    """
    values = _regroup(data, 8, 5, pad=True) or []
    rest = _polymod([*_expanded(prefix), *values, 0, 0, 0, 0, 0, 0]) ^ 1
    check = [(rest >> 5 * (5 - index)) & 31 for index in range(6)]
    return prefix + "1" + "".join(_LETTERS[value] for value in [*values, *check])


def decode(prefix: str, text: str) -> bytes | None:
    """
    Return the bytes; None when it is not one, or has a typing error.

    >>> decode("age", "age1qqqq") is None
    True
    """
    found, _, rest = text.rpartition("1")
    if found != prefix or len(rest) < 6 or any(letter not in _LETTERS for letter in rest):
        return None
    values = [_LETTERS.index(letter) for letter in rest]
    if _polymod([*_expanded(prefix), *values]) != 1:
        return None
    back = _regroup(values[:-6], 5, 8, pad=False)
    return None if back is None else bytes(back)


def _polymod(values: Iterable[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            check ^= generator if top >> bit & 1 else 0
    return check


def _expanded(prefix: str) -> list[int]:
    return [ord(letter) >> 5 for letter in prefix] + [0] + [ord(letter) & 31 for letter in prefix]


def _regroup(data: Iterable[int], have: int, want: int, *, pad: bool) -> list[int] | None:
    bits = value = 0
    out: list[int] = []
    for each in data:
        value = value << have | each
        bits += have
        while bits >= want:
            bits -= want
            out.append(value >> bits & ((1 << want) - 1))
        value &= (1 << bits) - 1
    if pad:
        return [*out, value << (want - bits)] if bits else out
    return out if bits < have and value == 0 else None
