"""
Airflow's configuration as a worker finds it: the file ``airflow.cfg``, and over it the variables
``AIRFLOW__SECTION__OPTION``.

Read without Airflow, because this engine also runs where there is none. Programs (``..._cmd``) are not run for it and
no secrets backend is asked (``..._secret``): what they would say is unknown here.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from configparser import (
    ConfigParser,
    DuplicateOptionError,
    DuplicateSectionError,
    Error,
    RawConfigParser,
)
from dataclasses import dataclass
from typing import NamedTuple

from airflow_backup.core.errors import ConfigError, SourceDenied, SourceError
from airflow_backup.core.paths.roots import open_real, real_path

HIDDEN = "airflow-db-not-allowed:"
"""What Airflow puts into the place of the database's address before it starts a task."""

_VARIABLE = re.compile(r"AIRFLOW__([A-Z0-9_]+?)__([A-Z0-9_]+)")
_OF_A_TEAM = re.compile(r"AIRFLOW__[A-Z0-9_]+?___[A-Z0-9]")
_REFERENCE = re.compile(r"\$(\w+|\{[^}]*\})")
_MOST_BYTES = 2 * 2**20
_MOST_ROUNDS = 10


class Value(NamedTuple):
    """What an option is; without a text, why that is not known here, or nothing where nobody set it."""

    text: str | None = None
    unknown: str | None = None


class Setting(NamedTuple):
    """One option that somebody set, as a file would write it."""

    section: str
    option: str
    raw: str


def home_of(home: str | None, environ: Mapping[str, str]) -> str:
    """
    Return the folder of Airflow: the one that is given, else that of the process.

    >>> home_of(None, {"AIRFLOW_HOME": "/opt/airflow"}), home_of("/srv/other", {"AIRFLOW_HOME": "/opt/airflow"})
    ('/opt/airflow', '/srv/other')
    """
    return home or os.path.abspath(expanded(environ.get("AIRFLOW_HOME") or "~/airflow", environ))


def config_file(home: str | None, environ: Mapping[str, str]) -> str:
    """Return the path of ``airflow.cfg``."""
    if is_own(home, environ) and environ.get("AIRFLOW_CONFIG"):
        return os.path.abspath(expanded(environ["AIRFLOW_CONFIG"], environ))
    return os.path.join(home_of(home, environ), "airflow.cfg")


def is_own(home: str | None, environ: Mapping[str, str]) -> bool:
    """Whether the folder is that of this process, so that its variables count."""
    return home is None or os.path.realpath(home) == os.path.realpath(home_of(None, environ))


def expanded(text: str, environ: Mapping[str, str]) -> str:
    """
    Put in the variables and ``~`` of a text, also those in what was put in, as Airflow does.

    >>> expanded("$AIRFLOW_HOME/dags/${TEAM}/$GONE", {"AIRFLOW_HOME": "/opt/${TEAM}", "TEAM": "bi"})
    '/opt/bi/dags/bi/$GONE'
    """
    for _ in range(_MOST_ROUNDS):
        found = _REFERENCE.sub(lambda hit: environ.get(hit[1].strip("{}"), hit[0]), text)
        found = os.path.expanduser(found)
        if found == text:
            break
        text = found
    return text


