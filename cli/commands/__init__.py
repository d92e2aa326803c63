"""One module per command; each has `add_to(commands)`. A command line imports the one that it names."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Protocol, cast

MODULES = {
    "validate": "config.validate",
    "diff": "config.diff",
    "schema": "config.schema",
    "setup": "config.setup",
    "next": "config.next_",
    "list": "sets.list_",
    "show": "sets.show",
    "run": "sets.run",
    "status": "sets.status",
    "monitor": "sets.monitor",
    "notify": "sets.notify",
    "report": "sets.report",
    "coverage": "config.coverage",
    "verify": "sets.verify",
    "contents": "sets.contents",
    "restore": "sets.restore",
    "prune": "sets.prune",
    "sync": "sets.sync",
    "export": "config.export",
    "import": "config.import_",
    "init": "sets.init",
    "db": "config.db",
    "keygen": "config.keygen",
    "help": "config.help_",
}
"""Where each command is, in the order in which they are listed."""


class Command(Protocol):
    """The module of a command."""

    def add_to(self, commands: Any) -> None:
        """Add the command's parser to the subparsers; its ``run`` takes the arguments and returns the exit code."""


def module_of(name: str) -> Command:
    """Import the module of a command; KeyError where there is none."""
    return cast(Command, import_module(f"{__name__}.{MODULES[name]}"))
