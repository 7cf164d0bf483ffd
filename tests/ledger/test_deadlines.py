"""Deadlines: what takes too long is cancelled by the server, and only that."""

import threading
import time
from collections.abc import Callable

import pytest
from psycopg.errors import QueryCanceled

from ledger.deadlines import Deadline
from ledger.migrations import Pool

SLEEP = "SELECT pg_sleep(%s)"


def sleep(pool: Pool, seconds: float) -> None:
    with pool.connection() as database:
        database.execute(SLEEP.encode(), [seconds])


def backend(pool: Pool) -> int:
    with pool.connection() as database:
        return database.info.backend_pid


def raised_by(work: Callable[[], object]) -> BaseException | None:
    try:
        work()
    except Exception as fault:
        return fault
    return None


def test_a_statement_under_way_is_cancelled(pool: Pool) -> None:
    deadline = Deadline(30)
    threading.Timer(0.3, deadline.expire).start()
    began = time.monotonic()
    with pytest.raises(QueryCanceled):
        deadline.run(lambda: sleep(pool, 30))
    assert time.monotonic() - began < 5


def test_a_connection_that_was_cancelled_serves_nobody_after(pool: Pool) -> None:
    deadline, used = Deadline(30), []

    def work() -> None:
        with pool.connection() as database:
            used.append(database)
            deadline.expire()

    deadline.run(work)
    assert used[0].closed
    sleep(pool, 0.0)


def test_no_connection_is_given_out_after_the_time(pool: Pool) -> None:
    deadline = Deadline(30)
    deadline.expire()
    with pytest.raises(QueryCanceled):
        deadline.run(lambda: backend(pool))
    assert backend(pool)


def test_work_that_ends_in_time_is_left_alone(pool: Pool) -> None:
    deadline, used = Deadline(30), []

    def work() -> int:
        with pool.connection() as database:
            used.append(database)
            return database.info.backend_pid

    assert deadline.run(work) == used[0].info.backend_pid
    deadline.expire()
    assert not used[0].closed


def test_other_work_is_not_cancelled(pool: Pool) -> None:
    deadline, faults = Deadline(30), []
    threading.Timer(0.3, deadline.expire).start()
    others = [threading.Thread(target=lambda: faults.append(raised_by(lambda: sleep(pool, 1)))) for _ in range(3)]
    for other in others:
        other.start()
    assert isinstance(raised_by(lambda: deadline.run(lambda: sleep(pool, 30))), QueryCanceled)
    for other in others:
        other.join()
    assert faults == [None, None, None]


def test_a_connection_is_waited_for_no_longer_than_there_is_time(pool: Pool) -> None:
    held = [pool.getconn() for _ in range(pool.max_size)]
    began = time.monotonic()
    fault = raised_by(lambda: Deadline(0.5).run(lambda: backend(pool)))
    assert (type(fault).__name__, time.monotonic() - began < 3) == ("PoolTimeout", True)
    for connection in held:
        pool.putconn(connection)