@dataclass(frozen=True)
class Configuration:
    """What is set in the file and by variables; defaults of Airflow are not in it."""

    home: str
    file: str
    environ: Mapping[str, str]
    """The variables that count: none for the folder of another Airflow."""

    parser: ConfigParser
    raw: RawConfigParser

    @classmethod
    def read(
        cls,
        home: str | None,
        environ: Mapping[str, str],
        *,
        within: Sequence[str] | None = None,
    ) -> Configuration:
        """
        Read the file, where there is one; ConfigError where it is none that Airflow could read.

        ``within`` are folders in which it must lie, whether it is there or not: what variables say is the same secret.
        """
        path = config_file(home, environ)
        text = _text_of(path, within)
        found = cls(
            home=home_of(home, environ),
            file=path,
            environ=environ if is_own(home, environ) else {},
            parser=ConfigParser(),
            # No section gives its options to the others here: they are to be kept once, where they are.
            raw=RawConfigParser(default_section="\0"),
        )
        for parser in (found.parser, found.raw):
            _parse(parser, text, path)
        return found

    def get(self, section: str, option: str) -> Value:
        """Return an option as Airflow would: the variable first, then the file."""
        variable = f"AIRFLOW__{section}__{option}".upper()
        told = self.environ.get(variable)
        if told is not None:
            if told.startswith(HIDDEN):
                return Value(unknown="Airflow hides it from tasks")
            return Value(self.expanded(told))
        if any(f"{variable}{end}" in self.environ for end in ("_CMD", "_SECRET")):
            return Value(
                unknown=f"a program or a secrets backend tells it, named by {variable}_CMD or _SECRET"
            )
        if (text := self.in_file(section, option)) is not None:
            return Value(text)
        if any(self.parser.has_option(section, f"{option}{end}") for end in ("_cmd", "_secret")):
            return Value(unknown=f"a program or a secrets backend tells it, named in '{self.file}'")
        return Value()

    def in_file(self, section: str, option: str) -> str | None:
        """Return what the file says of an option, whatever the variables say."""
        if not self.parser.has_option(section, option):
            return None
        return self.expanded(self._plain(section, option))

    def expanded(self, text: str) -> str:
        """Put in variables as Airflow does; ``$AIRFLOW_HOME`` is the folder that this is about."""
        return expanded(text, {**self.environ, "AIRFLOW_HOME": self.home})

    def settings(self) -> Iterator[Setting]:
        """Yield what is set, the variables over the file, each as a file would write it."""
        found = {
            (section, option): value or ""
            for section in self.raw.sections()
            for option, value in self.raw.items(section)
        }
        for name, value in sorted(self.environ.items()):
            if (hit := _VARIABLE.fullmatch(name)) and not hit[2].startswith("_"):
                found[hit[1].lower(), hit[2].lower()] = value.replace("%", "%%")
        for (section, option), raw in found.items():
            yield Setting(section, option, raw)

    def resolved(self, setting: Setting) -> str:
        """Return what Airflow takes a setting for, where the file says it and it refers to others."""
        try:
            if self.raw.get(setting.section, setting.option) == setting.raw:
                return self.parser.get(setting.section, setting.option)
        except Error:
            pass  # not in the file, or nothing that Airflow could read: then only its own text says what it is
        return setting.raw

    def beside(self) -> list[str]:
        """Name the variables that no file can stand for: connections, variables, and the options of a team."""
        return sorted(
            ascii(name)[1:-1]  # a name may have any characters, also ends of lines
            for name, text in self.environ.items()
            if text
            and (name.startswith(("AIRFLOW_CONN_", "AIRFLOW_VAR_")) or _OF_A_TEAM.match(name))
        )

    def _plain(self, section: str, option: str) -> str:
        try:
            return self.parser.get(section, option)
        except Error:  # its message shows the value
            raise ConfigError(
                f"[{section}] {option} in '{self.file}' has a % that Airflow cannot read",
                hint="a % is written %% there",
            ) from None


def _text_of(path: str, within: Sequence[str] | None) -> str:
    real = real_path(path, within, what="the configuration")
    try:
        descriptor = (
            os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
            if within is None
            else open_real(real, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        )
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise SourceError(f"'{path}' is not a file", hint=f"ls -l {path}")
        with open(descriptor, "rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return ""  # all may be in variables
    except PermissionError as error:
        raise SourceDenied(f"may not read '{path}'", hint=f"ls -l {path}") from error
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise SourceError(f"cannot read '{path}': {why}", hint=f"ls -l {path}") from error
    if len(data) > _MOST_BYTES:
        raise ConfigError(f"'{path}' is larger than {_MOST_BYTES:,} bytes, and so no configuration")
    try:
        # What Python's text files take for an end of line, and so Airflow.
        return data.decode().replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"line {line} of '{path}' is not UTF-8, and Airflow cannot read it"
        ) from None


def _parse(parser: RawConfigParser, text: str, path: str) -> None:
    try:
        parser.read_string(text)
    except (DuplicateOptionError, DuplicateSectionError) as error:
        raise ConfigError(
            f"line {error.lineno} of '{path}' says something for the second time"
        ) from None
    except Error as error:  # its message shows the line, and that may hold a password
        errors = getattr(error, "errors", None)
        line = errors[0][0] if errors else getattr(error, "lineno", "?")
        raise ConfigError(
            f"line {line} of '{path}' is not one that Airflow can read", hint="airflow config list"
        ) from None
