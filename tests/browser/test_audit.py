"""
Each view of the page, light and dark, wide and on a phone: nothing that axe finds wrong, nothing in the console.

Each theme and each width once; ``AUDIT=all pytest tests/browser/test_audit.py`` asks of each theme at each width.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from browser.audit import complain_into, log_in, outside, violations
from browser.demo import beat, demo_home, fail, fill, let_run, prepare
from browser.demo_schedules import SCHEDULES
from support.airflow.home import AirflowHome, chromium, require_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Route

pytestmark = [pytest.mark.browser, pytest.mark.service, pytest.mark.slow(minutes=6)]

MINUTE = 60_000
MADE = "made-here"
WIDTHS = (1440, 390)
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
ALL = list(itertools.product(WIDTHS, THEMES))
LOOKS = ALL if os.environ.get("AUDIT") == "all" else list(zip(WIDTHS, THEMES, strict=True))


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowHome]:
    """Start an API server over a month of history, with one run under way, one failed, one schedule broken."""
    with demo_home(tmp_path_factory.mktemp("audit"), SCHEDULES) as home:
        prepare(home)
        fill(home)
        fail(home, "wiki", ago=timedelta(minutes=50))
        home.start("api-server")
        beat(home)
        let_run(home)
        with home.client("admin") as api:
            definition = {
                "id": MADE,
                "source": {"engine": "files", "path": "/srv/made"},
                "repository": "file:///var/backups/made",
                "preset": "daily",
            }
            api.post("backup/api/v1/schedules", json=definition).raise_for_status()
        yield home


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium; skip where there is none, but never in CI."""
    require_chromium()
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def cookies(browser: Browser, airflow: AirflowHome) -> dict[str, str]:
    """Log in once for each role."""
    found = {}
    for user in ("admin", "viewer"):
        window = browser.new_page()
        window.set_default_timeout(2 * MINUTE)
        log_in(window, airflow, user)
        found[user] = json.dumps(window.context.storage_state())
        window.close()
    return found


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console called an error."""
    return []


Opener = Callable[..., "Page"]


@pytest.fixture(scope="module")
def windows(browser: Browser, cookies: dict[str, str]) -> Iterator[dict[str, BrowserContext]]:
    """One window for each role: what it has loaded once, Airflow's own page above all, is there for the next test."""
    found: dict[str, BrowserContext] = {}
    for user, state in cookies.items():
        found[user] = browser.new_context(
            storage_state=json.loads(state),
            timezone_id="Europe/Berlin",
            viewport={"width": WIDTHS[0], "height": 1000},
            reduced_motion="reduce",
        )
    yield found
    for context in found.values():
        context.close()


@pytest.fixture
def opened(
    airflow: AirflowHome, windows: dict[str, BrowserContext], complaints: list[str]
) -> Iterator[Opener]:
    """Open tabs on a path of Airflow."""
    from playwright.sync_api import expect

    expect.set_options(timeout=MINUTE)
    pages = []

    def open_(path: str, user: str = "admin", *, cut: Callable[[Page], None] | None = None) -> Page:
        page = windows[user].new_page()
        pages.append(page)
        page.set_default_timeout(MINUTE)
        complain_into(page, complaints)
        if cut is not None:
            cut(page)
        page.goto(f"{airflow.api_url}{path}")
        return page

    yield open_
    for page in pages:
        page.context.set_offline(False)
        page.close()


def overview(page: Page) -> None:
    page.get_by_test_id("schedule-orders").wait_for()
    page.get_by_role("region", name="Needs attention").wait_for()


def tab(name: str, waited: str) -> Callable[[Page], None]:
    def show(page: Page) -> None:
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("tab", name=name).click()
        dialog.get_by_role("tabpanel", name=name).get_by_text(waited).first.wait_for()

    return show


def history(page: Page) -> None:
    page.get_by_role("dialog").get_by_test_id("run").first.wait_for()


