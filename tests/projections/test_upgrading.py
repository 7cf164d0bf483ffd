"""Versions of projections: an older program's tables serve and are moved on by it until a newer one's take their place."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from domain.events import EnterpriseRenamed
from domain.recorded import Recorded
from given import registered, renamed
from ledger.migrations import open_pool
from ledger.recorder import PostgresRecorder
from ledger.streams import Streams
from projections.all import all_projections
from projections.history import History
from projections.parking import Parking
from projections.projection import Database, Projection
from projections.rebuilding import CannotRebuild, Rebuilt, rebuild
from projections.runner import Runner
from projections.upgrading import Upgrade, upgrading
from running import System, at_once, code, wait_until


class Newer(History):
    """A history that calls renamings something else."""

    version = History.version + 1

    def apply(self, database: Database, batch: Sequence[Recorded]) -> None:
        super().apply(database, batch)
        database.execute("UPDATE history SET type = 'Changed' WHERE type = 'EnterpriseRenamed'")


class Worse(Newer):
    """One that cannot apply a renaming."""

    def apply(self, database: Database, batch: Sequence[Recorded]) -> None:
        if any(isinstance(event.event, EnterpriseRenamed) for event in batch):
            raise LookupError
        super().apply(database, batch)


def newer(streams: Streams, history: type[History] = Newer) -> list[Projection]:
    return [history(), *(each for each in all_projections(streams) if each.name != "history")]


@dataclass
class Program:
    """A process of the newer program: its runner and, once it is begun, its upgrade."""

    runner: Runner
    upgrade: Upgrade


@pytest.fixture
def start(system: System, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Program]]:
    """Starts newer programs beside the system, which is the older one; they are stopped afterwards."""
    monkeypatch.setattr("projections.runner.STANDBY_SECONDS", 0.1)
    with ExitStack() as stack:

        def started(history: type[History] = Newer) -> Program:
            pool = stack.enter_context(open_pool(database, system.schema, max_size=4))
            recorder, build = PostgresRecorder(pool), partial(newer, history=history)
            runner = Runner(pool, recorder, build(Streams(recorder)))
            runner.start()
            stack.callback(runner.stop)
            return Program(runner, Upgrade(runner, build))

        yield started


def types(system: System) -> list[str]:
    """What the rows of the history call the events, in order of position."""
    rows = [row for (row,) in system.tables()["history"]]
    return [row["type"] for row in sorted(rows, key=lambda row: row["position"])]


def versions(system: System) -> dict[str, int]:
    return {each.name: each.version for each in Parking(system.pool).reached()}


def position(system: System, name: str = "history") -> int:
    return {each.name: each.position for each in Parking(system.pool).reached()}[name]


@contextmanager
def written(system: System) -> Iterator[None]:
    """Writes while the block runs."""
    done = threading.Event()

    def write() -> None:
        n = 100
        while not done.is_set():
            system.record(registered(uscc=code(n)), renamed(uscc=code(n)))
            n += 1

    writing = threading.Thread(target=write)
    writing.start()
    try:
        yield
    finally:
        done.set()
        writing.join()


def test_the_older_program_leads_and_moves_its_tables_on_until_the_swap(
    system: System, start: Callable[..., Program]
) -> None:
    program = start()
    system.known(registered())
    system.known(renamed())
    assert types(system)[-1] == "EnterpriseRenamed"
    assert program.upgrade.outdated() == ["history"]
    assert versions(system)["history"] == History.version


def test_a_newer_program_rebuilds_under_writes_swaps_and_leads(system: System, start: Callable[..., Program]) -> None:
    system.known(registered(), registered(uscc=code(1)))
    system.known(renamed())
    with written(system):
        program = start()
        program.upgrade.start()
        wait_until(lambda: versions(system)["history"] == Newer.version)
    assert program.upgrade.outdated() == []
    system.record(renamed(uscc=code(1)))
    wait_until(lambda: program.runner.position() == system.head)
    names = [recorded.type.replace("EnterpriseRenamed", "Changed") for recorded in system.log()]
    assert types(system) == names
    # The older one goes on answering, from the new tables.
    assert system.runner.position() == system.head
    assert {name for name, version in versions(system).items() if version > 1} == {"history"}
    program.upgrade.stop()


def test_an_older_program_moves_nothing_of_a_newer_one_s(system: System, start: Callable[..., Program]) -> None:
    system.known(registered())
    program = start()
    with upgrading(program.runner, newer):
        wait_until(lambda: versions(system)["history"] == Newer.version)
    program.runner.stop()
    before = position(system)
    system.record(renamed())
    assert system.runner.step() is False
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("projections.runner.IDLE_SECONDS", 0.2)
        assert system.runner.catch_up() == before
    assert position(system) == before < system.head
    # Another process of the newer program goes on where it stood.
    again = start()
    assert again.runner.wait_for(system.head, 10) == system.head
    assert types(system)[-1] == "Changed"


def test_a_newer_program_alone_moves_on_what_is_of_its_version_and_leaves_the_rest(
    system: System, start: Callable[..., Program]
) -> None:
    system.known(registered())
    system.runner.stop()
    stood = position(system)
    program = start()
    system.record(renamed())
    assert program.runner.wait_for(system.head, 10, ["register"]) == system.head
    assert position(system) == stood
    program.upgrade.start()
    assert program.runner.wait_for(system.head, 10) == system.head
    assert types(system)[-1] == "Changed"
    program.upgrade.stop()


def test_of_several_processes_that_upgrade_one_rebuilds(
    system: System, start: Callable[..., Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.upgrading.LOOK_SECONDS", 0.05)
    system.known(registered())
    system.known(renamed())
    programs = [start() for _ in range(3)]
    at_once([program.upgrade.start for program in programs])
    wait_until(lambda: not any(program.upgrade._thread.is_alive() for program in programs))
    assert versions(system)["history"] == Newer.version
    assert types(system)[-1] == "Changed"


def test_where_the_newer_one_would_answer_for_less_the_older_tables_serve_on(
    system: System, start: Callable[..., Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[str] = []

    def tried(*given: Any, **how: Any) -> Rebuilt:
        try:
            return rebuild(*given, **how)
        except CannotRebuild as why:
            failed.append(str(why))
            raise

    monkeypatch.setattr("projections.upgrading.rebuild", tried)
    monkeypatch.setattr("projections.upgrading.RETRY_SECONDS", 0.05)
    system.known(registered())
    system.known(renamed())
    program = start(Worse)
    program.upgrade.start()
    wait_until(lambda: len(failed) >= 2)
    assert "would be parked" in failed[0]
    system.known(registered(uscc=code(1)))
    assert (versions(system)["history"], Parking(system.pool).parked()) == (History.version, [])
    assert types(system)[-2:] == ["EnterpriseRenamed", "EnterpriseRegistered"]
    program.upgrade.stop()
    assert not program.upgrade._thread.is_alive()


def test_a_program_that_went_back_serves_what_is_there_and_makes_its_own_by_a_rebuild(
    system: System, start: Callable[..., Program]
) -> None:
    system.known(registered())
    system.known(renamed())
    program = start()
    with upgrading(program.runner, newer):
        wait_until(lambda: versions(system)["history"] == Newer.version)
    program.runner.stop()
    rebuild(system.pool, all_projections)
    assert versions(system)["history"] == History.version
    system.known(renamed(name="乙"))
    assert types(system)[-2:] == ["EnterpriseRenamed", "EnterpriseRenamed"]
