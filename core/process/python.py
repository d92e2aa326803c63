"""Starts our own code in an interpreter of its own: with our packages, and without the worker's environment."""

from __future__ import annotations

import os
import sys

_PREPARE = (
    "import os, runpy, sys\n"
    "sys.path[:0] = [each for each in sys.argv.pop(1).split(os.pathsep) if each]\n"
)
_MODULE = "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)\n"


def module_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of ours."""
    return code_command(_MODULE, module, *arguments)


def code_command(code: str, *arguments: str) -> list[str]:
    """
    Return the command that runs code of ours, which finds ``arguments`` in ``sys.argv[1:]``.

    Folders of `PYTHONPATH` are told by an argument: variables that steer an interpreter are passed on to no program.
    One that is relative would be looked up in whatever folder we are in, so it is left out.
    """
    folders = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    kept = os.pathsep.join(each for each in folders if os.path.isabs(each))
    return [sys.executable, "-P", "-c", _PREPARE + code, kept, *arguments]
