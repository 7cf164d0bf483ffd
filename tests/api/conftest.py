from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from playwright.sync_api import Browser, Page

from browsing import chromium, opened
from caseledger.postgres import CarriedPostgres
from running import System, started


@pytest.fixture(scope="session", autouse=True)
def _plain_logs() -> None:
    """Logs without the pictures of every frame, each of which takes longer than the test that it is for."""
    structlog.configure(processors=[structlog.processors.KeyValueRenderer()])


@pytest.fixture
def system(database: str) -> Iterator[System]:
    """A system of the test's own."""
    with started(database) as running:
        yield running


@pytest.fixture(scope="module")
def shared(database: str) -> Iterator[System]:
    """An empty system for the tests of a module that record nothing."""
    with started(database) as running:
        yield running


@pytest.fixture
def own_postgres(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CarriedPostgres]:
    """A PostgreSQL that the test may stop; requests wait for it a second, not ten."""
    monkeypatch.setattr("ledger.migrations.CHECKOUT_SECONDS", 1)
    with CarriedPostgres(home) as postgres:
        yield postgres


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with opened(browser) as page:
        yield page
