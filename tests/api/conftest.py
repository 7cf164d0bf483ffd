from collections.abc import Iterator

import pytest

from running import System, started


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
