"""
Takes the pictures of the docs: run it by hand after the page has changed.

    npm --prefix ui run build && .venv/bin/python tests/browser/screenshots.py
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from browser.demo import LIVE, demo_home, prepare, set_scene  # found through the line above
from support.servers.airflow_fixture import AirflowHome, chromium  # likewise

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

IMAGES = TESTS.parent / "docs" / "images"
WIDTH = 1400
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def main(folder: Path) -> None:
    """Start an Airflow that looks busy, and take every picture in both themes."""
    with demo_home(Path(tempfile.mkdtemp())) as home:
        prepare(home)
        home.start("api-server")
        with home.client("admin") as api:
            api.post(f"backup/api/v1/schedules/{LIVE}/run", json={}).raise_for_status()
        set_scene(home)
        with chromium() as browser:
            for theme in THEMES:
                page = _log_in(browser, home, theme)
                _take(page, home, folder, "" if theme == "light" else "-dark")
                page.close()


def _log_in(browser: Browser, home: AirflowHome, theme: Literal["light", "dark"]) -> Page:
    page = browser.new_page(
        timezone_id="Europe/Berlin", viewport={"width": WIDTH, "height": 1000}, color_scheme=theme
    )
    page.add_init_script(f"localStorage.setItem('theme', '{theme}')")
    page.goto(f"{home.api_url}auth/login")
    page.fill('input[name="username"]', "admin")
    page.fill('input[name="password"]', "admin")
    page.click('button[type="submit"]')
    page.wait_for_url(lambda url: "/auth/" not in url)
    return page


def _take(page: Page, home: AirflowHome, folder: Path, suffix: str) -> None:
    page.goto(f"{home.api_url}plugin/backup")
    page.get_by_test_id("schedule-orders").wait_for()
    page.wait_for_timeout(1500)
    _show_all(page)
    page.screenshot(path=folder / f"page{suffix}.png")
    page.set_viewport_size({"width": WIDTH, "height": 1000})
    _write_a_schedule(page)
    page.screenshot(path=folder / f"new-schedule{suffix}.png")


def _write_a_schedule(page: Page) -> None:
    page.get_by_role("button", name="New schedule").click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_label("Id", exact=False).first.fill("gitlab-repos")
    for name, text in (
        ("description", "Git repositories"),
        ("path", "/var/opt/gitlab/git-data"),
        ("repository", "s3://acme-backups/production"),
        ("connection", "aws_backup"),
        ("timezone", "Europe/Berlin"),
        ("tags", "prod"),
    ):
        drawer.locator(f'input[name="{name}"]').fill(text)
    drawer.locator('select[name="when"]').select_option("levels")
    drawer.locator('input[name="full"]').fill("0 1 * * sun")
    drawer.locator('input[name="incremental"]').fill("0 1 * * mon-sat")
    drawer.locator('select[name="window"]').select_option("off_hours")
    drawer.get_by_text("Next runs").wait_for()
    page.wait_for_timeout(1200)


def _show_all(page: Page) -> None:
    """Make the window as high as the page: Airflow scrolls inside."""
    height = page.evaluate(
        "Math.max(...[...document.querySelectorAll('*')].map(e => e.scrollHeight))"
    )
    page.set_viewport_size({"width": WIDTH, "height": min(int(height) + 20, 1900)})
    page.wait_for_timeout(500)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
