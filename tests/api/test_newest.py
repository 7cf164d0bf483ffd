"""What is newest: one look for all that wait, and nothing that was acknowledged before it is missing."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from api.newest import MOST_NEWS, Newest, subject_of
from caseledger.postgres import CarriedPostgres
from given import A, B, registered
from ledger.migrations import open_pool
from running import System


def looked(system: System, work: Callable[[Newest], Awaitable[None]]) -> Newest:
    """A look-out on whose loop the work was done."""
    newest = Newest(system.pool)
    asyncio.run(asyncio.wait_for(_work(newest, work), 20))
    return newest


async def _work(newest: Newest, work: Callable[[Newest], Awaitable[None]]) -> None:
    await work(newest)


def test_the_first_look_finds_the_head(system: System) -> None:
    async def work(newest: Newest) -> None:
        assert newest.news.head == -1
        assert await newest.look()

    assert looked(system, work).news.head == system.head


def test_a_look_knows_what_was_appended_before_it(system: System) -> None:
    async def work(newest: Newest) -> None:
        await newest.look()
        before = newest.news.head
        system.record(registered())
        await newest.look()
        assert newest.news.head == system.head
        assert not newest.news.still_holds([f"enterprise:{A}"], before)
        assert newest.news.still_holds([f"enterprise:{B}"], before)

    looked(system, work)


def test_one_statement_serves_all_that_wait(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    begin = Newest._begin

    def noted(self: Newest) -> None:
        begun.append(len(self._waiting))
        begin(self)

    async def work(newest: Newest) -> None:
        await newest.look()
        monkeypatch.setattr(Newest, "_begin", noted)
        assert all(await asyncio.gather(*(newest.look() for _ in range(50))))

    looked(system, work)
    assert begun == [1, 49]


def test_after_more_news_than_are_read_at_a_time_nothing_older_is_vouched_for(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.newest.MOST_NEWS", 1)
    assert MOST_NEWS > 1

    async def work(newest: Newest) -> None:
        await newest.look()
        before = newest.news.head
        system.record(registered(), registered(uscc=B))
        await newest.look()
        assert newest.news.head == system.head
        assert not newest.news.still_holds(["enterprise:X"], before)

    looked(system, work)


def test_whoever_gave_up_waiting_disturbs_nobody(system: System) -> None:
    async def work(newest: Newest) -> None:
        await newest.look()
        waiting = [asyncio.ensure_future(newest.look()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        assert await asyncio.gather(*waiting[1:]) == [True, True]

    looked(system, work)


def test_a_look_says_no_while_the_database_is_away(own_postgres: CarriedPostgres) -> None:
    own_postgres.stop()

    async def work() -> None:
        with open_pool(own_postgres.conninfo) as pool:
            newest = Newest(pool)
            assert not any(await asyncio.gather(newest.look(), newest.look()))
            assert not await newest.look()

    asyncio.run(asyncio.wait_for(work(), 20))


def test_the_days_of_an_enterprises_complaints_are_one_subject() -> None:
    assert subject_of(f"complaints:{A}:2026-01-01") == subject_of(f"complaints:{A}:2026-01-02") == f"complaints:{A}"
    assert subject_of(f"enterprise:{A}") == f"enterprise:{A}"
