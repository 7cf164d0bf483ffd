"""The enterprise map is made beside the serving, by one process of all, and is given up at once when that stops."""

import time
from contextlib import ExitStack

import pytest

from caseledger.mapping import RESTS, MapMaker, mapping
from caseledger.settings import Settings
from caseledger.wiring import MIGRATIONS, System, open_system
from given import A, B, interviewed, registered
from ledger import enterprise_map
from ledger.imports import IMPORTER
from ledger.map_keeping import bring_up
from ledger.migrations import Pool, misfit
from running import wait_until


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enterprise_map, "SIZES", (4, 2))


def kept(pool: Pool) -> list[tuple[int, int]]:
    with pool.connection() as database:
        return [(after, upto) for after, upto in database.execute("SELECT after, upto FROM map_segments ORDER BY 1")]


def test_a_segment_is_made_as_soon_as_its_entries_are_there_and_by_one_of_all(settings: Settings) -> None:
    with ExitStack() as stack:
        first, second = (stack.enter_context(open_system(settings)) for _ in range(2))
        for system in (first, second):
            stack.enter_context(mapping(system.pool, 0.05))
        wait_until(lambda: kept(first.pool) == [(0, 4)], seconds=20)
        assert first.ledger.record(IMPORTER, "1", [registered(), registered(uscc=B)]).refusals == ()
        wait_until(lambda: kept(first.pool) == [(0, 4), (4, 6)], seconds=20)
        assert first.ledger.record(IMPORTER, "2", [interviewed(uscc=A), interviewed(uscc=B)]).refusals == ()
        wait_until(lambda: kept(first.pool) == [(0, 4), (4, 8)], seconds=20)


def test_it_rests_longer_than_it_works_and_stops_in_the_middle_of_a_segment(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    rested: list[float] = []

    def bring_up_slowly(pool: Pool, size: int, rest: object) -> None:
        assert callable(rest)
        began = time.monotonic()
        time.sleep(0.05)
        rest()
        rested.append(time.monotonic() - began)
        time.sleep(0.5)
        rest()
        rested.append(0)

    monkeypatch.setattr("caseledger.mapping.bring_up", bring_up_slowly)
    maker = MapMaker(system.pool, 0.05)
    maker.start()
    wait_until(lambda: rested != [], seconds=20)
    maker.stop()
    assert [each > 0.05 * (1 + RESTS) for each in rested] == [True]
    bring_up(system.pool, 4)
    assert kept(system.pool) == [(0, 4)]


def test_a_program_without_a_map_may_go_on_beside_this_one() -> None:
    older = [migration for migration in MIGRATIONS if migration.compatible_from is None]
    assert misfit(older, {each.name: each.compatible_from for each in MIGRATIONS}) is None
    assert misfit(older[:-1], {each.name: each.compatible_from for each in MIGRATIONS if each != older[-1]}) is not None
