"""The wheel as a release makes it, and environments that have it without the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[3]


def said(
    *command: str | Path, cwd: Path, environment: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Run a command in a clean environment; return its exit code and all that it prints."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=clean | dict(environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def run(*command: str | Path, cwd: Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a command that must end well; return what it prints."""
    code, printed = said(*command, cwd=cwd, environment=environment)
    assert code == 0, f"{command}: {printed[-5000:]}"
    return printed


def built(folder: Path) -> Path:
    """Build the wheel by way of the source distribution, as a release is."""
    build = (sys.executable, "-m", "hatchling", "build", "-d", folder, "-t")
    run(*build, "sdist", cwd=ROOT)
    (archive,) = folder.glob("*.tar.gz")
    run("tar", "-xzf", archive, cwd=folder)
    run(*build, "wheel", cwd=folder / archive.name.removesuffix(".tar.gz"))
    (found,) = folder.glob("*.whl")
    return found


def installed(wheel: Path, pins: str, folder: Path) -> Path:
    """Install the pinned packages of ``requirements/`` and the wheel; return the environment's Python."""
    uv = Path(sys.executable).parent / "uv"
    python = folder / "venv" / "bin" / "python"
    run(uv, "venv", "--quiet", "--python", sys.executable, folder / "venv", cwd=folder)
    install = (uv, "pip", "install", "--quiet", "--python", python)
    run(*install, "--require-hashes", "-r", ROOT / "requirements" / pins, cwd=folder)
    run(*install, "--no-deps", wheel, cwd=folder)
    run(uv, "pip", "check", "--python", python, cwd=folder)
    return python