def restoring(page: Page) -> None:
    tab("Sets and restore", "Kept")(page)
    page.get_by_role("button", name="Restore …").click()
    page.get_by_label("Type orders to confirm").wait_for()


def an_opened_set(page: Page) -> None:
    tab("Sets and restore", "Kept")(page)
    page.get_by_role("button", name="Details of set").first.click()
    page.get_by_text("Restore it on a shell").wait_for()


def locking(page: Page) -> None:
    an_opened_set(page)
    page.get_by_role("button", name="Lock set").click()
    page.get_by_role("dialog", name="Lock set").wait_for()


def other_rules(page: Page) -> None:
    tab("Sets and restore", "Kept")(page)
    page.get_by_role("button", name="Try other rules").click()
    page.get_by_label("Daily").fill("5")
    page.get_by_text("These rules keep").wait_for()


def new_schedule(page: Page) -> None:
    page.get_by_role("button", name="New schedule").click()
    drawer = page.get_by_role("dialog", name="New schedule")
    drawer.locator('input[name="id"]').fill("Not a Name")
    drawer.get_by_text("is not a name").first.wait_for()


def options(page: Page) -> None:
    new_schedule(page)
    drawer = page.get_by_role("dialog", name="New schedule")
    drawer.locator('select[name="engine"]').select_option("restic")
    drawer.get_by_role("button", name="More options").click()
    drawer.get_by_role("checkbox", name="Make the repository when there is none").wait_for()


def as_yaml(page: Page) -> None:
    new_schedule(page)
    page.get_by_role("tab", name="YAML").click()
    page.get_by_role("textbox", name="The schedule as YAML").wait_for()


def editing(page: Page) -> None:
    menu_of(MADE, "Edit")(page)
    # what was checked may be saved; until then the button is pale, and becomes what it is in between
    page.get_by_role("button", name="Save", exact=True).and_(page.locator(":enabled")).wait_for()


def importing(page: Page) -> None:
    page.get_by_role("button", name="Import", exact=True).click()
    dialog = page.get_by_role("dialog", name="Import schedules")
    text = "version: 1\nschedules:\n  - {id: media, cron: soon}\n  - {id: Nobody}\n"
    dialog.get_by_label("or its text").fill(text)
    dialog.get_by_role("button", name="Check").click()
    dialog.get_by_text("Nothing can be imported yet").wait_for()


def discarding(page: Page) -> None:
    new_schedule(page)
    page.keyboard.press("Escape")
    page.get_by_role("dialog", name="Discard what you typed?").wait_for()


def runs(page: Page) -> None:
    page.get_by_test_id("run").first.wait_for()


def menu_of(schedule_id: str, item: str | None = None) -> Callable[[Page], None]:
    def show(page: Page) -> None:
        row = page.get_by_test_id(f"schedule-{schedule_id}")
        row.get_by_role("button", name=f"More for {schedule_id}").click()
        page.get_by_role("menu").wait_for()
        if item is not None:
            page.get_by_role("menuitem", name=item).click()
            page.get_by_role("dialog").wait_for()

    return show


def cancelling(page: Page) -> None:
    page.get_by_role("button", name="Cancel the run of media").first.click()
    page.get_by_role("dialog").wait_for()


def maintaining(page: Page) -> None:
    page.get_by_role("button", name="More for all schedules").click()
    page.get_by_role("menuitem", name="Begin maintenance…").click()
    page.get_by_role("dialog").wait_for()


def many_chosen(page: Page) -> None:
    for name in ("orders", "ledger"):
        page.get_by_test_id(f"schedule-{name}").locator("[data-part=control]").first.click()
    page.get_by_role("button", name="Pause until…").wait_for()


def many_asked(page: Page) -> None:
    many_chosen(page)
    page.get_by_role("button", name="Disable", exact=True).click()
    page.get_by_role("dialog", name="Disable: 2 schedules").wait_for()


