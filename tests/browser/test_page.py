"""The page as a person sees it: a real Airflow, a real browser."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

import airflow_backup
from airflow_backup.core.installed import engines as installed_engines
from browser.audit import log_in, outside, violations
from support.airflow.home import AirflowHome, chromium, require_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.service, pytest.mark.slow(minutes=4)]

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
    require_chromium()
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


def test_the_runs_of_all_schedules_are_narrowed_and_exported(
    page: Page, airflow: AirflowHome, complaints: list[str]
) -> None:
    from playwright.sync_api import expect

    with airflow.client("admin") as api:
        api.post("backup/api/v1/schedules/gone/run", json={"note": "for the history"})
    page.goto(f"{airflow.api_url}plugin/backup")
    page.get_by_role("tab", name="Runs").click()
    runs = page.get_by_role("list", name="Runs of all schedules").get_by_test_id("run")
    mine = runs.filter(has_text="for the history")
    expect(mine).to_have_attribute("data-status", "failed", timeout=2 * MINUTE)
    page.get_by_label("Result").select_option("Failed")
    expect(page).to_have_url(re.compile(r"view=runs&status=failed"))
    with page.expect_download() as taken:
        page.get_by_role("link", name="CSV").click()
    lines = list(csv.DictReader(taken.value.path().read_text().splitlines()))
    assert {line["status"] for line in lines} == {"failed"}
    assert "for the history" in {line["note"] for line in lines}
    page.get_by_label("Result").select_option("Completed")
    expect(mine).to_have_count(0)
    assert complaints == []


@pytest.mark.parametrize("width", [390, 768])
def test_a_phone_shows_each_schedule_whole(page: Page, airflow: AirflowHome, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(f"{airflow.api_url}plugin/backup")
    page.get_by_test_id("schedule-wiki").wait_for()
    assert page.get_by_role("row").count() >= 3, "it is still a table to those who cannot see it"
    for name in ("wiki is enabled", "Run wiki now", "More for wiki"):
        found = page.get_by_test_id("schedule-wiki").get_by_label(name).first
        box = found.bounding_box()
        assert box is not None, name
        assert box["x"] >= 0, name
        assert box["x"] + box["width"] <= width or width >= 768, name
    first, second = (
        page.get_by_role("paragraph").filter(has_text=re.compile(f"^{text}$")).first.bounding_box()
        for text in ("Protected", "Next run")
    )
    assert first is not None
    assert second is not None
    assert width >= 480 or first["y"] + first["height"] <= second["y"], "one below the other"


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


def test_schedules_leave_as_a_file_and_come_back_on_the_page(
    page: Page, airflow: AirflowHome, complaints: list[str], tmp_path: Path
) -> None:
    from playwright.sync_api import expect

    with airflow.client("op") as api:
        page.goto(f"{airflow.api_url}plugin/backup")
        page.get_by_role("button", name="More for all schedules").click()
        with page.expect_download() as loaded:
            page.get_by_role("menuitem", name="Export all").click()
        text = loaded.value.path().read_text()
        assert "`broken` is left out" in text
        taken = text.replace("id: wiki", "id: wiki-again").replace("id: gone", "id: gone-again")
        page.get_by_role("button", name="Import", exact=True).click()
        dialog = page.get_by_role("dialog", name="Import schedules")
        file = tmp_path / "schedules.yaml"
        file.write_text(taken)
        dialog.get_by_label("File").set_input_files(file)
        dialog.get_by_role("button", name="Check").click()
        expect(dialog.get_by_text("2 new.")).to_be_visible()
        assert violations(page) + outside(page) == []
        dialog.get_by_role("button", name="Import 2 schedules").click()
        expect(page.get_by_test_id("schedule-wiki-again")).to_be_visible()
        expect(dialog).to_have_count(0)
        path = "backup/api/v1/schedules"
        for name in ("wiki", "gone"):
            before = api.get(f"{path}/{name}").json()["definition"]
            after = api.get(f"{path}/{name}-again").json()["definition"]
            assert before == after | {"id": name}
            match = {"If-Match": "*"}
            gone = api.request("DELETE", f"{path}/{name}-again", json={}, headers=match)
            assert gone.status_code == 200, gone.text
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


def test_the_form_asks_for_the_options_of_the_engine_that_is_chosen(
    page: Page, airflow: AirflowHome, complaints: list[str]
) -> None:
    from playwright.sync_api import expect

    page.goto(f"{airflow.api_url}plugin/backup")
    page.get_by_role("button", name="New schedule").click()
    drawer = page.get_by_role("dialog", name="New schedule")
    engine = drawer.locator('select[name="engine"]')
    expect(engine.locator("option")).to_have_text(installed_engines.names())
    engine.select_option("postgres")
    expect(drawer).to_contain_text("to mend or to fill in")
    expect(drawer.locator('[aria-invalid="true"]')).to_have_count(0)
    drawer.locator('input[name="source.connection"]').fill("orders_db")
    drawer.locator('select[name="source.method"]').select_option("The files of the server")
    drawer.get_by_role("button", name="More options").click()
    drawer.get_by_label("WAL between backups").select_option("through a replication slot")
    drawer.get_by_label("Replication slot").fill("Not a slot")
    expect(drawer.get_by_label("Replication slot")).to_have_attribute("aria-invalid", "true")
    drawer.get_by_label("Replication slot").fill("orders_slot")
    drawer.get_by_role("tab", name="YAML").click()
    text = drawer.get_by_role("textbox", name="The schedule as YAML")
    expect(text).to_have_value(re.compile("slot: orders_slot"))
    assert yaml.safe_load(text.input_value())["source"] == {
        "engine": "postgres",
        "connection": "orders_db",
        "method": "physical",
        "wal": "slot",
        "slot": "orders_slot",
    }
    drawer.get_by_role("tab", name="Form").click()
    engine.select_option("command")
    expect(drawer).to_contain_text("On the YAML tab: workflow, arguments")
    engine.select_option("files")
    drawer.get_by_role("button", name="More options").click()
    drawer.get_by_text("May be empty", exact=True).click()
    expect(drawer.get_by_role("checkbox", name="May be empty")).to_be_checked()
    drawer.get_by_role("tab", name="YAML").click()
    expect(text).to_have_value(re.compile("allow_empty: true"))
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Discard").click()
    assert complaints == []


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
    drawer.locator('input[name="source.path"]').fill(str(airflow.folder.parent / "wiki"))
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
    expect(drawer.locator('input[name="source.connection"]')).to_have_value("billing")
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
