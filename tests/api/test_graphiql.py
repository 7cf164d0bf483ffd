"""GraphiQL opens in a browser and works, and nothing it does leaves the machine."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from given import A, registered
from running import System

CHROMIUM: Final = Path("/usr/bin/chromium")
QUIET: Final = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
)
"""No request of the browser's own; and no sandbox, since in a container it may not have one."""

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"there is no browser at {CHROMIUM}")


class Seen:
    """What a page asked for and complained about."""

    def __init__(self, page: Page) -> None:
        self.hosts: set[str | None] = set()
        self.complaints: list[str] = []
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname))
        page.on(
            "console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("requestfailed", lambda request: self.complaints.append(f"failed: {request.url}"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(QUIET))


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of 1280 × 800; a picture of it goes into the folder CASELEDGER_SCREENSHOTS, if that is set."""
    opened = browser.new_page(viewport={"width": 1280, "height": 800})
    opened.set_default_timeout(15_000)
    yield opened
    if folder := os.environ.get("CASELEDGER_SCREENSHOTS"):
        opened.screenshot(path=Path(folder) / "graphiql.png")
    opened.close()


def write(page: Page, editor: str, text: str) -> None:
    """Replaces what an editor holds; pasted and not typed, since the editor closes brackets by itself."""
    page.locator(f"{editor} .CodeMirror").click()
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    page.keyboard.insert_text(text)


def run(page: Page, query: str) -> Any:
    """What the result window shows after a query was run."""
    write(page, ".graphiql-query-editor", query)
    with page.expect_response("**/graphql") as answered:
        page.locator(".graphiql-execute-button").click()
    answered.value.finished()
    expect(page.locator(".result-window")).to_contain_text('"')
    return json.loads(page.evaluate("document.querySelector('.result-window .CodeMirror').CodeMirror.getValue()"))


def test_a_query_is_asked_and_answered_in_the_browser(system: System, page: Page) -> None:
    system.known(registered())
    seen = Seen(page)
    page.goto(f"{system.url}/graphql")
    expect(page.locator(".graphiql-container")).to_be_visible()
    assert run(page, "{ ledger { head } }")["data"] == {"ledger": {"head": system.head}}
    assert seen.complaints == []
    assert seen.hosts == {"127.0.0.1"}


def test_a_key_is_given_in_the_headers(system: System, page: Page) -> None:
    system.known(registered())
    seen = Seen(page)
    page.goto(f"{system.url}/graphql")
    expect(page.locator(".graphiql-container")).to_be_visible()
    if not page.locator(".graphiql-editor-tool .CodeMirror").first.is_visible():
        page.get_by_role("button", name="Headers").click()
    write(page, ".graphiql-editor-tool .graphiql-editor:not(.hidden)", json.dumps(system.bearer("auditor")))
    query = f'{{ enterprise(uscc: "{A}") {{ name }} }}'
    assert run(page, query)["data"] == {"enterprise": {"name": "甲呼叫中心"}}
    assert seen.hosts == {"127.0.0.1"}


def test_the_documentation_of_the_schema_is_shown(system: System, page: Page) -> None:
    seen = Seen(page)
    page.goto(f"{system.url}/graphql")
    page.get_by_role("button", name="Show Documentation Explorer").click()
    explorer = page.locator(".graphiql-doc-explorer")
    expect(explorer).to_contain_text("Mutation")
    explorer.get_by_text("Query", exact=True).click()
    expect(explorer).to_contain_text("enterprises")
    assert seen.complaints == []
    assert seen.hosts == {"127.0.0.1"}
