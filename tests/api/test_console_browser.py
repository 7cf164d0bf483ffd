"""The console in a real browser: each page as each role in both languages, without a complaint of the browser or of axe."""

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from browsing import NEEDS_CHROMIUM, Seen
from caseledger.demo import tell
from domain.events import GateDecided
from npm import installed
from running import System, started

pytestmark = NEEDS_CHROMIUM

FIRM: Final = "91500100MA09DEM09H"
"""An enterprise of the demonstration with a long life."""
AXE: Final = "axe-core@4.11.0"
WALKS: Final = {
    "miit": ["/", f"/enterprises/{FIRM}", "/ask?gate=access", "/decisions", "DECISION", "/record", "/record/penaltyImposed", "/work", "/draws", "/lists", "/ledger", "/events/122"],
    "auditor": ["/", f"/enterprises/{FIRM}", "/decisions", "DECISION", "/work", "/ledger"],
    "telecom": ["/", f"/enterprises/{FIRM}", "/ask", "/lists", "/ledger"],
    "intake": ["/record", "/record/complaintReceived", "/lists"],
    "public": ["/sign-in", "/lists", "/ledger"],
}  # fmt: skip
VIOLATIONS: Final = """
async () => {
  const found = await axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] });
  return found.violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.html).join(" | ")}`);
}
"""
SHOWN: Final = Path(__file__).parents[2] / "docs" / "console" / "README.md"
MOST_BYTES: Final = 500_000
"""Over the wire, of a page that is visited for the first time (charts come later)."""


@pytest.fixture(scope="module")
def life(database: str) -> Iterator[System]:
    """The demonstration."""
    with started(database) as system:
        for _ in tell(system.ledger, system.ledger.today):
            pass
        system.settle()
        yield system


