"""A set is taken, verified, and brought back by a person on the page: a real Airflow, a real browser."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import airflow_backup
from support.airflow.home import AirflowHome, chromium, require_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.service, pytest.mark.slow(minutes=2)]

SCHEDULES = """\
version: 1
schedules:
  - {{id: wiki, source: {{engine: files, path: {folder}/wiki}}, preset: weekly, timezone: Europe/Berlin,
     repository: "file://{folder}/repository", retention: {{last: 3}}, verify: {{restore_test: weekly}}}}
"""
MINUTE = 60_000


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowHome]:
    """Start all of Airflow with one schedule."""
    folder = tmp_path_factory.mktemp("restore")
    (folder / "wiki").mkdir()
    (folder / "wiki" / "page.md").write_text("what was there\n")
    (folder / "wiki" / "other.md").write_text("what nobody asked for\n")
    with AirflowHome(folder / "home", schedules=SCHEDULES.format(folder=folder)) as home:
        home.start()
        yield home


@pytest.fixture
def page(airflow: AirflowHome) -> Iterator[Page]:
    """Open a window, logged in as admin; skip where there is no browser, but never in CI."""
    from playwright.sync_api import expect

    expect.set_options(timeout=MINUTE)
    require_chromium()
    bundle = Path(airflow_backup.__file__).parent / "plugin" / "static" / "main.js"
    assert bundle.is_file(), "the page is not built: npm --prefix ui run build"
    with chromium() as browser:
        window = browser.new_page(
            timezone_id="Europe/Berlin", viewport={"width": 1440, "height": 1000}
        )
        window.set_default_timeout(MINUTE)
        window.goto(f"{airflow.api_url}auth/login")
        window.fill('input[name="username"]', "admin")
        window.fill('input[name="password"]', "admin")
        window.click('button[type="submit"]')
        window.wait_for_url(re.compile(r"^(?!.*/auth/)"))
        yield window
        window.close()


def test_a_set_is_verified_and_brought_back_on_the_page(page: Page, airflow: AirflowHome) -> None:
    from playwright.sync_api import expect

    page.goto(f"{airflow.api_url}plugin/backup/wiki")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Run now").click()
    run = dialog.get_by_test_id("run").first
    expect(run).to_have_attribute("data-status", "completed", timeout=2 * MINUTE)
    dialog.get_by_role("tab", name="Sets and restore").click()
    stored = dialog.get_by_test_id("set").first
    expect(stored).to_contain_text("Verified: restored and compared", timeout=2 * MINUTE)
    expect(stored).to_contain_text("Kept: one of the last recoverable chain")
    expect(dialog).to_contain_text("(as measured)", timeout=MINUTE)
    if (shot := os.environ.get("BACKUP_SCREENSHOT")) is not None:
        page.screenshot(path=shot)

    dialog.get_by_role("button", name="Restore …").click()
    guide = page.get_by_role("region", name="Restore", exact=True)
    button = guide.get_by_role("button", name="Restore", exact=True)
    expect(button).to_be_disabled()
    guide.get_by_role("button", name="Look into the set …").click()
    expect(guide.get_by_test_id("entry")).to_have_count(2, timeout=2 * MINUTE)
    if (shot := os.environ.get("BACKUP_SCREENSHOT")) is not None:
        page.screenshot(path=f"{shot}.contents.png")
    guide.get_by_text("page.md", exact=True).locator("xpath=../label").click()
    expect(guide.get_by_label("Only these files and folders")).to_have_value("page.md")
    guide.get_by_label(re.compile("^Folder")).fill("back")
    expect(guide).to_contain_text("--to back --path page.md")
    guide.get_by_label("Type wiki to confirm").fill("wiki")
    button.click()
    restore = guide.get_by_test_id("restore").first
    expect(restore).to_be_focused()
    expect(restore).to_have_attribute("data-status", "completed", timeout=2 * MINUTE)
    expect(restore).to_contain_text("Brought back 2 files, 15 B")  # and the folder
    back = airflow.folder / "restores" / "back"
    assert (back / "page.md").read_text() == "what was there\n"
    assert not (back / "other.md").exists()


def test_what_is_typed_is_tried_before_it_is_saved(page: Page, airflow: AirflowHome) -> None:
    from playwright.sync_api import expect

    folder = airflow.folder.parent
    page.goto(f"{airflow.api_url}plugin/backup")
    page.get_by_role("button", name="New schedule").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("tab", name="YAML").click()
    text = dialog.get_by_label("The schedule as YAML")
    lines = [
        "id: typed",
        f"source: {{engine: files, path: {folder}/wiki}}",
        f"repository: file://{folder}/repository",
        "preset: daily",
    ]
    text.fill("\n".join(lines))
    tried = dialog.get_by_role("region", name="Dry run")
    tried.get_by_role("button", name="Dry run").click()
    expect(tried).to_contain_text("A run would take a full set of 2 files, 37 B.", timeout=MINUTE)
    if (shot := os.environ.get("BACKUP_SCREENSHOT")) is not None:
        page.screenshot(path=f"{shot}.dry-run.png")
    text.fill("\n".join(lines).replace("/wiki}", "/nothing}"))
    expect(tried).not_to_contain_text("2 files")
    tried.get_by_role("button", name="Dry run").click()
    expect(tried).to_contain_text("A run would fail", timeout=MINUTE)
    expect(tried).to_contain_text(f"annot read '{folder}/nothing'")


def test_a_restore_that_fails_says_why_on_the_page(page: Page, airflow: AirflowHome) -> None:
    from playwright.sync_api import expect

    page.goto(f"{airflow.api_url}plugin/backup/wiki")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("tab", name="Sets and restore").click()
    dialog.get_by_role("button", name="Restore …").click()
    guide = page.get_by_role("region", name="Restore", exact=True)
    guide.get_by_label(re.compile("^Folder")).fill("/etc/backup")
    guide.get_by_label("Type wiki to confirm").fill("wiki")
    guide.get_by_role("button", name="Restore", exact=True).click()
    restore = guide.get_by_test_id("restore").first
    expect(restore).to_have_attribute("data-status", "failed", timeout=2 * MINUTE)
    expect(restore).to_contain_text("'/etc/backup' does not lie below")
