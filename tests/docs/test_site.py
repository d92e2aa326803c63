"""The docs as a site: built without a warning, every link and anchor leads somewhere, and all of it reads offline."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest

from support.airflow.home import chromium, require_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[2]
FETCHED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src"}
"""What a browser loads by itself, by tag."""


@dataclass
class Seen(HTMLParser):
    """What a built page has: anchors, links, and what it loads."""

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what leads somewhere, or is led to."""
        has = {name: value for name, value in attrs if value is not None}
        self.anchors |= {has[name] for name in ("id", "name") if name in has}
        if tag == "a" and "href" in has:
            self.links.append(has["href"])
        if tag in FETCHED and FETCHED[tag] in has:
            self.loads.append(has[FETCHED[tag]])


def read(page: Path) -> Seen:
    """Read one built page."""
    seen = Seen()
    seen.feed(page.read_text(encoding="utf-8"))
    return seen


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site, strictly, as `scripts/docs` does it; return the folder of this version."""
    folder = tmp_path_factory.mktemp("site")
    for version in ("0.0.9", "0.0.10"):
        done = subprocess.run(
            [
                *(sys.executable, ROOT / "scripts/build_docs.py"),
                *("--to", folder, "--version", version),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / "0.0.10"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Seen]:
    """Return what every built page has."""
    found = {page: read(page) for page in site.rglob("*.html")}
    assert len(found) > 50
    return found


def broken(pages: dict[Path, Seen]) -> Iterator[str]:
    """Name each link, anchor and loaded file of the pages that is not there."""
    for page, seen in pages.items():
        for target in [*seen.links, *seen.loads]:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            path = unquote(parts.path)
            if page.name == "404.html" and path.startswith("/"):
                continue  # it stands for any address: its links begin at the top of the server
            led = (page.parent / path).resolve() if path else page
            if not led.is_file():
                yield f"{page.name}: {target}: no such file"
            elif unquote(parts.fragment) not in {"", *(pages[led].anchors if led in pages else ())}:
                yield f"{page.name}: {target}: no such anchor"


def test_every_link_and_every_anchor_leads_somewhere(pages: dict[Path, Seen]) -> None:
    assert list(broken(pages)) == []


def test_what_is_broken_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        '<h1 id="here"><a href="#here"><a href="#gone"><a href="lost.html"><img src="lost.png">'
    )
    assert [line.rpartition(": ")[2] for line in broken({page: read(page)})] == [
        *("no such anchor", "no such file", "no such file")
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a](how-to/files.md)", None),
        ("[a](cli/main.py)", None),
        ("[a](docs/how-to/gone.md)", "leads nowhere"),
    ],
)
def test_a_link_of_a_page_leads_somewhere_in_the_tree(text: str, message: str | None) -> None:
    code = (
        "import sys; sys.path.insert(0, 'scripts'); import build_docs as b; p = b.sources();"
        f"print(b.led_within({text.replace('how-to/f', 'docs/how-to/f')!r}, 'README.md', p)); b.check_navigation(p);"
        "p.pop('docs/how-to/files.md'); b.check_navigation(p)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (message or "names how-to/files.md, which is not there") in done.stderr
    if message is None:
        assert done.stdout.strip() in ("[a](how-to/files.md)", "a")


def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, Seen]) -> None:
    assert [load for seen in pages.values() for load in seen.loads if "//" in load] == []
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert "url(http" not in styles.replace('"', "").replace("'", "")


def test_every_page_is_reached_from_the_first_one(site: Path, pages: dict[Path, Seen]) -> None:
    reached, left = set[Path](), [site / "index.html"]
    while left:
        page = left.pop()
        if page not in reached and page in pages:
            reached.add(page)
            links = (urlsplit(link) for link in pages[page].links)
            left += [
                (page.parent / link.path).resolve()
                for link in links
                if not link.netloc and link.path
            ]
    assert set(pages) - reached == {site / "404.html"}


def test_versions_lie_side_by_side_and_the_newest_is_opened(site: Path) -> None:
    assert (site.parent / "versions.js").read_text() == 'showVersions(["0.0.10", "0.0.9"]);\n'
    assert 'url=0.0.10/index.html"' in (site.parent / "index.html").read_text()
    assert "0.0.10" in (site / "index.html").read_text()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium; skip where there is none, but never in CI."""
    require_chromium()
    with chromium() as started:
        yield started


def opened(browser: Browser, page: Path, *, width: int) -> tuple[Page, list[str]]:
    """Open a page of the site as a file, without any network; return it, and what it could not load or run."""
    context = browser.new_context(offline=True, viewport={"width": width, "height": 844})
    shown = context.new_page()
    complaints: list[str] = []
    shown.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    shown.on("pageerror", lambda error: complaints.append(str(error)))
    shown.on("requestfailed", lambda request: complaints.append(f"not loaded: {request.url}"))
    shown.goto(page.as_uri())
    return shown, complaints


@pytest.mark.browser
def test_the_site_is_searched_from_a_folder_without_a_network(site: Path, browser: Browser) -> None:
    shown, _ = opened(browser, site / "reference" / "schedules.html", width=1280)
    shown.get_by_role("button", name="Search").first.click()
    shown.keyboard.type("object lock")
    # The menu beside the page has the link, too, out of sight.
    found = shown.locator("a[href*='storage.html']").filter(visible=True)
    found.first.wait_for(timeout=60_000)
    assert shown.locator("input").last.input_value() == "object lock"


@pytest.mark.browser
def test_a_reader_changes_to_another_version(site: Path, browser: Browser) -> None:
    shown, _ = opened(browser, site / "reference" / "words.html", width=1280)
    choice = shown.get_by_label("Version")
    choice.wait_for(timeout=60_000)
    assert choice.input_value() == "0.0.10"
    choice.select_option("0.0.9")
    shown.wait_for_url("**/0.0.9/index.html", timeout=60_000)


@pytest.mark.browser
@pytest.mark.parametrize(
    "name", ["index.html", "reference/schedules.html", "how-to/databases.html"]
)
def test_a_page_fits_a_phone_and_complains_of_nothing(
    site: Path, browser: Browser, name: str
) -> None:
    shown, complaints = opened(browser, site / name, width=390)
    shown.get_by_role("heading", level=1).wait_for(timeout=60_000)
    assert shown.evaluate("document.documentElement.scrollWidth") <= 390
    assert complaints == []
