"""The page as a person sees it: a real Airflow, a real browser."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import airflow_backup
from support.servers.airflow_fixture import AirflowHome, chromium, chromium_path

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.service, pytest.mark.slow]

SCHEDULES = """\
version: 1
defaults:
  timezone: Europe/Berlin
  repository: file://{folder}/repository
  retry: {{max_retries: 1, delay: 1s}}
schedules:
  - {{id: wiki, description: Company wiki, tags: [docs],
     source: {{engine: files, path: {folder}/wiki}}, preset: weekly}}
  - {{id: gone, description: Nothing is there,
     source: {{engine: files, path: {folder}/gone}}, preset: weekly}}
  - {{id: broken, source: {{engine: files, path: {folder}/wiki}}, cron: "0 2 30 2 *"}}
"""

MINUTE = 60_000


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowHome]:
    """Start all of Airflow with three schedules, of which one is wrong and one fails."""
    folder = tmp_path_factory.mktemp("browser")
    wiki = folder / "wiki"
    wiki.mkdir()
    for number in range(20):
        (wiki / f"page-{number}.md").write_text(f"page {number}\n" * 200)
    with AirflowHome(folder / "home", schedules=SCHEDULES.format(folder=folder)) as home:
        home.start()
        yield home


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium; skip where there is none, but never in CI."""
    if chromium_path() is None:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no chromium on this machine")
        pytest.skip("there is no chromium on this machine: apt-get install chromium")
    bundle = Path(airflow_backup.__file__).parent / "plugin" / "static" / "main.js"
    assert bundle.is_file(), "the page is not built: npm --prefix ui run build"
    with chromium() as found:
        yield found


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console complained about."""
    return []


@pytest.fixture
def page(browser: Browser, airflow: AirflowHome, complaints: list[str]) -> Iterator[Page]:
    """Open a window, logged in as admin by the real login page."""
    from playwright.sync_api import expect

    expect.set_options(timeout=MINUTE)
    window = browser.new_page(timezone_id="Europe/Berlin", viewport={"width": 1440, "height": 1000})
    window.set_default_timeout(MINUTE)
    window.on("pageerror", lambda error: complaints.append(str(error)))
    log_in(window, airflow, "admin")
    yield window
    window.close()


def log_in(page: Page, airflow: AirflowHome, user: str) -> None:
    """Type name and password where Airflow asks for them."""
    page.goto(f"{airflow.api_url}auth/login")
    page.fill('input[name="username"]', user)
    page.fill('input[name="password"]', user)
    page.click('button[type="submit"]')
    page.wait_for_url(re.compile(r"^(?!.*/auth/)"))


def test_a_schedule_is_switched_run_and_seen_completed(
    page: Page, airflow: AirflowHome, complaints: list[str]
) -> None:
    from playwright.sync_api import expect

    page.get_by_role("link", name="Backups", exact=True).first.click()
    row = page.get_by_test_id("schedule-wiki")
    switch = row.get_by_role("checkbox", name="wiki is enabled")
    expect(switch).to_be_checked(timeout=MINUTE)

    row.locator("[data-scope=switch][data-part=control]").click()
    expect(switch).not_to_be_checked()
    expect(row).to_contain_text("Disabled")
    with airflow.client("admin") as api:
        assert api.get("api/v2/dags/backup__wiki").json()["is_paused"] is True
    row.locator("[data-scope=switch][data-part=control]").click()
    expect(switch).to_be_checked()
    expect(row.get_by_role("button", name="Run wiki now")).to_be_enabled()

    row.get_by_role("button", name="Run wiki now").click()
    expect(page.get_by_role("region", name="Running now")).to_contain_text("wiki")
    expect(row).to_contain_text("Completed", timeout=2 * MINUTE)

    row.get_by_role("button", name="wiki", exact=True).click()
    run = page.get_by_role("dialog").get_by_test_id("run").first
    expect(run).to_have_attribute("data-status", "completed")
    expect(run).to_contain_text("by admin")
    expect(run).to_contain_text(re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{10}"))
    expect(run).to_contain_text("stored of")
    assert complaints == []


def test_a_broken_schedule_is_in_sight_with_its_place(page: Page, airflow: AirflowHome) -> None:
    from playwright.sync_api import expect

    page.goto(f"{airflow.api_url}plugin/backup")
    attention = page.get_by_role("region", name="Needs attention")
    expect(attention).to_contain_text("never fires")
    expect(attention).to_contain_text(re.compile(r"schedules\.yaml:11:\d+ · schedules\.2\.cron"))


def test_a_failed_backup_says_why_and_what_to_try(page: Page, airflow: AirflowHome) -> None:
    from playwright.sync_api import expect

    page.goto(f"{airflow.api_url}plugin/backup/gone")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Run now").click()
    run = dialog.get_by_test_id("run").first
    expect(run).to_have_attribute("data-status", "failed", timeout=2 * MINUTE)
    expect(run).to_contain_text("no such file or directory")
    expect(dialog).to_contain_text("The last backup failed")


def test_nothing_starts_in_maintenance(
    page: Page, airflow: AirflowHome, complaints: list[str]
) -> None:
    from playwright.sync_api import expect

    page.goto(f"{airflow.api_url}plugin/backup")
    page.get_by_role("button", name="More for all schedules").click()
    page.get_by_role("menuitem", name="Begin maintenance…").click()
    asked = page.get_by_role("dialog", name="Begin maintenance")
    asked.get_by_label("Reason").fill("the vault moves")
    asked.get_by_role("button", name="Begin maintenance").click()
    expect(page.get_by_text("No backup starts until the maintenance is ended")).to_be_visible()
    expect(page.get_by_text(re.compile("by admin: the vault moves"))).to_be_visible()
    with airflow.client("admin") as api:
        started = api.post("api/v2/dags/backup__wiki/dagRuns", json={"logical_date": None})
        assert started.status_code == 200

        def skipped() -> str | None:
            (newest, *_) = api.get("backup/api/v1/schedules/wiki/runs").json()["runs"]
            return newest["reason"] if newest["status"] == "skipped" else None

        why = airflow.wait_for(skipped, what="the run that Airflow was asked for")
        assert why == "maintenance, by admin: the vault moves"
    page.get_by_role("button", name="End maintenance").click()
    expect(page.get_by_text(re.compile("No backup starts"))).to_have_count(0)
    assert complaints == []


def test_a_viewer_looks_and_can_do_nothing_else(browser: Browser, airflow: AirflowHome) -> None:
    from playwright.sync_api import expect

    page = browser.new_page()
    log_in(page, airflow, "viewer")
    page.goto(f"{airflow.api_url}plugin/backup")
    row = page.get_by_test_id("schedule-wiki")
    expect(row.get_by_role("button", name="Run wiki now")).to_be_disabled(timeout=MINUTE)
    expect(row.get_by_role("checkbox", name="wiki is enabled")).to_be_disabled()
    expect(page.get_by_text("Read-only", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="New schedule")).to_have_count(0)
    expect(page.get_by_role("button", name="More for wiki")).to_have_count(0)
    page.close()


def test_a_schedule_is_made_run_held_and_deleted_on_the_page(
    page: Page, airflow: AirflowHome, complaints: list[str]
) -> None:
    from playwright.sync_api import expect

    page.goto(f"{airflow.api_url}plugin/backup")
    page.get_by_role("button", name="New schedule").click()
    drawer = page.get_by_role("dialog", name="New schedule")
    create = drawer.get_by_role("button", name="Create schedule")
    expect(create).to_be_disabled()
    drawer.locator('input[name="id"]').fill("Made Here")
    expect(drawer).to_contain_text("is not a name")
    drawer.locator('input[name="id"]').fill("made-here")
    drawer.locator('input[name="path"]').fill(str(airflow.folder.parent / "wiki"))
    drawer.locator('input[name="repository"]').fill(f"file://{airflow.folder.parent}/repository")
    drawer.locator('select[name="preset"]').select_option("weekly")
    expect(drawer.get_by_role("region", name="Next runs")).to_contain_text("Sun")
    expect(create).to_be_enabled()
    create.click()

    row = page.get_by_test_id("schedule-made-here")
    expect(row).to_be_visible()
    run = row.get_by_role("button", name="Run made-here now")
    expect(run).to_be_enabled(timeout=MINUTE)
    run.click()
    expect(row).to_contain_text("Completed", timeout=2 * MINUTE)

    choose(page, "made-here", "Skip next run")
    expect(row).to_contain_text("Skips next")
    choose(page, "made-here", "Do not skip the next run")
    expect(row).not_to_contain_text("Skips next")

    choose(page, "made-here", "Edit")
    editor = page.get_by_role("dialog", name="Edit made-here")
    editor.get_by_role("tab", name="YAML").click()
    text = editor.get_by_role("textbox", name="The schedule as YAML")
    expect(text).to_have_value(re.compile("preset: weekly"))
    text.fill(text.input_value() + "\ndescription: Changed on the page\n")
    editor.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("Changed on the page")

    choose(page, "made-here", "Delete…")
    asked = page.get_by_role("dialog", name="Delete made-here")
    expect(asked.get_by_role("button", name="Delete")).to_be_disabled()
    asked.get_by_role("textbox").fill("made-here")
    asked.get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)
    assert complaints == []


def test_what_no_schedule_protects_is_one_click_from_a_schedule(
    page: Page, airflow: AirflowHome, complaints: list[str]
) -> None:
    from playwright.sync_api import expect

    airflow.run("connections", "add", "billing", "--conn-uri", "postgres://app:secret@db/billing")
    page.goto(f"{airflow.api_url}plugin/backup")
    panel = page.get_by_role("region", name="Not protected")
    expect(panel).to_contain_text("1 of 1 database is unprotected", timeout=MINUTE)
    panel.get_by_role("button", name="Protect billing").click()
    drawer = page.get_by_role("dialog", name="New schedule")
    expect(drawer.locator('input[name="id"]')).to_have_value("billing")
    expect(drawer.locator('input[name="sourceConnection"]')).to_have_value("billing")
    drawer.locator('input[name="repository"]').fill(f"file://{airflow.folder.parent}/repository")
    create = drawer.get_by_role("button", name="Create schedule")
    expect(create).to_be_enabled()
    create.click()
    expect(page.get_by_test_id("schedule-billing")).to_be_visible(timeout=MINUTE)
    expect(panel).to_have_count(0, timeout=MINUTE)
    with airflow.client("admin") as api:
        gone = api.request(
            "DELETE",
            "backup/api/v1/schedules/billing",
            json={},
            headers={"If-Match": "*"},
        )
        assert gone.status_code == 200, gone.text
    airflow.run("connections", "delete", "billing")
    assert complaints == []


def choose(page: Page, schedule_id: str, item: str) -> None:
    """Choose from the menu of a row."""
    row = page.get_by_test_id(f"schedule-{schedule_id}")
    row.get_by_role("button", name=f"More for {schedule_id}").click()
    page.get_by_role("menuitem", name=item, exact=True).click()


def test_the_tab_on_a_dag_shows_its_schedule(page: Page, airflow: AirflowHome) -> None:
    from playwright.sync_api import expect

    page.goto(f"{airflow.api_url}dags/backup__wiki/plugin/backup-schedule")
    expect(page.get_by_role("tab", name="History")).to_be_visible()
    expect(page.get_by_role("button", name="Run now")).to_be_enabled()
