"""
Takes the pictures of the docs: run `scripts/screenshots` after the page has changed, and look at what came out.

Each situation in both themes, on a desk and on a phone. The server is a real one over a made-up month.
"""

from __future__ import annotations

import base64
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from playwright.sync_api import expect

from browser.audit import log_in  # found through the line above
from browser.demo import (
    Past,
    beat,
    demo_home,
    fail,
    fill,
    fill_many,
    let_run,
    prepare,
    prove,
    rewrite,
)
from browser.demo_schedules import HEALTHY, MANY, UNPROVEN
from support.airflow.home import AirflowHome, chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

IMAGES = TESTS.parent / "docs" / "images"
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SIZES = ((1440, 900), (390, 844))
QUALITY = 82
MINUTE = 60_000


class Studio:
    """Takes one situation after the other, in windows that stay open."""

    def __init__(self, browser: Browser, home: AirflowHome, folder: Path, only: set[str]) -> None:
        self._home, self._folder, self._only = home, folder, only
        self._windows = {
            (theme, user): self._open(browser, theme, user)
            for theme in THEMES
            for user in ("admin", "viewer")
        }

    def take(
        self, name: str, show: Callable[[Page], None], *, path: str = "", user: str = "admin"
    ) -> None:
        """Go there, show what is meant, and take it in both themes and sizes."""
        if self._only and name not in self._only:
            return
        for theme in THEMES:
            page = self._windows[theme, user]
            _resize(page, *SIZES[0])
            page.goto(f"{self._home.api_url}plugin/backup{path}")
            show(page)
            for width, height in SIZES:
                _resize(page, width, height)
                _shoot(page, self._folder / f"{name}-{theme}-{width}.webp")
            page.context.set_offline(False)

    def _open(self, browser: Browser, theme: Literal["light", "dark"], user: str) -> Page:
        context = browser.new_context(
            timezone_id="Europe/Berlin",
            color_scheme=theme,
            reduced_motion="reduce",
            viewport={"width": SIZES[0][0], "height": SIZES[0][1]},
        )
        page = context.new_page()
        page.set_default_timeout(2 * MINUTE)
        log_in(page, self._home, user)
        return page


def _resize(page: Page, width: int, height: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_timeout(600)


def _shoot(page: Page, file: Path) -> None:
    page.mouse.move(0, 0)
    browser = page.context.new_cdp_session(page)
    taken = browser.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    browser.detach()
    file.write_bytes(base64.b64decode(taken["data"]))


def overview(page: Page) -> None:
    page.get_by_test_id("schedule-orders").wait_for()
    page.get_by_role("region", name="The next 24 hours").wait_for()
    page.wait_for_timeout(1500)


def first_run(page: Page) -> None:
    page.get_by_text("Write your first schedule").wait_for()
    page.wait_for_timeout(800)


def cut_off(page: Page) -> None:
    overview(page)
    page.context.set_offline(True)
    page.get_by_role("heading", level=1, name="Not updated since").wait_for()
    page.wait_for_timeout(12_000)


def history(page: Page) -> None:
    page.get_by_role("dialog").get_by_test_id("run").first.wait_for()
    page.wait_for_timeout(800)


def sets(page: Page) -> None:
    page.get_by_role("dialog").get_by_role("tab", name="Sets and restore").click()
    page.get_by_role("dialog").get_by_test_id("set").first.wait_for()
    page.wait_for_timeout(1500)


def restore(page: Page) -> None:
    sets(page)
    page.get_by_role("button", name="Restore …").click()
    page.get_by_role("button", name="Restore", exact=True).scroll_into_view_if_needed()
    page.wait_for_timeout(500)


def chains(page: Page) -> None:
    sets(page)
    page.get_by_role("button", name="Details of set").first.click()
    page.get_by_text("Restore it on a shell").wait_for()
    page.get_by_test_id("chain").first.evaluate("(each) => each.scrollIntoView()")
    page.wait_for_timeout(500)


def retention(page: Page) -> None:
    sets(page)
    page.get_by_role("button", name="Try other rules").click()
    page.get_by_label("Daily").fill("5")
    page.get_by_label("Weekly").fill("")
    page.get_by_text("These rules keep").wait_for()
    page.get_by_role("button", name="Try other rules").evaluate("(each) => each.scrollIntoView()")
    page.wait_for_timeout(500)


def list_on_top(page: Page) -> None:
    overview(page)
    page.get_by_role("region", name="Schedules").evaluate("(each) => each.scrollIntoView()")


def new_schedule(page: Page) -> None:
    page.get_by_role("button", name="New schedule").click()
    drawer = page.get_by_role("dialog")
    for name, text in (
        ("id", "gitlab-repos"),
        ("description", "Git repositories"),
        ("source.path", "/srv/gitlab/git-data"),
        ("repository", "s3://acme-backups/production"),
        ("connection", "aws_backup"),
        ("timezone", "Europe/Berlin"),
        ("tags", "prod"),
    ):
        drawer.locator(f'[name="{name}"]').fill(text)
    drawer.locator('select[name="when"]').select_option("levels")
    drawer.locator('input[name="full"]').fill("0 1 * * sun")
    drawer.locator('input[name="incremental"]').fill("0 1 * * mon-sat")
    drawer.locator('select[name="window"]').select_option("off_hours")
    expect(drawer.get_by_role("button", name="Create schedule")).to_be_enabled(timeout=60_000)
    expect(drawer.get_by_role("region", name="Next runs")).to_contain_text("incremental")
    drawer.get_by_role("tab", name="Form").scroll_into_view_if_needed()


def take_all(studio: Studio, home: AirflowHome) -> None:
    """Take every situation, the first day first: what is remembered only grows."""
    studio.take("first-run", first_run)
    rewrite(home, HEALTHY)
    fill(home)
    studio.take("healthy", overview)
    studio.take("dead-server", cut_off)
    studio.take("viewer", list_on_top, user="viewer")
    studio.take("history", history, path="/ledger")
    studio.take("sets", sets, path="/orders")
    studio.take("restore", restore, path="/orders")
    studio.take("chains", chains, path="/orders")
    studio.take("retention", retention, path="/orders")
    studio.take("new-schedule", new_schedule)
    beat(home, dead="SchedulerJob")
    studio.take("dead-scheduler", overview)
    beat(home)
    rewrite(home, UNPROVEN)
    prove(home, "ledger", ago=timedelta(days=25))
    studio.take("at-risk", overview)
    prove(home, "ledger", ago=timedelta(hours=3))
    fail(home, "wiki", ago=timedelta(minutes=51))
    studio.take("failing", overview)
    fill(home, {"wiki": Past(timedelta(minutes=20), timedelta(days=40), 3.9, 1.4)})
    let_run(home)
    studio.take("running", overview)
    rewrite(home, MANY)
    fill_many(home)
    studio.take("many", list_on_top)


def main(folder: Path, only: set[str]) -> None:
    """Start an Airflow that knows nothing yet, and take what is asked for."""
    with demo_home(Path(tempfile.mkdtemp()), "version: 1\nschedules: []\n") as home:
        prepare(home)
        home.start("api-server")
        beat(home)
        with chromium() as browser:
            take_all(Studio(browser, home, folder, only), home)


if __name__ == "__main__":
    main(IMAGES, set(sys.argv[1:]))
