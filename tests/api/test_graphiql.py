"""GraphiQL opens in a browser and works, and nothing it does leaves the machine."""

import json
from typing import Any

from playwright.sync_api import Page, expect

from browsing import NEEDS_CHROMIUM, Seen
from given import A, registered
from running import System

pytestmark = NEEDS_CHROMIUM


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
