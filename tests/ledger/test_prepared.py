"""What is prepared and sent in binary form comes to the same as by the library's cursors."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import psycopg
import pytest

from ledger import prepared
from ledger.bell import Bell
from ledger.migrations import Database, Pool
from ledger.prepared import Line
from ledger.rows import Bytes, Integers, Texts

MOMENT = datetime(2026, 11, 24, 8, 30, 1, 999_999, tzinfo=timezone(timedelta(hours=8)))


@pytest.fixture
def connection(pool: Pool) -> Iterator[Database]:
    with pool.connection() as database:
        yield database


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("bigint", 2**63 - 1),
        ("bigint", -1),
        ("text", "工业和信息化部 %(value)s $1 '"),
        ("bytea", b"\x00\xff"),
        ("timestamptz", MOMENT),
        ("timestamptz", datetime(1999, 12, 31, 23, 59, 59, 1, tzinfo=UTC)),
        ("bigint[]", Integers.packed([3, -4])),
        ("text[]", Texts.packed(["", "乙"])),
        ("bytea[]", Bytes.packed([b"", b"x"])),
    ],
)
def test_a_value_arrives_as_the_library_would_send_it(connection: Database, type_: str, value: object) -> None:
    with connection.transaction():
        connection.execute(f"CREATE TEMPORARY TABLE came (value {type_}) ON COMMIT DROP")
        prepared.run(connection, b"INSERT INTO came SELECT %(value)s", {"value": value})
        same = connection.execute("SELECT value = %s FROM came", [value]).fetchone()
    assert same == (True,)


def test_it_gives_the_number_of_rows_and_takes_a_value_twice(connection: Database) -> None:
    rows = b"SELECT FROM generate_series(1, %(count)s) AS n WHERE n <= %(count)s AND n > %(least)s"
    assert [prepared.run(connection, rows, {"count": 5, "least": least}) for least in (0, 3, 9)] == [5, 2, 0]


def test_a_statement_is_prepared_once_on_a_connection(connection: Database) -> None:
    def known() -> list[str]:
        mine = "SELECT statement FROM pg_prepared_statements WHERE name LIKE 'prepared%%'"
        return [text for (text,) in connection.execute(mine)]

    before = known()
    for number in range(3):
        prepared.run(connection, b"SELECT %(number)s + 17", {"number": number})
    assert known() == [*before, "SELECT $1 + 17"]


def test_a_statement_that_was_deallocated_is_prepared_again(connection: Database) -> None:
    ask = b"SELECT FROM generate_series(1, %(count)s)"
    assert prepared.run(connection, ask, {"count": 2}) == 2
    connection.execute("DEALLOCATE ALL")
    assert prepared.run(connection, ask, {"count": 3}) == 3


def test_what_the_database_refuses_has_its_error(connection: Database) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        prepared.run(connection, b"SELECT 1 / %(by)s", {"by": 0})
    with pytest.raises(psycopg.errors.UndefinedTable):
        prepared.run(connection, b"SELECT FROM nowhere", {})
    assert prepared.run(connection, b"SELECT 1 / %(by)s", {"by": 1}) == 1


def test_a_connection_that_is_gone_is_an_operational_error(database: str, pool: Pool) -> None:
    with pytest.raises(psycopg.OperationalError) as ended, pool.connection() as connection:
        with psycopg.connect(database, autocommit=True) as owner:
            owner.execute("SELECT pg_terminate_backend(%s, 20000)", [connection.info.backend_pid])
        prepared.run(connection, b"SELECT", {})
    assert isinstance(ended.value, psycopg.errors.AdminShutdown) or "connection" in str(ended.value)
    with pytest.raises(psycopg.OperationalError):
        prepared.run(connection, b"SELECT", {})


# A line


def sent(line: Line, text: bytes, values: dict[str, object]) -> None:
    line.send(text, values)
    line.commit()


ROWS = b"SELECT FROM generate_series(1, %(count)s)"
RATIO = b"SELECT 1 / %(by)s"
LONG = b"SELECT pg_sleep(0.3) FROM generate_series(1, length(%(data)s) / length(%(data)s))"


def test_statements_on_a_line_are_answered_in_their_order(connection: Database) -> None:
    line = Line(connection)
    for lot in ([3, 1], [2]):
        for rows in lot:
            sent(line, ROWS, {"count": rows})
        assert [line.receive() for _ in lot] == lot
        assert connection.execute("SELECT 7").fetchone() == (7,)


def test_each_statement_on_a_line_is_a_transaction_of_its_own(connection: Database) -> None:
    connection.execute("CREATE TEMPORARY TABLE came (number bigint)")
    line = Line(connection)
    add = b"INSERT INTO came SELECT 1 / %(by)s"
    for by in (1, 0, -1):
        sent(line, add, {"by": by})
    assert line.receive() == 0
    with pytest.raises(psycopg.errors.DivisionByZero):
        line.receive()
    assert line.receive() == 0
    assert connection.execute("SELECT number FROM came").fetchall() == [(1,), (-1,)]


def test_the_statements_of_a_transaction_on_a_line_are_kept_all_or_none(connection: Database) -> None:
    connection.execute("CREATE TEMPORARY TABLE came (number bigint)")
    line = Line(connection)
    for divisors in ((1, -1), (1, 0, 1), (1,)):
        for by in divisors:
            line.send(b"INSERT INTO came SELECT 1 / %(by)s RETURNING number", {"by": by})
        line.commit()
    assert line.receive() == 1
    with pytest.raises(psycopg.errors.DivisionByZero):
        line.receive()
    assert line.receive() == 1
    assert connection.execute("SELECT number FROM came").fetchall() == [(1,), (-1,), (1,)]


def test_what_was_sent_and_not_committed_is_not_kept(pool: Pool) -> None:
    with pool.connection() as connection:
        line = Line(connection)
        line.send(b"UPDATE head SET position = position + %(more)s RETURNING position", {"more": 1})
        line.leave()
    with pool.connection() as connection:
        assert connection.execute("SELECT position FROM head").fetchone() == (0,)


def test_a_statement_that_cannot_be_prepared_has_its_error_and_the_next_its_answer(connection: Database) -> None:
    line = Line(connection)
    for statement in (b"SELECT FROM nowhere WHERE %(count)s = 1", ROWS):
        sent(line, statement, {"count": 1})
    with pytest.raises(psycopg.errors.UndefinedTable):
        line.receive()
    assert line.receive() == 1


def test_what_was_deallocated_under_way_was_not_executed_and_is_prepared_again(connection: Database) -> None:
    assert prepared.run(connection, ROWS, {"count": 1}) == 1
    connection.execute("DEALLOCATE ALL")
    line = Line(connection)
    sent(line, ROWS, {"count": 1})
    assert line.receive() is None
    sent(line, ROWS, {"count": 2})
    assert line.receive() == 2


def test_what_cannot_be_prepared_behind_what_was_deallocated_has_its_own_error(connection: Database) -> None:
    assert prepared.run(connection, ROWS, {"count": 1}) == 1
    connection.execute("DEALLOCATE ALL")
    line = Line(connection)
    for statement in (ROWS, b"SELECT FROM nowhere WHERE %(count)s = 2"):
        sent(line, statement, {"count": 1})
    assert line.receive() is None
    with pytest.raises(psycopg.errors.UndefinedTable):
        line.receive()


def test_what_is_sent_while_the_database_is_busy_may_be_larger_than_what_it_takes_in(connection: Database) -> None:
    line = Line(connection)
    for _ in range(2):
        sent(line, LONG, {"data": b"x" * 8_000_000})
    assert [line.receive() for _ in range(2)] == [1, 1]


def test_an_answer_that_came_while_something_was_sent_is_known_of(connection: Database) -> None:
    line = Line(connection)
    sent(line, ROWS, {"count": 1})
    sent(line, LONG, {"data": b"x" * 8_000_000})
    with Bell() as bell:
        assert line.is_answered or bell.wait(line, 10)
        assert line.receive() == 1
        assert not line.is_answered
        assert bell.wait(line, 10)
    assert line.receive() == 1


def test_a_line_whose_connection_ends_has_an_error_for_each_statement(database: str, pool: Pool) -> None:
    with pytest.raises(psycopg.OperationalError), pool.connection() as connection:
        line = Line(connection)
        for _ in range(2):
            sent(line, b"SELECT pg_sleep(%(seconds)s)", {"seconds": 20})
        with psycopg.connect(database, autocommit=True) as owner:
            owner.execute("SELECT pg_terminate_backend(%s, 20000)", [connection.info.backend_pid])
        for _ in range(2):
            with pytest.raises(psycopg.OperationalError):
                line.receive()
        line.leave()
        assert connection.closed
        sent(line, ROWS, {"count": 1})


def test_a_connection_that_is_left_while_a_statement_is_under_way_ends(pool: Pool) -> None:
    with pool.connection() as connection:
        line = Line(connection)
        line.leave()
        assert not connection.closed
        sent(line, ROWS, {"count": 1})
        line.leave()
        assert connection.closed
