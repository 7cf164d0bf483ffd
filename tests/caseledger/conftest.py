import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from caseledger.settings import Settings
from caseledger.wiring import MIGRATIONS, System, open_system
from commanding import Ran
from demonstrated import demonstrated
from ledger.migrations import Migration
from processes import Begin, Process
from running import System as Told

ROOT = Path(__file__).parents[2]


@pytest.fixture
def migrations() -> tuple[Migration, ...]:
    return MIGRATIONS


@pytest.fixture
def settings(database: str, schema: str, tmp_path: Path) -> Settings:
    """A fresh schema of the tests' PostgreSQL, and a home that is not made yet."""
    return Settings(home=tmp_path / "home", database_url=database, schema=schema)


@pytest.fixture
def system(settings: Settings) -> Iterator[System]:
    with open_system(settings) as opened:
        yield opened


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    """The environment of a program that works on `settings`."""
    assert settings.database_url is not None
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("CASELEDGER_")},
        "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("", "graphql", "tests")),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "CASELEDGER_DATABASE_URL": settings.database_url,
        "CASELEDGER_SCHEMA": settings.schema,
        "CASELEDGER_HOME": str(settings.home),
    }


@pytest.fixture
def begin(environment: dict[str, str]) -> Iterator[Begin]:
    """Starts commands that go on; those that a test leaves are ended."""
    begun: list[Process] = []

    def started(*arguments: str, **settings: str) -> Process:
        begun.append(Process(*arguments, environment={**environment, **settings}))
        return begun[-1]

    yield started
    for each in begun:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()


@pytest.fixture
def ran(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ran:
    """The command line in an empty folder and without settings."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("CASELEDGER_")]:
        monkeypatch.delenv(name)
    return Ran(capsys)


@pytest.fixture
def placed(ran: Ran, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Ran:
    """The command line on a fresh schema."""
    monkeypatch.setenv("CASELEDGER_DATABASE_URL", settings.database_url or "")
    monkeypatch.setenv("CASELEDGER_SCHEMA", settings.schema)
    monkeypatch.setenv("CASELEDGER_HOME", str(settings.home))
    return ran


@pytest.fixture(scope="session")
def told(database: str) -> Iterator[Told]:
    """The demonstration's history in a running system; tests only look at it."""
    with demonstrated(database) as system:
        yield system
