"""Processes that fill read models: they give what one process would, and whatever becomes of them, nothing is missed."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from itertools import chain
from pathlib import Path
from time import sleep

import pytest

from chance import Chance
from domain.rulebook import RULEBOOK, Rulebook
from given import registered
from ledger.notices import connect
from projecting import A_ROW_IN_EVERY_TABLE
from projections import filling, runner
from projections.all import all_projections
from projections.filling import Job, following, usual
from projections.rebuilding import rebuild
from projections.tables import TABLES
from running import System, code, wait_until
from tampering import spoil_entry

SECONDS = 20.0


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """The exit codes of the processes of rebuilds, for which any log is long."""
    codes: list[int | None] = []

    class Watched(filling.Fillers):
        def fill(self, *asked: object) -> None:
            super().fill(*asked)  # type: ignore[arg-type]  # what it is given is given on
            codes.append(self._process.returncode)

    monkeypatch.setattr(filling, "Fillers", Watched)
    monkeypatch.setattr("projections.rebuilding.FAR", 1)
    return codes


def test_every_projection_has_its_process() -> None:
    assert sorted(chain.from_iterable(filling.SHARES)) == sorted(TABLES)


def test_what_processes_fill_equals_what_serves(system: System, ended: list[int | None]) -> None:
    system.record(*A_ROW_IN_EVERY_TABLE)
    Chance(system, 5).happen(60)
    system.settle()
    told: list[tuple[int, int]] = []
    made = rebuild(system.pool, all_projections, progress=lambda *done: told.append(done))
    assert (ended, made.differing, made.swapped) == ([0], (), True)
    assert told[-1] == (system.head, system.head)


def indexes(system: System) -> set[str]:
    with system.pool.connection() as owner:
        rows = owner.execute("SELECT indexname FROM pg_indexes WHERE schemaname = %s", [system.schema]).fetchall()
    return {name for (name,) in rows}


def test_who_has_filled_tables_indexes_them(
    system: System, ended: list[int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    system.known(*A_ROW_IN_EVERY_TABLE)
    before = indexes(system)
    monkeypatch.setattr("projections.rebuilding.index", lambda *_: None)
    assert rebuild(system.pool, all_projections).swapped
    assert (ended, indexes(system)) == ([0], before)


def test_what_cannot_be_applied_is_parked_by_a_process_too(
    still: System, ended: list[int | None], database: str
) -> None:
    still.record(registered(uscc=code(1)), registered(uscc=code(2)))
    spoil_entry(database, still.schema, still.head)
    still.runner.catch_up()
    made = rebuild(still.pool, all_projections)
    assert ended == [0]
    assert (made.position, made.differing, {each.uscc for each in made.parked}) == (still.head, (), {code(2)})


def test_what_a_process_leaves_undone_is_done_by_who_waits_for_it(
    system: System, ended: list[int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    system.known(*A_ROW_IN_EVERY_TABLE)
    before = indexes(system)
    monkeypatch.setattr(filling, "_start", started("import sys; sys.exit(3)"))
    made = rebuild(system.pool, all_projections)
    assert (ended, made.differing, made.position) == ([3], (), system.head)
    assert indexes(system) == before


def test_a_rebuild_that_is_broken_off_ends_its_processes(
    system: System, ended: list[int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    system.known(registered())
    processes: list[subprocess.Popen[bytes]] = []
    start = started("import time; time.sleep(60)")

    def noted() -> subprocess.Popen[bytes]:
        processes.append(start())
        return processes[-1]

    monkeypatch.setattr(filling, "_start", noted)

    def stop(*_: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        rebuild(system.pool, all_projections, progress=stop)
    assert [process.poll() is not None for process in processes] == [True]


def test_a_process_follows_who_appends_and_ends_with_it(still: System) -> None:
    still.record(registered(uscc=code(1)))
    with following(still.pool) as follower:
        still.record(registered(uscc=code(2)))
        follower.wait(still.runner, still.head)
        assert still.runner.position() == still.head
    process = filling._start()
    filling._tell(process, Job(str(still.pool.conninfo), filling.SHARES))
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(SECONDS) == 1


def test_nobody_leads_while_an_import_is_followed_and_what_is_left_undone_is_done_after_it(
    still: System, database: str
) -> None:
    still.record(registered(uscc=code(1)), registered(uscc=code(2)))
    spoil_entry(database, still.schema, still.head)
    with following(still.pool) as follower, closing(connect(still.pool)) as other:
        follower.wait(still.runner, still.head)
        # Each of the processes parks what it cannot apply, in projections of its own.
        assert {each.uscc for each in still.runner.parking.parked()} == {code(2)}
        assert {each.projection for each in still.runner.parking.parked()} > {"history", "supervision"}
        assert not runner._leads(other)
        follower._process.send_signal(signal.SIGKILL)
        # The process that was forked leaves with the first.
        wait_until(lambda: runner._leads(other))
        still.record(registered(uscc=code(3)))
    assert still.runner.catch_up() == still.head
    made = rebuild(still.pool, all_projections)
    assert (made.differing, made.swapped) == ((), True)


def test_what_a_forked_process_left_undone_is_done_when_the_other_has_ended(
    still: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    still.record(registered(uscc=code(1)))
    with following(still.pool) as follower:
        follower.wait(still.runner, still.head)
        first = follower._process.pid
        (forked,) = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        os.kill(int(forked), signal.SIGKILL)
        monkeypatch.setattr(filling, "IDLE_SECONDS", 0.5)
        still.record(registered(uscc=code(2)))
        follower.wait(still.runner, still.head)
        assert still.runner.position() < still.head
    assert still.runner.catch_up() == still.head


def test_an_import_waits_while_another_runner_leads(still: System) -> None:
    still.record(registered())
    with closing(connect(still.pool)) as other:
        assert runner._leads(other)
        with following(still.pool):
            sleep(1.5)
            assert still.runner.position() == 0


def test_who_waits_for_a_process_that_is_gone_does_not_wait(still: System, monkeypatch: pytest.MonkeyPatch) -> None:
    still.record(registered())
    monkeypatch.setattr(filling, "_start", started(""))
    with following(still.pool) as follower:
        follower.wait(still.runner, still.head)
    assert still.runner.position() == 0


def test_only_what_is_built_as_usual_is_built_by_a_process() -> None:
    other = Rulebook(RULEBOOK.versions[:-1], RULEBOOK.rules)
    assert usual(all_projections)
    assert usual(partial(all_projections, rulebook=RULEBOOK))
    assert not usual(partial(all_projections, rulebook=other))
    assert not usual(lambda streams: all_projections(streams))


def started(program: str) -> Callable[[], subprocess.Popen[bytes]]:
    return lambda: subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE)