@pytest.fixture(scope="module")
def axe() -> str:
    """The accessibility checker's script."""
    return (installed(AXE) / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def sign_in(page: Page, system: System, who: str, language: str = "zh") -> None:
    page.context.add_cookies([{"name": "caseledger_language", "value": language, "url": system.url}])
    page.goto(f"{system.url}/sign-in")
    if who == "public":
        return
    page.locator("#key").fill(system.secrets[who])
    page.locator("main button").click()
    page.wait_for_url(lambda url: "/sign-in" not in url)


def address(system: System, path: str) -> str:
    decision = next(each.event for each in reversed(system.log()) if isinstance(each.event, GateDecided))
    return system.url + path.replace("DECISION", f"/decisions/{decision.decision_id}")


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("who", WALKS)
def test_each_page_is_walked_without_a_complaint_and_is_open_to_all(
    life: System, page: Page, axe: str, who: str, language: str
) -> None:
    seen, found = Seen(page), []
    sign_in(page, life, who, language)
    for path in WALKS[who]:
        page.goto(address(life, path))
        expect(page.locator("main h1").first).to_be_visible()
        if page.locator("#life").count():
            expect(page.locator("#life canvas")).to_be_visible()
        page.evaluate(axe)  # by the debugger, past the page's policy, which lets no script of others in
        found += [(path, each) for each in page.evaluate(VIOLATIONS)]
        keep_picture(page, who, language, path)
    assert found == []
    assert seen.complaints == []
    assert seen.hosts == {"127.0.0.1"}


def keep_picture(page: Page, who: str, language: str, path: str) -> None:
    """Keeps how the page looks in the folder CASELEDGER_SCREENSHOTS, if that is set and docs/console/README.md shows it."""
    parts = [part for part in path.lower().partition("?")[0].split("/") if part.replace("-", "").isalpha()]
    name = f"{'-'.join(parts) or 'search'}-{who}-{language}.png"
    if (folder := os.environ.get("CASELEDGER_SCREENSHOTS")) and f"({name})" in SHOWN.read_text(encoding="utf-8"):
        page.screenshot(path=Path(folder) / name)


def test_a_search_follows_the_typing_and_the_keys(life: System, page: Page) -> None:
    sign_in(page, life, "miit")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("山城")
    expect(page.locator("#found .found li")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    expect(page.locator("#found .found a").first).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(f"{life.url}/enterprises/{FIRM}")
    page.goto(f"{life.url}/")
    expect(page.locator("#recent a")).to_have_text(["重庆山城呼叫中心有限公司"])
    page.locator("#statuses").get_by_text("良好").click()
    expect(page.locator("#found .chip-dishonest")).to_have_count(0)
    expect(page.locator("#found .chip-good").first).to_be_visible()


def test_everything_on_an_enterprises_page_follows_what_was_known(life: System, page: Page) -> None:
    sign_in(page, life, "miit")
    page.goto(f"{life.url}/enterprises/{FIRM}")
    expect(page.locator(".file-head .chip")).to_have_text("失信")
    page.locator("#knownAt").fill("121")
    page.locator("#knownAt").press("Tab")
    expect(page.locator(".notice")).to_contain_text("位置 121")
    expect(page.locator(".file-head .chip")).not_to_have_text("失信")
    expect(page.locator("#life canvas")).to_be_visible()
    expect(page.locator("#history table")).not_to_contain_text("列入名单")
    assert "knownAt=121" in page.url


def test_the_sliders_and_the_fields_beside_them_say_the_same(life: System, page: Page) -> None:
    seen = Seen(page)
    sign_in(page, life, "miit")
    page.goto(f"{life.url}/enterprises/{FIRM}")
    slider = page.locator("[data-days-for=asOf]")
    begins = str(slider.get_attribute("data-begins"))
    slider.fill("0")
    expect(page.locator(".notice")).to_contain_text(begins)
    expect(page.locator("#asOf")).to_have_value(begins)
    page.locator("[data-for=knownAt]").fill("121")
    expect(page.locator(".notice")).to_contain_text("位置 121")
    expect(page.locator("#knownAt")).to_have_value("121")
    assert seen.complaints == []
    # Of a day before it was registered there is nothing to show, and that is said.
    page.locator("#asOf").fill("2018-01-01")
    expect(page.locator("main h1")).to_have_text("无法显示")


def test_a_decision_is_verified_in_the_browser_and_no_other_key_or_entry_is(life: System, page: Page) -> None:
    seen = Seen(page)
    sign_in(page, life, "auditor")
    page.goto(address(life, "DECISION"))
    verify = page.locator(".verify button")
    expect(page.locator("#log-key")).to_have_value(str(life.verifier))
    verify.click()
    expect(page.locator(".checks li:not(.bad)")).to_have_count(6)
    expect(page.locator(".checks .sum")).to_have_text("全部成立")
    page.locator("#log-key").fill(other_key(str(life.verifier)))
    verify.click()
    expect(page.locator(".checks .sum.bad")).to_have_text("不成立")
    expect(page.locator(".checks li:not(.bad)")).to_have_count(4)
    page.locator("#log-key").fill(str(life.verifier))
    page.evaluate(TAMPER)
    verify.click()
    expect(page.locator(".checks .sum.bad")).to_have_text("不成立")
    assert seen.complaints == []


TAMPER: Final = """
() => {
  const box = document.querySelector(".verify");
  const receipt = JSON.parse(box.dataset.receipt);
  receipt.entry = btoa(atob(receipt.entry).replace("PERMIT", "REFUSE").replace("REVIEW", "PERMIT"));
  box.dataset.receipt = JSON.stringify(receipt);
}
"""


def other_key(known: str) -> str:
    """A key of the same name and id with other bytes."""
    name, id_, encoded = known.split("+", 2)
    raw = bytearray(base64.b64decode(encoded))
    raw[5] ^= 1
    return f"{name}+{id_}+{base64.b64encode(bytes(raw)).decode()}"


def test_a_draw_is_checked_in_the_browser_and_one_that_was_tampered_with_does_not_hold(
    life: System, page: Page, axe: str
) -> None:
    seen = Seen(page)
    sign_in(page, life, "miit")
    page.goto(f"{life.url}/draws")
    for name, value in {"drawId": "D-1", "count": "3", "inspectors": "101 102 103"}.items():
        page.locator(f"[name={name}]").fill(value)
    page.locator("[name=draw]").click()
    page.wait_for_url(f"{life.url}/draws/D-1")
    page.evaluate(axe)
    assert page.evaluate(VIOLATIONS) == []
    expect(page.locator("#log-key")).to_have_value(str(life.verifier))
    page.locator(".verify button").click()
    expect(page.locator(".checks .sum")).to_have_text("全部成立")
    expect(page.locator(".checks li:not(.bad)")).to_have_count(9)
    # A pool from which somebody was taken out.
    page.route("**/pool*", lambda route: route.fulfill(json=without_first(route.fetch().json())))
    page.locator(".verify button").click()
    expect(page.locator(".checks .sum.bad")).to_have_text("不成立")
    assert seen.complaints == []


def without_first(pool: dict[str, Any]) -> dict[str, Any]:
    return {**pool, "members": pool["members"][1:]}


def test_a_first_visit_is_light(life: System, page: Page) -> None:
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    loaded: list[dict[str, Any]] = []
    session.on("Network.loadingFinished", lambda one: loaded.append(one))
    sign_in(page, life, "miit")
    page.goto(f"{life.url}/enterprises/{FIRM}")
    page.wait_for_load_state("networkidle")
    assert sum(each["encodedDataLength"] for each in loaded) <= MOST_BYTES


@pytest.mark.parametrize("width", [360, 768])
def test_nothing_is_wider_than_a_narrow_screen(life: System, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    sign_in(page, life, "miit")
    for path in WALKS["miit"]:
        page.goto(address(life, path))
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
