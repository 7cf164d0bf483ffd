import threading
from datetime import UTC, date, datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from given import A, B
from ledger.background import background
from ledger.migrations import LEDGER_MIGRATIONS, Migration, Pool
from ledger.read_log import MOST_AT_ONCE, READ_LOG_MIGRATIONS, Read, ReadFilter, ReadKey, ReadLog, ReadLogFull

AT = datetime(2026, 6, 1, 2, tzinfo=UTC)


@pytest.fixture
def migrations() -> tuple[Migration, ...]:
    return LEDGER_MIGRATIONS + READ_LOG_MIGRATIONS


@pytest.fixture
def log(pool: Pool) -> ReadLog:
    return ReadLog(pool)


def read(at: datetime = AT, uscc: str | None = A, every: bool = False) -> Read:
    return Read(uuid4(), at, "auditor", "auditor:k", "Enterprise.history", None, uscc, every)


def shown(log: ReadLog, *asked: Any) -> list[Read]:
    return log.found(ReadFilter(*asked), 100, None)


def test_a_read_is_kept_when_it_is_written_and_not_before(log: ReadLog) -> None:
    noted = read()
    log.note([noted])
    assert shown(log) == []
    log.flush()
    assert shown(log) == [noted]
    log.flush()
    assert shown(log) == [noted]


def test_reads_are_found_by_enterprise_with_the_feeds_of_all_and_by_legal_dates(log: ReadLog) -> None:
    late = read(datetime(2026, 6, 1, 16, tzinfo=UTC))
    a, b, feed, nobodys = read(), read(uscc=B), read(uscc=None, every=True), read(uscc=None)
    log.note([late, a, b, feed, nobodys])
    log.flush()

    def found(*asked: Any) -> set[Read]:
        assert log.count(ReadFilter(*asked)) == len(shown(log, *asked))
        return set(shown(log, *asked))

    assert found() == {late, a, b, feed, nobodys}
    assert found(A) == {late, a, feed}
    assert found(B) == {b, feed}
    # 16:00 UTC is the next day in Shanghai.
    assert found(A, date(2026, 6, 2)) == found(A, date(2026, 6, 2), date(2026, 6, 2)) == {late}
    assert found(None, None, date(2026, 6, 1)) == {a, b, feed, nobodys}
    assert found(None, date(2026, 6, 3)) == set()
    # The last day that a date can name.
    assert found(A, date(2026, 6, 2), date.max) == {late}
    assert found(None, date.max, date.max) == set()


def test_reads_come_newest_first_and_in_pages(log: ReadLog) -> None:
    noted = [read(AT + timedelta(seconds=number // 2)) for number in range(6)]
    log.note(noted)
    log.flush()
    everything = shown(log)
    assert [each.read_at for each in everything] == sorted((each.read_at for each in noted), reverse=True)
    first = log.found(ReadFilter(), 3, None)
    rest = log.found(ReadFilter(), 100, ReadKey(first[-1].read_at, first[-1].id))
    assert first + rest == everything


def test_more_than_one_batch_is_written_at_once(log: ReadLog) -> None:
    log.note([read() for _ in range(MOST_AT_ONCE + 1)])
    log.flush()
    assert log.count(ReadFilter()) == MOST_AT_ONCE + 1


def test_a_full_log_refuses_in_half_a_second_and_takes_more_when_it_was_written(pool: Pool) -> None:
    log = ReadLog(pool, most=2)
    log.note([read(), read()])
    began = monotonic()
    with pytest.raises(ReadLogFull):
        log.note([read()])
    assert 0.4 < monotonic() - began < 5
    with pytest.raises(ReadLogFull):
        log.note([read()], 0)
    log.flush()
    log.note([read()], 0)


def test_a_read_that_finds_the_log_full_goes_on_when_the_background_has_written_it(pool: Pool) -> None:
    log = ReadLog(pool, most=1)
    log.note([read()])
    with background([log.flush], 0.05):
        log.note([read()], 20)
    assert log.count(ReadFilter()) == 2


def test_what_could_not_be_written_is_kept_and_written_once(log: ReadLog, pool: Pool) -> None:
    noted = read()
    log.note([noted])
    with pytest.MonkeyPatch.context() as patch, pytest.raises(TypeError):
        patch.setattr(pool, "connection", None)
        log.flush()
    log.flush()
    # Written already, as far as nobody knows.
    log.note([noted])
    log.flush()
    assert shown(log) == [noted]


def test_reads_of_many_threads_are_all_kept(log: ReadLog) -> None:
    def work() -> None:
        for _ in range(50):
            log.note([read()])

    threads = [threading.Thread(target=work) for _ in range(8)]
    with background([log.flush], 0.001):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert log.count(ReadFilter()) == 400


@pytest.mark.parametrize("statement", ["DELETE FROM read_log", "TRUNCATE read_log", "UPDATE read_log SET reader = 'x'"])
def test_the_read_log_only_grows(log: ReadLog, pool: Pool, database: str, schema: str, statement: str) -> None:
    log.note([read()])
    log.flush()
    with pool.connection() as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute(statement.encode())
    owner = psycopg.connect(database, options=f"-c search_path={schema}")
    with owner, pytest.raises(psycopg.errors.InsufficientPrivilege, match="read_log is append-only"):
        owner.execute(statement.encode())
    owner.close()
    assert isinstance(shown(log)[0].id, UUID)