def looking(page: Page) -> None:
    page.get_by_role("button", name="How the list looks").click()
    page.get_by_role("menuitemcheckbox", name="Failures").wait_for()


def figures(page: Page) -> None:
    history(page)
    page.get_by_role("slider", name="Duration").focus()
    page.get_by_role("button", name="The same as a table").click()
    page.get_by_role("table", name="The last runs of ledger in figures").wait_for()


def week(page: Page) -> None:
    overview(page)
    page.get_by_role("button", name="7 d").click()
    page.get_by_label("Rows of the timeline").select_option("group")
    page.get_by_role("region", name="The next 7 days").wait_for()
    page.get_by_test_id("bundle-databases").get_by_role("button").click()


def nothing_found(page: Page) -> None:
    page.get_by_text("No schedule matches").wait_for()


def dag_tab(page: Page) -> None:
    page.get_by_role("tab", name="History").wait_for()
    page.get_by_test_id("run").first.wait_for()


def card(page: Page) -> None:
    page.get_by_role("link", name="Open Backups").wait_for()


PAGE = "plugin/backup"
DRAWER = f"{PAGE}/orders"
VIEWS: dict[str, tuple[str, Callable[[Page], None]]] = {
    "overview": (PAGE, overview),
    "history": (f"{PAGE}/wiki", history),
    "figures": (f"{PAGE}/ledger", figures),
    "sets": (DRAWER, tab("Sets and restore", "Kept")),
    "coming": (DRAWER, tab("Coming runs", "incremental")),
    "definition": (DRAWER, tab("Definition", "Repository")),
    "versions": (f"{PAGE}/{MADE}", tab("Versions", "Version 1")),
    "broken": (f"{PAGE}/gitlab", tab("History", "No run yet")),
    "unknown": (f"{PAGE}/nobody", lambda page: page.get_by_text("could not be loaded").wait_for()),
    "restore": (DRAWER, restoring),
    "an opened set": (DRAWER, an_opened_set),
    "a lock": (DRAWER, locking),
    "other rules": (DRAWER, other_rules),
    "new schedule": (PAGE, new_schedule),
    "options": (PAGE, options),
    "an import": (PAGE, importing),
    "yaml": (PAGE, as_yaml),
    "edit": (PAGE, editing),
    "discard": (PAGE, discarding),
    "runs": (f"{PAGE}?view=runs", runs),
    "menu": (PAGE, menu_of(MADE)),
    "pause": (PAGE, menu_of("orders", "Pause until…")),
    "clone": (PAGE, menu_of("orders", "Clone")),
    "delete": (PAGE, menu_of(MADE, "Delete…")),
    "cancel": (PAGE, cancelling),
    "maintenance": (PAGE, maintaining),
    "week": (PAGE, week),
    "groups": (f"{PAGE}?by=group", overview),
    "how the list looks": (PAGE, looking),
    "chosen": (PAGE, many_chosen),
    "asked": (PAGE, many_asked),
    "nothing found": (f"{PAGE}?q=nothing-like-it", nothing_found),
    "dag": ("dags/backup__wiki/plugin/backup-schedule", dag_tab),
    "dashboard": ("", card),
}
EXPECTED = {"unknown": "404"}
"""What the browser itself says of an answer that is an error."""


def audit(page: Page) -> list[str]:
    """Return what is wrong, in each theme and at each width."""
    found = []
    for width, theme in LOOKS:
        page.set_viewport_size({"width": width, "height": 1000 if width == WIDTHS[0] else 844})
        page.emulate_media(color_scheme=theme)
        page.wait_for_timeout(400)
        wrong = violations(page) + (outside(page) if width == WIDTHS[1] else [])
        found += [f"{width} {theme}: {each}" for each in wrong]
    return found


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_is_wrong_with(view: str, opened: Opener, complaints: list[str]) -> None:
    path, show = VIEWS[view]
    page = opened(path)
    show(page)
    assert audit(page) == []
    assert [each for each in complaints if EXPECTED.get(view, "\0") not in each] == []


