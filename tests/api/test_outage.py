"""While the database is away requests are refused at once, and answered as soon as it is back."""

import asyncio
from collections.abc import Callable
from time import monotonic

import pytest

from api.http import WORKERS
from api.outage import FAILURES, Outage
from caseledger.postgres import CarriedPostgres
from ledger.migrations import migrate
from running import MIGRATIONS, at_once, running, wait_until

HEAD = "{ ledger { head } }"


def test_a_few_failures_in_succession_make_it_known_and_a_look_that_succeeds_ends_it() -> None:
    there = False

    async def reaches() -> bool:
        return there

    async def known_after(*calls: Callable[[Outage], None]) -> Outage:
        outage = Outage(reaches)
        for call in calls:
            call(outage)
        return outage

    async def all_of_it() -> None:
        nonlocal there
        assert not (await known_after(*[Outage.failed] * (FAILURES - 1))).is_known
        assert not (await known_after(*[Outage.failed, Outage.answered] * FAILURES)).is_known
        outage = await known_after(*[Outage.failed] * FAILURES)
        assert outage.is_known
        await asyncio.sleep(0.6)
        assert outage.is_known
        there = True
        await asyncio.sleep(0.6)
        assert not outage.is_known

    asyncio.run(all_of_it())


def test_more_requests_than_there_are_threads_for_are_refused_in_time_and_answered_after_the_return(
    own_postgres: CarriedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.migrations.CHECKOUT_SECONDS", 3)
    migrate(own_postgres.conninfo, "outage", MIGRATIONS)
    with running(own_postgres.conninfo, "outage") as system:
        assert system.post(HEAD).status_code == 200
        own_postgres.stop()
        began = monotonic()
        answers = at_once([lambda: system.post(HEAD)] * (3 * WORKERS))
        assert {answer.status_code for answer in answers} == {503}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers)
        # Those that came first waited for a connection; nobody waited for them in turn.
        assert monotonic() - began < 3 * 3
        began = monotonic()
        assert [system.post(HEAD).status_code for _ in range(5)] == [503] * 5
        assert monotonic() - began < 2
        own_postgres.start()
        wait_until(lambda: system.post(HEAD).status_code == 200)
        assert {answer.status_code for answer in at_once([lambda: system.post(HEAD)] * WORKERS)} == {200}
