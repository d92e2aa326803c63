"""What axe finds wrong in the part of the window that is ours, for those who hear or key through it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from support.airflow.home import AirflowHome

if TYPE_CHECKING:
    from playwright.sync_api import Page

AXE = Path(__file__).parents[2] / "ui" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OURS = ["[data-backup]", "[role=dialog]", "[role=alertdialog]", "[role=menu]", "[role=tooltip]"]
"""The rest of the window is Airflow's."""

_ASK = """async ({rules, ours}) => {
  const include = ours.filter((each) => document.querySelector(each) !== null).map((each) => [each]);
  if (include.length === 0) { return ["nothing of ours is in the window"]; }
  const found = await axe.run({include}, {runOnly: rules, resultTypes: ["violations"]});
  return found.violations.flatMap(({help, id, nodes}) =>
    nodes.map(({any, html, target}) =>
      `${id}: ${help}: ${target.join(" ")}: ${html.slice(0, 160)} ${any.map(({message}) => message).join("; ").slice(0, 200)}`));
}"""

_STILL = """() => Promise.race([
  Promise.allSettled(document.getAnimations().filter(({effect}) => effect?.getTiming().iterations !== Infinity)
    .map(({finished}) => finished)),
  new Promise((done) => setTimeout(done, 3000)),
])"""


_OUTSIDE = """(ours) => {
  const clips = (each) => each !== null && (getComputedStyle(each).overflowX !== "visible" || clips(each.parentElement));
  // Where the tab of a DAG lies, and how wide it is, is Airflow's: on a phone, right of its grid.
  const room = (root) => root.matches("[data-backup=tab]") ? root.getBoundingClientRect() : {left: 0, right: innerWidth};
  return [...document.querySelectorAll(ours.join(","))]
    .flatMap((root) => [...root.querySelectorAll("*")].map((each) => [each, room(root)]))
    .filter(([each, at]) => {
      const {left, right, width} = each.getBoundingClientRect();
      return width > 1 && (right > at.right + 1 || left < at.left - 1) && !each.closest("[data-scope=tooltip]")
        && !(each.parentElement !== null && clips(each.parentElement) && getComputedStyle(each.parentElement).overflowX === "auto")
        && !each.closest("pre, [role=table], [aria-hidden=true]");
    })
    .map(([each]) => `out of the window: ${each.outerHTML.slice(0, 160)}`);
}"""


def outside(page: Page) -> list[str]:
    """Return each thing of ours that a person must scroll sideways for, and that is no table and no code."""
    return list(page.evaluate(_OUTSIDE, OURS))


def violations(page: Page) -> list[str]:
    """Return each thing that breaks WCAG 2.2 AA, or what axe's authors hold best, in what is shown of ours now."""
    page.evaluate(_STILL)
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE.read_text())
    return list(page.evaluate(_ASK, {"rules": RULES, "ours": OURS}))


def complain_into(page: Page, complaints: list[str]) -> None:
    """Keep what the browser's console calls an error."""
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: (
            complaints.append(f"{message.text} {message.location.get('url', '')}")
            if message.type == "error"
            else None
        ),
    )


def log_in(page: Page, airflow: AirflowHome, user: str) -> None:
    """Type name and password where Airflow asks for them."""
    page.goto(f"{airflow.api_url}auth/login")
    page.fill('input[name="username"]', user)
    page.fill('input[name="password"]', user)
    page.click('button[type="submit"]')
    page.wait_for_url(re.compile(r"^(?!.*/auth/)"))
