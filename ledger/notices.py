"""News of the head, as `ledger.notifier` sends it: on a connection that is not of the pool, where one that listens would
be missing for good."""

from contextlib import suppress
from types import TracebackType
from typing import Self

from eventsourcing.persistence import ProgrammingError
from psycopg import Connection, errors, sql
from psycopg.rows import TupleRow

from ledger.migrations import Pool


class Notices:
    """Listens while the block lasts. Raises psycopg.OperationalError when the database is away."""

    def __init__(self, pool: Pool) -> None:
        self._conn = connect(pool)

    def __enter__(self) -> Self:
        listen(self._conn)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._conn.close()

    def wait(self, seconds: float) -> bool:
        """Waits for the next news, at most so long. Says whether there was any."""
        return bool(list(self._conn.notifies(timeout=seconds, stop_after=1)))


def connect(pool: Pool) -> Connection[TupleRow]:
    """A connection like the pool's that is not of the pool."""
    if callable(pool.conninfo) or callable(pool.kwargs):
        raise ProgrammingError("the pool's conninfo must be a text and its kwargs a mapping, as open_pool gives them")
    return pool.connection_class.connect(pool.conninfo, **(pool.kwargs or {}))


def listen(conn: Connection[TupleRow]) -> None:
    """Lets a connection get the news. A standby relays none; there is polling only."""
    row = conn.execute(_CHANNEL).fetchone()
    assert row is not None
    with suppress(errors.ReadOnlySqlTransaction):
        conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(row[0])))


_CHANNEL = "SELECT current_schema() || '_head'"
