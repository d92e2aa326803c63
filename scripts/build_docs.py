"""
Build the docs as a site: gather the pages, lead their links within the site, and let Zensical write it, strictly.

A page is written to be read on its own in the tree. The site has no place for code, so that a link to a module or a
test becomes its text; README, changelog, benchmarks and rules come in from outside of docs/.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from draw_rooms import picture

from airflow_backup import __version__

ROOT = Path(__file__).absolute().parents[1]
FROM_OUTSIDE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changes.md",
    "CONTRIBUTING.md": "contributing.md",
    "CODE_OF_CONDUCT.md": "conduct.md",
    "SECURITY.md": "report-a-hole.md",
    "ui/public/icon.svg": "site/icon.svg",
    "ui/public/icon-dark.svg": "site/icon-dark.svg",
}
"""What of the tree lies outside of docs/, and where the site has it."""

LEFT_OUT = {"docs/site/zensical.toml"}
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
ABSOLUTE = re.compile(r"[a-z]+:|#")
MERMAID = re.compile(r"```mermaid\n.*?```", re.DOTALL)


def sources(root: Path = ROOT) -> dict[str, str]:
    """Return where each file of the tree that the site has lies in it, by its path in the tree."""
    folders = [*(root / "docs").rglob("*"), *(root / "benchmarks").rglob("*.md")]
    names = sorted(path.relative_to(root).as_posix() for path in folders if path.is_file())
    placed = {name: name.removeprefix("docs/") for name in names if name not in LEFT_OUT}
    placed |= {name: to for name, to in FROM_OUTSIDE.items() if (root / name).is_file()}
    return {name: to.replace("README.md", "index.md") for name, to in placed.items()}


def led_within(text: str, page: str, placed: dict[str, str]) -> str:
    """
    Return a page with its links as the site has them; what the site has not is its text alone.

    >>> placed = {"README.md": "index.md", "docs/how-to/files.md": "how-to/files.md", "docs/security.md": "security.md"}
    >>> led_within("[a](docs/how-to/files.md#b), [c](cli/main.py)", "README.md", placed)
    'a](how-to/files.md#b), c'
    """
    here = PurePosixPath(placed[page]).parent

    def lead(found: re.Match[str]) -> str:
        picture, label, target = found.groups()
        if ABSOLUTE.match(target):
            return found[0]
        path, hash_, anchor = target.partition("#")
        name = os.path.normpath(PurePosixPath(page).parent / path)
        to = placed.get(name) or placed.get(f"{name}/README.md")
        if to is None and (ROOT / name).is_dir() and name == "docs/decisions":
            to = "decisions/index.md"
        if to is None and not (ROOT / name).exists():
            raise SystemExit(f"{page}: {target} leads nowhere\nHINT: was it renamed?")
        if to is None:
            return label
        return f"{picture}[{label}]({os.path.relpath(to, here)}{hash_}{anchor})"

    return LINK.sub(lead, text)


def check_navigation(placed: dict[str, str]) -> None:
    """
    Raise where the navigation names a page that is not there, or has none for one that is; lists have those of their
    kind.
    """
    named, there = navigation(), {to for to in placed.values() if to.endswith(".md")}
    listed = {to for to in there if to.startswith(("benchmarks/", "decisions/"))} | {"conduct.md"}
    if lost := sorted(named - there - {"decisions/index.md"}):
        raise SystemExit(f"docs/site/zensical.toml names {lost[0]}, which is not there")
    if left := sorted(there - named - listed):
        raise SystemExit(f"docs/site/zensical.toml has no place for {left[0]}\nHINT: add it to nav")


def gather(into: Path) -> None:
    """Write the pages of the site, ready to be built, into an empty folder."""
    placed = sources()
    check_navigation(placed)
    for name, to in placed.items():
        target = into / to
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix == ".md":
            text = led_within((ROOT / name).read_text(encoding="utf-8"), name, placed)
            text = MERMAID.sub(lambda found: picture(found[0]), text)
            target.write_text(text, encoding="utf-8")
        else:
            shutil.copyfile(ROOT / name, target)
    (into / "decisions/index.md").write_text(list_of_decisions(into), encoding="utf-8")


def list_of_decisions(into: Path) -> str:
    """Return the page that lists all decisions by their titles."""
    pages = sorted((into / "decisions").glob("0*.md"))
    titles = [page.read_text(encoding="utf-8").partition("\n")[0][2:] for page in pages]
    lines = [f"- [{title}]({page.name})" for page, title in zip(pages, titles, strict=True)]
    return "\n".join(
        [
            "# Decisions",
            "",
            "Choices that a newcomer would question, each with what was not chosen.",
            "",
            *lines,
            "",
        ]
    )


def build(site: Path, version: str = __version__) -> Path:
    """Build this version into its folder of the site, and return that; raise when there is one warning."""
    with tempfile.TemporaryDirectory(prefix="airflow-backup-docs-") as name:
        work = Path(name)
        gather(work / "docs")
        config = (ROOT / "docs/site/zensical.toml").read_text(encoding="utf-8")
        (work / "zensical.toml").write_text(config.replace("VERSION", version), encoding="utf-8")
        zensical = Path(sys.executable).parent / "zensical"
        done = subprocess.run(
            [zensical, "build", "--strict"],
            cwd=work,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "NO_COLOR": "1"},
        )
        if done.returncode != 0:
            raise SystemExit(f"{done.stdout}{done.stderr}")
        (work / "site/sitemap.xml").unlink(
            missing_ok=True
        )  # empty, where nobody knows the address of the site
        target = site / version
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(work / "site", target)
    list_versions(site)
    return target


def list_versions(site: Path) -> None:
    """Write what the choice of versions reads, and the page that leads to the newest one."""
    found = sorted(
        (path.parent.name for path in site.glob("*/index.html")), key=_order, reverse=True
    )
    (site / "versions.js").write_text(f"showVersions({json.dumps(found)});\n", encoding="utf-8")
    newest = f"{found[0]}/index.html"
    (site / "index.html").write_text(
        '<!doctype html><meta charset="utf-8"><title>airflow-backup</title>'
        f'<meta http-equiv="refresh" content="0; url={newest}"><a href="{newest}">airflow-backup {found[0]}</a>\n',
        encoding="utf-8",
    )


def _order(version: str) -> list[tuple[bool, int, str]]:
    parts = re.split(r"[.+]", version)
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


def in_navigation(items: Iterable[object]) -> set[str]:
    """Return the pages that a navigation names."""
    found: set[str] = set()
    for item in items:
        if isinstance(item, str):
            found.add(item)
        elif isinstance(item, dict):
            found |= in_navigation(item.values())
        elif isinstance(item, list):
            found |= in_navigation(item)
    return found


def navigation() -> set[str]:
    """Return the pages that the navigation of the site names."""
    config = tomllib.loads((ROOT / "docs/site/zensical.toml").read_text(encoding="utf-8"))
    return in_navigation(config["project"]["nav"])


if __name__ == "__main__":
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--to", type=Path, default=ROOT / "site", help="the folder of the site")
    reader.add_argument("--version", default=__version__, help="the folder in it")
    options = reader.parse_args()
    print(build(options.to, options.version) / "index.html")
