from collections.abc import Iterator

import pytest

from running import System, started


@pytest.fixture
def system(database: str) -> Iterator[System]:
    """A system of the test's own."""
    with started(database) as running:
        yield running


@pytest.fixture
def still(system: System) -> System:
    """A system whose runner stands still and whose read models are empty."""
    system.runner.stop()
    system.forget()
    return system
