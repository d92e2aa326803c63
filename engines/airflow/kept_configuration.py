"""Airflow's configuration as a set keeps it: one file that Airflow can read, without what may be secret."""

from __future__ import annotations

import re
from collections.abc import Sequence
from configparser import Error, RawConfigParser
from io import StringIO
from typing import NamedTuple

from airflow_backup.core.errors import VerifyError
from airflow_backup.engines.airflow.configuration import Configuration, Setting
from airflow_backup.engines.airflow.secret_values import may_be_secret
from airflow_backup.engines.protocol import SetReader

STREAM = "airflow.cfg"
_MOST_BYTES = 8 * 2**20
_REFERENCE = re.compile(r"%\(([^)]+)\)s")
_BETWEEN = re.compile(r"(?:#   [^\r\n]*\n)*\n")
"""Between the head and the options: the names of what is left out."""

_HEAD = """\
# Airflow's configuration as airflow-backup found it: the file and the variables AIRFLOW__SECTION__OPTION in one.
# What may be secret was left out. Write it again, here or as variables, from where you keep it:
"""


class Kept(NamedTuple):
    """The file, and the names of what is not in it."""

    text: str
    left_out: list[str]


def without_secrets(configuration: Configuration) -> Kept:
    """Write what is set, and name what is left out: what may be secret, and what no file can say."""
    parser = _parser()
    settings = list(configuration.settings())
    out = [each for each in settings if _is_left_out(configuration, each)]
    out = [each for each in settings if each in _tied_to(out, settings)]
    for setting in (each for each in settings if each not in out):
        if not parser.has_section(setting.section):
            parser.add_section(setting.section)
        parser.set(setting.section, setting.option, setting.raw)
    left_out = [f"{each.section}/{each.option}" for each in out] + configuration.beside()
    return Kept(
        _HEAD + "".join(f"#   {name}\n" for name in left_out) + "\n" + _written(parser), left_out
    )


_REFUSED = re.compile(r".*_cmd|password|(?:.*_)?fernet_key|secret_key|jwt_secret|sql_alchemy_conn")
"""
What no set has that we wrote: options that run a program, and Airflow's own keys and address. This stays as it is,
while the rule by which options are left out may become stricter with each release: what was kept before has to come
back.
"""


def read_kept(stored: SetReader) -> bytes:
    """
    Return the file of a set; VerifyError where it is none that `without_secrets` writes.

    Airflow runs programs that its configuration names (``..._cmd``): a set that brings one is not ours.
    """
    set_id, data = stored.manifest.set_id, read_text(stored, STREAM)
    if not data.startswith(_HEAD.encode()):
        raise VerifyError(f"the configuration in set '{set_id}' is empty, or not one that was kept")
    try:
        text = data.decode()
        parser = _read(text)
    except (Error, UnicodeDecodeError):
        raise VerifyError(f"the configuration in set '{set_id}' cannot be read") from None
    wrong = _refused_in(parser)
    if wrong:
        raise VerifyError(
            f"the configuration in set '{set_id}' has what is never kept: {', '.join(wrong[:5])}",
            hint="who wrote it? sets can be signed",
        )
    if _BETWEEN.sub("", text.removeprefix(_HEAD), count=1) != _written(parser):
        raise VerifyError(
            f"the configuration in set '{set_id}' is not written as one that was kept"
        )
    return data


def read_text(stored: SetReader, stream: str) -> bytes:
    """Return a stream that is kept in memory; VerifyError where it is larger than any that is written."""
    size = sum(piece.raw_size for piece in stored.manifest.pieces_of(stream))
    if size > _MOST_BYTES:
        raise VerifyError(f"{stream} of set '{stored.manifest.set_id}' has {size:,} bytes")
    return b"".join(stored.blocks(stream))


def _is_left_out(configuration: Configuration, setting: Setting) -> bool:
    section, option, raw = setting
    return not _comes_back(setting) or any(
        may_be_secret(option, value, section=section)
        for value in (raw, configuration.resolved(setting))
    )


def _tied_to(out: Sequence[Setting], settings: Sequence[Setting]) -> set[Setting]:
    """
    Return what is left out, with what it is made of, and with what is made of it.

    A password may be put together of options with harmless names (``%(name)s``), and an option that refers to one
    that is missing is one that Airflow cannot read.
    """
    ties: dict[Setting, set[Setting]] = {each: set() for each in settings}
    by_name = {each[:2]: each for each in settings}
    for setting in settings:
        for name in _REFERENCE.findall(setting.raw.replace("%%", "")):
            for section in (setting.section, "DEFAULT"):
                if (other := by_name.get((section, name.lower()))) is not None:
                    ties[setting].add(other)
                    ties[other].add(setting)
    found, ahead = set(out), list(out)
    while ahead:
        for each in ties[ahead.pop()] - found:
            found.add(each)
            ahead.append(each)
    return found


def _refused_in(parser: RawConfigParser) -> Sequence[str]:
    return [
        f"{section}/{option}"
        for section in parser.sections()
        for option, value in parser.items(section)
        if value and _REFUSED.fullmatch(option.lower())
    ]


def _comes_back(setting: Setting) -> bool:
    """Whether a file says the same again; lines that begin like comments, for example, do not come back."""
    parser = _parser()
    try:
        parser.add_section(setting.section)
        parser.set(setting.section, setting.option, setting.raw)
        text = _written(parser)
        text.encode()  # a variable may have bytes that are no text
        return _read(text).get(setting.section, setting.option) == setting.raw
    except (Error, ValueError):
        return False


def _written(parser: RawConfigParser) -> str:
    out = StringIO()
    parser.write(out)
    return out.getvalue()


def _read(text: str) -> RawConfigParser:
    """Read a text as Airflow reads a file: a carriage return ends a line, too."""
    parser = _parser()
    parser.read_file(StringIO(text, newline=None))
    return parser


def _parser() -> RawConfigParser:
    return RawConfigParser(default_section="\0")