def test_nothing_is_wrong_for_those_who_may_only_look(
    opened: Opener, complaints: list[str]
) -> None:
    page = opened(PAGE, "viewer")
    page.get_by_text("Read-only", exact=True).wait_for()
    assert audit(page) == []
    assert complaints == []


def refuse(route: Route) -> None:
    """Answer as the API does where a role may not even look."""
    problem = {"title": "Forbidden", "status": 403, "detail": "your role may not see backups"}
    route.fulfill(status=403, content_type="application/problem+json", body=json.dumps(problem))


def test_nothing_is_wrong_where_nothing_may_be_seen(opened: Opener) -> None:
    page = opened(PAGE, cut=lambda page: page.route("**/backup/api/v1/**", refuse))
    page.get_by_text("your role may not see backups", exact=False).first.wait_for()
    assert audit(page) == []


def test_nothing_is_wrong_when_the_server_is_gone(opened: Opener) -> None:
    page = opened(PAGE)
    overview(page)
    page.context.set_offline(True)
    page.get_by_role("heading", level=1, name="Not updated since").wait_for(timeout=2 * MINUTE)
    assert audit(page) == []


def test_nothing_is_wrong_on_the_first_day(
    browser: Browser, tmp_path: Path, complaints: list[str]
) -> None:
    with demo_home(tmp_path, "version: 1\nschedules: []\n") as home:
        prepare(home)
        home.start("api-server")
        beat(home)
        page = browser.new_page(reduced_motion="reduce")
        page.set_default_timeout(MINUTE)
        complain_into(page, complaints)
        log_in(page, home, "admin")
        page.goto(f"{home.api_url}{PAGE}")
        page.get_by_text("Write your first schedule").wait_for()
        assert audit(page) == []
        page.close()
    assert complaints == []


def test_the_keyboard_goes_everywhere_and_comes_back(opened: Opener) -> None:
    from playwright.sync_api import expect

    page = opened(PAGE)
    overview(page)
    skip = page.get_by_role("button", name="Skip to the schedules")
    skip.focus()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") in ("Schedules", "Runs")

    row = page.get_by_test_id("schedule-orders")
    name = row.get_by_role("button", name="orders", exact=True)
    name.focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog", name="orders").wait_for()
    page.keyboard.press("Escape")
    expect(name).to_be_focused()

    more = row.get_by_role("button", name="More for orders")
    more.focus()
    page.keyboard.press("Enter")
    page.get_by_role("menuitem", name="Pause until…").click()
    page.get_by_role("dialog", name="Pause orders").wait_for()
    page.keyboard.press("Escape")
    expect(more).to_be_focused()

    new = page.get_by_role("button", name="New schedule")
    new.focus()
    page.keyboard.press("Enter")
    field = page.get_by_role("dialog", name="New schedule").locator('input[name="id"]')
    field.fill("typed")
    expect(field).to_be_focused()
    page.keyboard.press("Escape")
    page.get_by_role("dialog", name="Discard what you typed?").wait_for()
    page.keyboard.press("Escape")
    expect(field).to_have_value("typed")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Discard").click()
    expect(new).to_be_focused()


def test_nothing_moves_and_greys_are_stronger_for_those_who_ask_for_it(opened: Opener) -> None:
    page = opened(PAGE)
    overview(page)
    page.get_by_role("button", name="New schedule").click()
    page.get_by_role("dialog", name="New schedule").wait_for()
    moving = """() => document.getAnimations().map(({effect}) => effect?.target)
      .filter((each) => each?.closest("[data-backup], [role=dialog]"))
      .map((each) => each.outerHTML.slice(0, 120))"""
    assert page.evaluate(moving) == []
    muted = """() => getComputedStyle(document.querySelector("[data-backup]")).getPropertyValue("--chakra-colors-fg-muted")"""
    before = page.evaluate(muted)
    page.emulate_media(contrast="more")
    assert page.evaluate(muted) != before
