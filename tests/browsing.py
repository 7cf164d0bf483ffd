"""Browsers: a headless Chromium that asks nothing of its own, and plain requests that keep cookies as browsers do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from running import System

CHROMIUM: Final = Path("/usr/bin/chromium")
QUIET: Final = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-gpu",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
)
"""No request of the browser's own; and no sandbox, since in a container it may not have one."""
NEEDS_CHROMIUM: Final = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"there is no browser at {CHROMIUM}")


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


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(QUIET))


@contextmanager
def opened(browser: Browser) -> Iterator[Page]:
    """A page of 1280 × 800, in a browser that knows nothing of other tests."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(15_000)
    yield page
    context.close()


class Visitor:
    """A browser without scripts, signed in by a key of `running.HOLDERS` or by none."""

    def __init__(self, system: System, key: str | None = None, language: str = "zh") -> None:
        self.http = httpx.Client(base_url=system.url, timeout=30, follow_redirects=False)
        self.http.cookies.set("caseledger_language", language)
        if key:
            answer = self.http.post("/sign-in", data={"key": system.secrets[key]})
            assert answer.status_code == 303, answer.text
            assert answer.headers["location"] == "/"

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.http.get(path, headers=headers)

    def page(self, path: str) -> str:
        """The text of a page that is there."""
        answer = self.get(path)
        assert answer.status_code == 200, (answer.status_code, answer.headers.get("location"), answer.text[-800:])
        return answer.text

    def post(self, path: str, csrf: str | None = None, **form: str | list[str]) -> httpx.Response:
        """Sends a form with the token that its page bears, or with another."""
        return self.http.post(path, data={"csrf": self.csrf if csrf is None else csrf, **form})

    @property
    def csrf(self) -> str:
        return self.get("/lists").text.partition('name="csrf" value="')[2].partition('"')[0]
